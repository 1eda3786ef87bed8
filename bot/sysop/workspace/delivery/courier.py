"""Brings envelopes to the app: in order, again if need be, astray if asked for."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sysop.workspace.delivery.envelope import ACK_SECONDS, EVENT, Answer, Envelope, Retry
from sysop.workspace.faults import Fault
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json

RETRY_AFTER = (0.0, 60.0, 300.0)
"""Seconds before each of the three further attempts, for events alone."""


class Transport(Protocol):
    """A way to the app; `late` is its word for an answer that did not come in time."""

    late: str

    async def deliver(self, envelope: Envelope, retry: Retry | None) -> Answer:
        """Bring one envelope and wait for what the app does."""
        ...


class Courier:
    """Delivers over one transport and notes everything in the log."""

    def __init__(self, world: World, transport: Transport) -> None:
        self._world = world
        self._transport = transport
        self._passing: asyncio.Event = asyncio.Event()

    def event(self, payload: Json) -> None:
        """Deliver an event, up to four times."""
        self._world.timers.start(self._insist(Envelope(EVENT, payload)))

    async def _insist(self, envelope: Envelope) -> None:
        answer = await self.send(envelope)
        for number, wait in enumerate(RETRY_AFTER, start=1):
            if answer.acknowledged or answer.no_retry:
                return
            await self._world.clock.sleep(wait)
            answer = await self.send(envelope, Retry(number, answer.reason))

    async def send(self, envelope: Envelope, retry: Retry | None = None) -> Answer:
        """Deliver once, as the next delivery fault wants it."""
        fault = self._world.astray.take(envelope.kind)
        if fault is not None:
            self._world.log.add("fault", delivery=envelope.kind, fault=fault.kind)
            await self._hold(fault)
        began = self._world.clock.steady()
        first = await self._once(envelope, retry)
        if fault is not None and fault.kind == "duplicate":
            await self._once(envelope, retry)
        if fault is not None and fault.kind == "lose_ack":
            await self._world.clock.sleep_steady(began + ACK_SECONDS - self._world.clock.steady())
            return Answer(self._transport.late)
        return first

    async def _hold(self, fault: Fault) -> None:
        if fault.kind == "delay":
            await self._world.clock.sleep_steady(fault.seconds)
        if fault.kind == "reorder":
            # The next one passes first; should none come, this one goes on after a while.
            passed = asyncio.ensure_future(self._passing.wait())
            try:
                await self._world.clock.wait_for(passed, fault.seconds)
            finally:
                passed.cancel()

    async def _once(self, envelope: Envelope, retry: Retry | None) -> Answer:
        number = retry.number if retry else 0
        self._world.log.add("envelope", type=envelope.kind, attempt=number, payload=envelope.payload)
        passing, self._passing = self._passing, asyncio.Event()
        began = self._world.clock.steady()
        answer = await self._transport.deliver(envelope, retry)
        passing.set()
        took = round((self._world.clock.steady() - began) * 1000, 1)
        self._world.log.add(
            "ack",
            type=envelope.kind,
            id=name_of(envelope),
            attempt=number,
            reason=answer.reason,
            status=answer.status,
            answer=answer.body,
            milliseconds=took,
        )
        return answer


def name_of(envelope: Envelope) -> str:
    """Return what an envelope is known by: an event's id, or a trigger."""
    payload = envelope.payload
    return str(payload.get("event_id") or payload.get("trigger_id") or payload.get("type") or "")
