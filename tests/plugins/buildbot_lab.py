"""The real Buildbot of the tests: one master for a module, a proxy before it for every test."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from absent import missing
from sysop.testing.buildbot import PASSWORD, USER, BuildbotLab, Pipeline, Push
from sysop.testing.wire import Fault, Outcome, Proxy

ROOT = Path(__file__).resolve().parents[2]
STEP = Path(__file__).with_name("buildbot_step.py")
SLOW_S = 12.0
"""For a request to a real master on a busy machine: no hang, yet."""
_ENDLESS = 1000
_services = count(1)


def environment() -> Path:
    """Return where Buildbot is installed."""
    found = Path(os.environ.get("SYSOP_TEST_BUILDBOT") or ROOT / ".venv-buildbot")
    if not (found / "bin" / "buildbot").exists():
        missing("Buildbot is not installed: `make test` installs it, or name its environment in SYSOP_TEST_BUILDBOT")
    return found


@dataclass(frozen=True)
class Master:
    """A running master, and the folders that tell its builds how to end."""

    lab: BuildbotLab
    outcomes: Mapping[str, Path]

    def next(self, pipeline: str, *outcomes: Outcome) -> None:
        """Say how the next builds of a pipeline will go."""
        for one in outcomes:
            how = "endless" if one.looks >= _ENDLESS else "good" if one.good else "bad"
            file = self.outcomes[pipeline] / f"{time.time_ns()}"
            file.write_text(f"{how}\n{one.log}")
            file.rename(file.with_suffix(".outcome"))

    def asked(self, pipeline: str) -> list[dict[str, Any]]:
        """Return what was asked for of a pipeline, by the master's own record."""
        (builder,) = self.read(f"/builders/{pipeline}")["builders"]
        found: list[dict[str, Any]] = self.read(f"/builders/{builder['builderid']}/buildrequests?property=*")[
            "buildrequests"
        ]
        return found

    def read(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def order(self, path: str, method: str, **params: str) -> Any:
        """Do something as a person does who is signed in."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self._ask("POST", path, json.dumps(body))["result"]

    def quiet(self, seconds: float = 60.0) -> None:
        """Stop whatever is under way, and wait until nothing is.

        Only builds that have well begun are stopped: Buildbot can lose a request for ever, and its builder with it,
        that is cancelled in the moment in which it is claimed.
        """
        deadline = time.monotonic() + seconds
        stopped: set[int] = set()
        while busy := self.read("/buildrequests?complete=false")["buildrequests"]:
            for one in busy:
                id = one["buildrequestid"]
                if id not in stopped and one["claimed"] and self._well_begun(id):
                    self.order(f"/buildrequests/{id}", "cancel", reason="the test is over")
                    stopped.add(id)
            assert time.monotonic() < deadline, busy
            time.sleep(0.05)
        for folder in self.outcomes.values():
            for left in folder.iterdir():
                left.unlink()

    def ended(self, request: str, seconds: float = 10.0) -> None:
        """Wait for the end of what was asked for, for so long."""
        deadline = time.monotonic() + seconds
        while not self.read(f"/buildrequests/{request}")["buildrequests"][0]["complete"]:
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)

    def _well_begun(self, request: int) -> bool:
        """Tell whether a build can be stopped: Buildbot forgets one for ever that is stopped while it starts."""
        builds = self.read(f"/buildrequests/{request}/builds")["builds"]
        return bool(builds) and builds[-1]["state_string"] not in ("created", "starting")

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        headers = {"accept": "application/json", "content-type": "application/json"}
        if body is not None:
            headers["cookie"] = self._cookie()
        answer, text = self._send(method, f"/api/v2{path}", body, headers)
        assert answer.status == 200, text
        return json.loads(text)

    def _cookie(self) -> str:
        signed = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        answer, _ = self._send("GET", "/auth/login", None, {"authorization": f"Basic {signed}"})
        return (answer.headers.get_all("set-cookie") or [])[-1].partition(";")[0]

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> tuple[HTTPResponse, bytes]:
        with closing(HTTPConnection(urlsplit(self.lab.url).netloc, timeout=60)) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer, answer.read()


@contextmanager
def running(folder: Path, push: Push | None = None) -> Iterator[Master]:
    """Run a master with the pipelines ci and release."""
    installed = environment()
    outcomes = {name: folder / f"{name}.outcomes" for name in ("ci", "release")}
    for one in outcomes.values():
        one.mkdir(parents=True)
    step = {name: (sys.executable, "-S", str(STEP), str(where)) for name, where in outcomes.items()}
    pipelines = [
        Pipeline("ci", (*step["ci"], "{suite}"), ("suite",)),
        Pipeline("release", step["release"], ("service", "version"), deploys=True),
    ]
    with BuildbotLab(folder / "buildbot", installed, pipelines, push) as lab:
        yield Master(lab, outcomes)


class BuildbotVendor:
    """A service of its own at the master, through a proxy: so what was tested before is not in its way."""

    name = "buildbot"
    pipeline = "ci"
    parameters: Mapping[str, str] = {"suite": "fast"}
    keyless: str | None = None
    versions: Sequence[str] = ("1.3.0", "1.4.0")
    tokens = (PASSWORD, PASSWORD)
    unseen: frozenset[str] = frozenset()
    egress: Sequence[str] = ()

    def __init__(self, master: Master) -> None:
        self._master = master
        self.service = f"checkout-{next(_services)}"
        self.proxy = Proxy(
            master.lab.url, self._made, lambda status, message: {"error": {"code": -1, "message": message}}
        )
        ci, release = ("POST", "/forceschedulers/force-ci"), ("POST", "/forceschedulers/force-release")
        cancel = ("POST", "/buildrequests/")
        self.ways = {"trigger": ci, "rerun": ci, "cancel": cancel, "deploy": release, "rollback": release}
        self.made = {name: "cancel" if way is cancel else way[1].rpartition("/")[2] for name, way in self.ways.items()}

    def __enter__(self) -> BuildbotVendor:
        self.proxy.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._master.quiet()
        self.proxy.__exit__(*error)

    @property
    def changes(self) -> Sequence[str]:
        return self.proxy.changes

    def section(self, timeout: float) -> dict[str, Any]:
        settings = self._master.lab.settings("token", self.proxy.url)
        return {"buildbot": {**settings, "timeout": max(timeout, SLOW_S)}}

    def next(self, *outcomes: Outcome) -> None:
        self._master.next("ci", *outcomes)

    def fault(self, fault: Fault) -> None:
        self.proxy.fault(fault)

    def _made(self, _: str, path: str) -> str:
        """Name a change. A master takes a moment to stop a build, but the kit lets no time go by."""
        number = path.rpartition("/")[2]
        if "/buildrequests/" not in path:
            return number
        self._master.ended(number)
        return "cancel"
