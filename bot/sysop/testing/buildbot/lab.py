"""A master with one worker, started from the environment that Buildbot is installed in."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sysop.testing.buildbot.pipelines import Pipeline, Push
from sysop.testing.buildbot.processes import Process

USER, PASSWORD = "sysop", "password-of-a-test"
LOOKER, LOOKERS_PASSWORD = "looker", "lookers-password-of-a-test"
_WORKERS_PASSWORD = "workers-password-of-a-test"  # noqa: S105
_READY_S = 90.0
_CONFIG = Path(__file__).parent / "master.cfg"


class BuildbotLab:
    """A Buildbot in a folder. `environment` is the virtual environment with buildbot and buildbot-worker.

    `up` takes some seconds and raises RuntimeError where it cannot be made or does not come up.
    """

    def __init__(
        self, folder: Path, environment: Path, pipelines: Sequence[Pipeline], push: Push | None = None
    ) -> None:
        self._folder = folder.resolve()
        self._environment = environment.resolve()
        self._pipelines = tuple(pipelines)
        self._push = push
        self._running: list[Process] = []
        self._ports = _free_ports(2)
        self.url = f"http://127.0.0.1:{self._ports[0]}"

    def settings(self, password_secret: str, url: str | None = None) -> dict[str, Any]:
        """Return the section `plugins.cicd.buildbot`; another `url` is that of something in between."""
        return {
            "url": url or self.url,
            "user": USER,
            "password_secret": password_secret,
            "pipelines": {one.name: one.for_sysop() for one in self._pipelines},
        }

    def up(self) -> Self:
        """Start both and return when the worker waits for builds."""
        with ExitStack() as half_made:
            half_made.callback(self.down)
            self._start()
            half_made.pop_all()
        return self

    def down(self) -> None:
        """Stop both, and every build under way."""
        while self._running:
            self._running.pop().stop()

    def __enter__(self) -> Self:
        """Start both."""
        return self.up()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop both."""
        self.down()

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run("buildbot", "create-master", "--relocatable", "master")
        worker = ("--relocatable", "worker", f"127.0.0.1:{self._ports[1]}", "worker", _WORKERS_PASSWORD)
        self._run("buildbot-worker", "create-worker", *worker)
        self._configure()
        self._begin("buildbot", "master").wait_for(self._answers, "the master", _READY_S)
        self._begin("buildbot-worker", "worker").wait_for(self._connected, "the worker", _READY_S)

    def _configure(self) -> None:
        lab = {
            "url": self.url,
            "port": self._ports[0],
            "worker_port": self._ports[1],
            "worker_password": _WORKERS_PASSWORD,
            "users": {USER: PASSWORD, LOOKER: LOOKERS_PASSWORD},
            "changes": USER,
            "pipelines": [one.for_master() for one in self._pipelines],
            "push": {"url": self._push.url, "token": self._push.token} if self._push else None,
        }
        (self._folder / "master" / "lab.json").write_text(json.dumps(lab))
        (self._folder / "master" / "master.cfg").write_text(_CONFIG.read_text())

    def _program(self, name: str) -> tuple[str, ...]:
        return str(self._environment / "bin" / "python"), str(self._environment / "bin" / name)

    def _variables(self) -> dict[str, str]:
        """Return an environment without anything of ours: builds, and so their logs, inherit it."""
        path = os.pathsep.join((str(self._environment / "bin"), os.defpath))
        return {"PATH": path, "HOME": str(self._folder), "LANG": "C.UTF-8"}

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(  # noqa: S603  programs of the environment we were given
            [*self._program(program), *words],
            cwd=self._folder,
            env=self._variables(),
            capture_output=True,
            text=True,
            timeout=_READY_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _begin(self, program: str, what: str) -> Process:
        command = (*self._program(program), "start", "--nodaemon", what)
        logs = (self._folder / f"{what}.log", self._folder / what / "twistd.log")
        self._running.append(Process(command, self._folder, self._variables(), logs))
        return self._running[-1]

    def _answers(self) -> bool:
        return self._asked("/api/v2/workers") is not None

    def _connected(self) -> bool:
        found = self._asked("/api/v2/workers") or {"workers": []}
        return any(worker["connected_to"] for worker in found["workers"])

    def _asked(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self._ports[0], timeout=5)
        try:
            connection.request("GET", path)
            return json.load(connection.getresponse())
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


def _free_ports(count: int) -> list[int]:
    """Return ports that are free at this moment, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
