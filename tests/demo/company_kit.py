"""A real company, a real webhook receiver, and the binaries that judge both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from absent import missing
from sysop.demo.company import scenario

Found = TypeVar("Found")

START_SECONDS = 30.0


def wait_for(look: Callable[[], Found | None], seconds: float, what: str) -> Found:
    """Return the first truthy thing seen."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Say whether a process runs; a zombie that nobody has collected does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


class Company:
    """A running company, seen through its files, its ports and its deploy command."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.folder = folder
        self.process = process
        self.start_seconds = seconds
        self.http = httpx2.Client(timeout=10, trust_env=False)

    @property
    def info(self) -> dict[str, Any]:
        return json.loads((self.folder / "company.json").read_text())

    @property
    def scenario(self) -> dict[str, Any]:
        return json.loads((self.folder / "scenario.json").read_text())

    @property
    def pids(self) -> set[int]:
        info = self.info
        return {info["watcher"]["pid"], info["load"]["pid"], *(item["pid"] for item in info["services"].values())}

    @property
    def targets(self) -> list[str]:
        return [item["url"].removeprefix("http://") for item in self.info["services"].values()]

    def status(self) -> dict[str, Any]:
        return self.http.get(f"{self.info['control']}/status").json()

    def order(self, path: str, **told: str | float | bool) -> dict[str, Any]:
        """Order something at the control port, as pipelines and drills do."""
        answer = self.http.post(f"{self.info['control']}/{path}", json=told, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def deploy(self, service: str, version: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sysop.demo.company.deploy", "--folder", str(self.folder)]
        return subprocess.run(
            [*command, "--service", service, "--version", version], capture_output=True, text=True, timeout=60
        )

    def ask(self, path: str, **parameters: str | float) -> httpx2.Response:
        return self.http.get(f"{self.info['watcher']['url']}{path}", params=parameters)

    def __enter__(self) -> Company:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.process.terminate()
        self.process.communicate(timeout=20)


def start_company(folder: Path, seed: int, *extra: str, stdin: int = subprocess.DEVNULL) -> Company:
    began = time.monotonic()
    command = [sys.executable, "-m", "sysop.demo.company", "--folder", str(folder), "--seed", str(seed), *extra]
    process = subprocess.Popen(command, stdin=stdin)

    def written() -> bool:
        assert process.poll() is None, "the company did not start"
        return (folder / "company.json").exists()

    wait_for(written, START_SECONDS, "the company to be ready")
    return Company(folder, process, time.monotonic() - began)


def seed_where(holds: Callable[[scenario.Scenario], bool]) -> int:
    return next(seed for seed in range(1, 1000) if holds(scenario.plan(seed).scenario))


class Receiver:
    """Takes webhooks; refuses the first `refusals` of them."""

    def __init__(self) -> None:
        self.url = ""
        self.refusals = 0
        self.refused = 0
        self.taken: list[tuple[float, dict[str, str], dict[str, Any]]] = []

    def take(self, headers: dict[str, str], body: bytes) -> int:
        if self.refused < self.refusals:
            self.refused += 1
            return 503
        self.taken.append((time.monotonic(), headers, json.loads(body)))
        return 200

    def bodies(self, status: str) -> list[dict[str, Any]]:
        return [body for _, _, body in self.taken if body["status"] == status]

    def services(self, status: str) -> set[str]:
        return {body["groupLabels"]["service"] for body in self.bodies(status)}


@contextmanager
def receiving() -> Iterator[Receiver]:
    taker = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(taker.take(dict(self.headers), body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taker.url = f"http://127.0.0.1:{server.server_port}/alerts"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield taker
        server.shutdown()
        thread.join()


def binary(name: str) -> str:
    """Return a program's path; without it skip, or fail where everything is required."""
    if found := shutil.which(name):
        return found
    missing(f"{name} is not installed (Debian: apt-get install prometheus prometheus-alertmanager)")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextmanager
def running(command: list[str], folder: Path, url: str) -> Iterator[str]:
    """Run a server until the block ends; the block starts when it is ready."""
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, start_new_session=True)

    def ready() -> bool:
        assert process.poll() is None, (folder / "output.log").read_text()
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{url}/-/ready", trust_env=False).status_code == 200
        return False

    try:
        wait_for(ready, 20, f"{command[0]} to be ready")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
