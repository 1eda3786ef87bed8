"""A real Alertmanager, and a Sysop that knows where it is."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

import bench
from absent import missing
from gate.kit import Attack
from lab import LabPlugin
from sysop import app as composition
from sysop import host as plugin_host
from sysop.runner.advance import Advance
from sysop_plugins import alertmanager as plugin

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def binary() -> str:
    """Return the program's path; without it skip, or fail where everything is required."""
    if found := shutil.which("prometheus-alertmanager"):
        return found
    missing("prometheus-alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)")


@contextmanager
def running(folder: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager until the block ends; the block starts when it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (folder / "am.yml").write_text(CONFIG)
    command = [binary(), "--config.file=am.yml", "--storage.path=data", "--cluster.listen-address="]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"],
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
    there = Alertmanager(f"http://127.0.0.1:{port}", process)
    try:
        there.wait(folder)
        yield there
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        there.http.close()


class Alertmanager:
    """The server, as somebody beside Sysop sees it."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process
        self.http = httpx2.Client(base_url=f"{url}/api/v2", timeout=10, trust_env=False)

    def wait(self, folder: Path) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (folder / "output.log").read_text()
            with suppress(httpx2.TransportError):
                if self.http.get("/status").status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError("Alertmanager is not ready")

    def fire(self, *labels: Mapping[str, str]) -> None:
        """Let alerts fire, and wait until they are to be seen."""
        assert self.http.post("/alerts", json=[{"labels": dict(one)} for one in labels]).status_code == 200
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if len(self.alerts()) >= len(labels):
                return
            time.sleep(0.02)
        raise AssertionError("the alerts do not fire")

    def alerts(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/alerts", params=query).json()
        return found

    def silences(self, state: str = "active") -> list[dict[str, Any]]:
        return [one for one in self.http.get("/silences").json() if one["status"]["state"] == state]


class Mirroring(Attack):
    """A Sysop whose silences hold in an Alertmanager, too."""

    def __init__(
        self,
        folder: Path,
        url: str,
        alertmanager: str | None,
        *,
        rules: Sequence[Mapping[str, Any]] = (),
        probe: Callable[[str], None] = lambda _p: None,
        token: str | None = None,
        **more: Any,
    ) -> None:
        self.folder, self.url = folder, url
        points: Any = [bench.Point("lab", LabPlugin(None)), bench.Point("alertmanager", plugin)]
        there = {"url": alertmanager, "token_secret": token}
        sections = {"lab": {"folder": str(folder)}, "alertmanager": there if alertmanager else {}}
        settings = bench.settings(folder, url, plugins=sections, policy={"rules": list(rules)}, **more)
        self.app = app = composition.build(settings, probe=probe, host=plugin_host.load(sections, points=points))
        self.advance = Advance(app.store, app.gate, app.host, app.contexts.inventory, app.planners, "tester", probe)


ALLOWED = {"name": "silences", "match": {"action": ["alertmanager.*"]}, "then": "allow"}
FORBIDDEN = {"name": "no silences", "match": {"action": ["alertmanager.*"]}, "then": "forbid"}
