"""One replica of a service: a process that is started again when it ends by itself."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field

from sysop.demo.company import wire
from sysop.demo.company.child import Child, ChildFailed
from sysop.demo.company.illness import KILLED
from sysop.demo.company.releases import Fault, Release

HEALTH_SECONDS = 5.0
READY_SECONDS = 0.25
BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 0.25, 4.0

Lost = Callable[[Child], None]
Spawn = Callable[[str, Release, Lost], Awaitable[Child]]
"""Starts the process of a replica, by name and release."""


def command(**told: object) -> str:
    """Return a command that a service understands."""
    return json.dumps(told)


def ill(culprit: str, fault: Fault | None) -> str:
    """Return the command that tells a service what is wrong with it, or that nothing is."""
    return command(culprit=culprit, fault=asdict(fault) if fault else None)


@dataclass(frozen=True)
class Template:
    """What a replica is made from: a release, and how often the service was restarted by somebody."""

    release: Release
    generation: int = 0


@dataclass(eq=False)
class Replica:
    """A replica, whether or not its process runs just now. `started_at` is in seconds since the epoch."""

    name: str
    template: Template
    child: Child | None = None
    address: str | None = None
    ready: bool = False
    leaving: bool = False
    restarts: int = 0
    reason: str = ""
    started_at: float = field(default_factory=time.time)

    @property
    def vitals(self) -> Mapping[str, float]:
        """Return what its process said of itself last; empty while it has said nothing."""
        return self.child.heard.get("vitals", {}) if self.child else {}

    def tell(self, text: str) -> None:
        """Send a command to its process, if there is one."""
        if self.child is not None:
            self.child.tell(text)


class Keeper:
    """Brings replicas up and starts them again. `moved` is called whenever one becomes ready or is lost."""

    def __init__(self, service: str, spawn: Spawn, moved: Callable[[], None]) -> None:
        self._service = service
        self._spawn = spawn
        self._moved = moved
        self._tasks: set[asyncio.Task[None]] = set()
        self.illness: dict[str, Fault] = {}
        """What is wrong with every replica, by whose fault it is; told to each one that starts."""

    def launch(self, template: Template, name: str | None = None) -> Replica:
        """Return a new replica that is being brought up."""
        replica = Replica(name or f"{self._service}-{secrets.token_hex(3)}", template)
        self._begin(self._bring_up(replica))
        return replica

    async def retire(self, replica: Replica) -> None:
        """Let a replica finish what it has accepted, and end it."""
        replica.leaving, replica.ready, replica.address = True, False, None
        if replica.child is not None:
            await replica.child.stop("drain")

    async def close(self) -> None:
        """Stop bringing anything up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring_up(self, replica: Replica) -> None:
        def lost(_: Child) -> None:
            self._lost(replica)

        replica.started_at = time.time()
        child = replica.child = await self._spawn(replica.name, replica.template.release, lost)
        if replica.leaving:
            await child.stop()
            return
        try:
            private = await child.expect("listening")
            for culprit, fault in self.illness.items():
                child.tell(ill(culprit, fault))
            replica.address = private
            self._moved()
            await self._until_healthy(replica, private)
            child.tell("serve")
            await child.expect("serving")
        except ChildFailed as failed:
            replica.reason = replica.reason or str(failed)
            return
        replica.ready, replica.reason = not replica.leaving, ""
        self._moved()

    async def _until_healthy(self, replica: Replica, private: str) -> None:
        while not await _healthy(private):
            if replica.leaving or replica.child is None or replica.child.process.returncode is not None:
                raise ChildFailed(f"{replica.name} was never healthy")
            replica.reason = "Unhealthy"
            await asyncio.sleep(READY_SECONDS)

    def _lost(self, replica: Replica) -> None:
        code = replica.child.process.returncode if replica.child else None
        replica.child, replica.ready, replica.address = None, False, None
        replica.restarts += 1
        replica.reason = "OOMKilled" if code == KILLED else "CrashLoopBackOff" if replica.restarts > 1 else "Error"
        self._begin(self._again(replica))
        self._moved()

    async def _again(self, replica: Replica) -> None:
        await asyncio.sleep(min(BACK_OFF_SECONDS * 2 ** (replica.restarts - 1), LONGEST_BACK_OFF_SECONDS))
        if not replica.leaving:
            await self._bring_up(replica)


async def _healthy(private: str) -> bool:
    try:
        return (await wire.fetch(f"{private}/healthz", timeout=HEALTH_SECONDS)).ok
    except OSError:
        return False
