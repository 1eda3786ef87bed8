"""How light Sysop is: `--help`, `doctor`, `serve` until ready, memory at rest. Medians of five runs."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

SYSOP = [sys.executable, "-m", "sysop"]


def main() -> None:
    """Print one line each."""
    with tempfile.TemporaryDirectory(prefix="sysop-bench-") as name:
        folder = Path(name)
        (folder / "sysop.yaml").write_text("webhooks: {port: 0}\n")
        bare, _ = common.cpu_of([sys.executable, "-c", "pass"], 5, folder)
        for words in (["--help"], ["doctor"]):
            cpu, wall = common.cpu_of([*SYSOP, *words], 5, folder)
            print(f"sysop {' '.join(words)}: {cpu:.2f} s CPU, {wall:.2f} s (python alone {bare:.2f} s CPU)", flush=True)
        runs = [_serve(folder) for _ in range(6)][1:]
        cpu, wall, rss = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"sysop serve: ready after {cpu:.2f} s CPU, {wall:.2f} s; {rss:.0f} MB at rest", flush=True)


def _serve(folder: Path) -> tuple[float, float, float]:
    began = time.perf_counter()
    process = subprocess.Popen([*SYSOP, "serve"], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "ready" in line:
            break
    wall, cpu = time.perf_counter() - began, _cpu(process.pid)
    time.sleep(1.0)  # at rest: what the first second still loads is counted
    rss = _rss_mb(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    return cpu, wall, rss


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
