"""A Sysop whose only provider of `cicd` is a vendor's server, for tests that go through the real gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from stage_processes import FREE, Processes

import bench
from gate.kit import Attack
from sysop import host as plugin_host
from sysop.testing.wire import Fault, Outcome
from sysop_plugins import cicd

CHANGES = ("trigger", "rerun", "cancel", "deploy", "rollback")
LOG = "collecting\n0 errors so far\nE   assert 1 == 2\n1 failed"
ENDLESS = 1_000_000


class Vendor(Protocol):
    """A server, real or standing in, with one pipeline and one service that can be deployed.

    `ways` are the method and a part of the path of the request that makes each change; `made` is what `changes` says of
    it then. `keyless` is a pipeline whose builds cannot be found again, None where all can. `unseen` are
    changes that cannot be found again at all: after a doubt a person is asked. `egress` are hosts to be allowed.
    """

    name: str
    pipeline: str
    parameters: Mapping[str, str]
    keyless: str | None
    service: str
    versions: Sequence[str]
    tokens: tuple[str, str]
    ways: Mapping[str, tuple[str, str]]
    made: Mapping[str, str]
    unseen: frozenset[str]

    @property
    def egress(self) -> Sequence[str]: ...

    @property
    def changes(self) -> Sequence[str]:
        """Return what was changed so far, by the server's own record."""
        ...

    def section(self, timeout: float) -> dict[str, Any]:
        """Return the section `plugins.cicd`; the secret's name is `token`."""
        ...

    def next(self, *outcomes: Outcome) -> None:
        """Say how what is started next will go."""
        ...

    def fault(self, fault: Fault) -> None:
        """Let something go wrong."""
        ...


Opener = Callable[[], AbstractContextManager[Vendor]]


@dataclass
class Stage(Processes):
    """A Sysop whose only provider is a vendor's server. Every `process` is one more view of the same database."""

    folder: Path
    url: str
    vendor: Vendor

    def process(self, probe: Callable[[str], None] = lambda _point: None) -> Attack:
        secret = {scope: f"file:{self.folder / scope}" for scope in ("read", "write")}
        self.opened.append(
            Attack(
                self.folder,
                self.url,
                probe=probe,
                policy=FREE,
                budgets={"change": 100_000, "destructive": 100_000, "failures": 100},
                plugins={"cicd": cicd},
                secrets={"token": secret},
                egress={"allow": list(self.vendor.egress)},
            )
        )
        return self.opened[-1]

    async def do(self, action: str, key: str, **args: Any) -> Any:
        """Perform an action with the gate's own context, past the gate itself, to make things ready."""
        app = self.opened[0].app
        found = app.host.actions[f"cicd.{action}"]
        mine = f"{self.folder.name}:{key}"  # a real server remembers the keys of the tests before
        ctx = app.contexts.for_call(found, "prepared", key, mine, "write", _nothing, _nothing)
        given = found.parameters.model_validate(args)
        result = await found._perform(ctx, **{name: getattr(given, name) for name in type(given).model_fields})
        return found.result.dump_python(result, mode="json")

    async def ended(self, build: str, seconds: float = 30.0) -> dict[str, Any]:
        """Return a build after its end."""
        async with asyncio.timeout(seconds):
            while True:
                found: dict[str, Any] = await self.do("status", "look", build=build)
                if found["state"] not in ("queued", "running"):
                    return found
                await asyncio.sleep(0.02)

    async def deployed(self, *versions: str) -> None:
        """Bring versions live, one after the other."""
        for number, version in enumerate(versions):
            made = await self.do("deploy", f"deploy-{number}", service=self.vendor.service, version=version)
            await self.ended(made["build"]["id"])

    async def built(self, *, good: bool = True, looks: int = 1) -> str:
        """Start a build that will go so, and return its id."""
        self.vendor.next(Outcome(good=good, log=LOG, looks=looks))
        args = {"pipeline": self.vendor.pipeline, "parameters": dict(self.vendor.parameters)}
        made = await self.do("trigger", "trigger", **args)
        return str(made["id"])

    async def ready(self, change: str) -> dict[str, Any]:
        """Make ready what a change needs and return its arguments."""
        vendor = self.vendor
        match change:
            case "trigger":
                return {"pipeline": vendor.pipeline, "parameters": dict(vendor.parameters)}
            case "rerun":
                return {"build": (await self.ended(await self.built(good=False)))["id"]}
            case "cancel":
                build = await self.built(looks=ENDLESS)
                return {"build": (await self.do("status", "look", build=build))["id"]}
            case "deploy":
                return {"service": vendor.service, "version": vendor.versions[0]}
        await self.deployed(*vendor.versions[:2])
        return {"service": vendor.service}


async def _nothing(*asked: Any) -> Any:
    raise AssertionError(f"{asked}: no evidence and no change feed is asked for to make things ready")


class Put:
    """What all kinds of test share: the stage."""

    @pytest.fixture
    async def stage(
        self, tmp_path: Path, url: str, vendors: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Stage]:
        """Set a stage on a fresh database."""
        load = plugin_host.load
        with vendors() as vendor:
            (tmp_path / "read").write_text(vendor.tokens[0])
            (tmp_path / "write").write_text(vendor.tokens[1])
            stage = Stage(tmp_path, url, vendor)

            def with_settings(given: Any, **more: Any) -> Any:
                return load({**given, "cicd": vendor.section(stage.timeout)}, **more)

            monkeypatch.setattr(bench.plugin_host, "load", with_settings)
            stage.process()
            yield stage
            await stage.close()


def copied(folder: Path, template: Path) -> str:
    """Return the address of a database of one's own, made from a migrated one."""
    file = folder / "sysop.db"
    file.write_bytes(template.read_bytes())
    return f"sqlite:///{file}"
