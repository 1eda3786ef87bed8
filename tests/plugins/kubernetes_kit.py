"""A Sysop before the stand-in of a cluster: everything goes through the real gate, reads and changes apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stage_processes import FREE, PATIENT_S, Processes

import bench
from gate.kit import Attack
from sysop import host as plugin_host
from sysop.model import Approval
from sysop.store.effects import Effect
from sysop.testing.kubernetes import ApiServer, Cluster, Rights
from sysop_plugins import kubernetes, metrics

SERVICES = {
    "gateway": {"depends_on": ["checkout"]},
    "checkout": {"depends_on": ["payments"]},
    "payments": {},
}


def cluster() -> Cluster:
    """Return a shop: checkout with a history of two images, and a gateway an autoscaler owns."""
    made = Cluster()
    made.add_deployment("shop", "checkout", "shop/checkout:1.3.0", replicas=2)
    made.set_image("shop", "checkout", "shop/checkout:1.4.0")
    made.add_deployment("shop", "gateway", "shop/gateway:3.0.0")
    made.add_deployment("bank", "ledger", "bank/ledger:1")
    for _ in range(6):
        made.every("deployments")
    made.changes.clear()
    return made


@dataclass
class Stage(Processes):
    """The cluster, its server, and processes that view one database."""

    folder: Path
    url: str
    cluster: Cluster
    server: ApiServer

    def process(self, probe: Callable[[str], None] = lambda _point: None, **more: Any) -> Attack:
        secret = {scope: f"file:{self.folder / scope}" for scope in ("read", "write")}
        more = {"policy": FREE, "inventory": SERVICES, **more}
        plugins = {"kubernetes": kubernetes, "metrics": metrics}
        self.opened.append(
            Attack(self.folder, self.url, probe=probe, plugins=plugins, secrets={"kubernetes": secret}, **more)
        )
        return self.opened[-1]

    async def read(self, action: str, **args: Any) -> Any:
        """Perform a read through the gate and return its result."""
        run = await self.gate.submit(f"kubernetes.{action}", args)
        await self.gate.advance(run)
        row = await self.gate.row(run)
        assert row is not None, await self.gate.run(run)
        assert row.state == "done", row.error
        return json.loads(row.result or "")

    async def change(self, action: str, **args: Any) -> Effect:
        """Make a change through the gate and return its ledger row, after its post-check."""
        run = await self.gate.submit(f"kubernetes.{action}", args)
        await self.gate.work()
        row = await self.gate.row(run)
        assert row is not None, await self.gate.run(run)
        return row

    async def asked(self, action: str, **args: Any) -> Approval:
        """Ask for a change that needs an approval, and return what people are shown."""
        self.process(policy={})
        return await self.gate.ask(f"kubernetes.{action}", args)

    async def rest(self) -> None:
        """Look until no rollout is under way."""
        async with asyncio.timeout(10):
            while any("unavailableReplicas" in one["status"] for one in self.cluster.every("deployments")):
                await asyncio.sleep(0)


def section(url: str, **more: Any) -> dict[str, Any]:
    """Return the section `plugins.kubernetes`."""
    return {"url": url, "namespaces": ["shop"], "steady_seconds": 0, "timeout": PATIENT_S, "nodes": True, **more}


@asynccontextmanager
async def staged(
    folder: Path,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    tokens: Mapping[str, Rights] | None = None,
    made: Cluster | None = None,
    **more: Any,
) -> AsyncIterator[Stage]:
    """Set a stage on an empty database. The tokens are `read` and `write`; without others both may do everything."""
    load = plugin_host.load
    made = made or cluster()
    for scope in ("read", "write"):
        (folder / scope).write_text(f"{scope}-token")
    rights = tokens or {"read-token": Rights("sysop"), "write-token": Rights("sysop")}
    with ApiServer(made, rights) as server:
        stage = Stage(folder, url, made, server)

        def with_settings(given: Any, **rest: Any) -> Any:
            return load({**given, "kubernetes": section(server.url, timeout=stage.timeout, **more)}, **rest)

        monkeypatch.setattr(bench.plugin_host, "load", with_settings)
        stage.process()
        yield stage
        await stage.close()
