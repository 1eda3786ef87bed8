"""What the benchmarks share: timing, medians, both databases."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import bench
import lab
import postgres

__all__ = ["bench", "cpu_of", "databases", "lab", "percentile", "running", "wait"]


@contextmanager
def databases(*kinds: str) -> Iterator[list[tuple[str, str, Path]]]:
    """Yield (kind, url, folder) of migrated, empty databases."""
    with tempfile.TemporaryDirectory(prefix="sysop-bench-") as name:
        folder = Path(name)
        found = []
        if "sqlite" in kinds:
            url = f"sqlite:///{folder / 'sysop.db'}"
            bench.upgrade(url)
            found.append(("sqlite", url, folder))
        if "postgres" in kinds:
            with postgres.server() as server:
                url = postgres.fresh_database(server, f"bench_{os.getpid()}")
                bench.upgrade(url)
                yield [*found, ("postgres", url, folder)]
                postgres.drop_database(server, f"bench_{os.getpid()}")
        else:
            yield found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def cpu_of(command: Sequence[str], runs: int, cwd: Path) -> tuple[float, float]:
    """Return the median CPU seconds and wall seconds of a command, after one warm-up."""
    cpu, wall = [], []
    for number in range(runs + 1):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if number:
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            wall.append(time.perf_counter() - began)
    return statistics.median(cpu), statistics.median(wall)


@contextmanager
def running(command: Sequence[str], said: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """Run a server until the block ends, and yield the address it said it listens at, and its process."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stderr=errors, text=True)
        try:
            found: list[str] = []

            def ready() -> bool:
                errors.seek(0)
                text = errors.read()
                assert process.poll() is None, text
                found[:] = said.findall(" ".join(text.split()))
                return bool(found)

            wait(ready, 60)
            yield found[0], process.pid
        finally:
            process.terminate()
            process.wait(60)


def wait(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("this took too long")
        time.sleep(0.01)
