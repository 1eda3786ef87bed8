"""Sends the outbox: one process at a time, many threads at once, one row of a thread in flight, in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from sysop.errors import LeaseLost, StoreError
from sysop.model import AuditEntry, new_id
from sysop.store import outbox
from sysop.store.outbox import Head, Message
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.outbox.absence import Office
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.delivery import Delivery, channel_of, lane_of, team_of
from sysop.surfaces.slack.outbox.duty import Duty
from sysop.surfaces.slack.outbox.health import Health
from sysop.surfaces.slack.outbox.rates import Lane, Pass
from sysop.surfaces.slack.outbox.sending import Pace, Probe, Renderer
from sysop.surfaces.slack.outbox.streams import old
from sysop.surfaces.slack.outbox.watch import watch

AT_ONCE: Final = 64
ORDINARY: Final = 48
"""So many of these may be taken by rows for which nobody waits."""
IN_CHANNEL: Final = 16
"""So many of them by one channel, which takes one post a second anyway."""
IDLE_S: Final = 5.0
TIDY_S: Final = 3600.0
TIDY_PAUSE_S: Final = 0.2

log = logging.getLogger(__name__)


def _no_probe(_point: str) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A row on its way, and what it takes a place of."""

    task: asyncio.Task[None]
    channel: tuple[str, str]
    urgent: bool


class Sender:
    """Start it in every process that may send; whichever has the duty sends, and another takes over when it dies.

    `worker` names who may take the duty over at once. On SQLite, where only the runner's process sends, let it be
    the same for all of them, so that a restart after a crash need not wait for the lease to run out.
    """

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        calls: Calls,
        worker: str,
        *,
        pace: Pace | None = None,
        probe: Probe = _no_probe,
        office: Office | None = None,
    ) -> None:
        self._store = store
        self._calls = calls
        self._pace = pace or Pace()
        self._duty = Duty(store, worker, self._pace.lease_ms)
        self.health = Health()
        self._delivery = Delivery(
            store, renderer, calls, self._duty, self._pace, self.health, probe, office or Office()
        )
        self._wake = asyncio.Event()
        self._stopping = False
        self._busy: dict[str, Flight] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._aged: set[str] = set()
        self._probes: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to send as soon as the duty is free."""
        self._store.observe([self._seen])
        self._loops = [
            asyncio.create_task(watch(self._store, self._wake.set), name="outbox watch"),
            asyncio.create_task(self._lead(), name="outbox"),
        ]

    async def stop(self) -> None:
        """Begin nothing new, let what is in flight come to its end, and let go of the duty."""
        self._stopping = True
        if self._busy:
            await asyncio.wait(self._in_flight(), timeout=self._pace.drain_s)
        await _end([*self._loops, *self._probes.values()])
        await self._duty.drop()

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def _seen(self, _entry: AuditEntry) -> None:
        self._wake.set()

    # -- the duty ---------------------------------------------------------------------------------------------------

    async def _lead(self) -> None:
        while True:
            try:
                if await self._duty.take():
                    await self._reign()
            except LeaseLost as lost:
                log.warning("sending to Slack is left to another process: %s", lost)
            except StoreError:
                log.exception("the duty to send cannot be asked for; it is tried again")
            except Exception:  # our own fault, whatever it is: Slack must not fall silent over it
                log.exception("sending to Slack broke off, reference %s; it begins again", new_id("err"))
            await asyncio.sleep(self._pace.lease_ms / 10_000)

    async def _reign(self) -> None:
        """Send until the duty is lost; then nothing of ours stays in flight."""
        self.health.sending = True
        loops = [asyncio.create_task(self._duty.beat()), asyncio.create_task(self._work())]
        try:
            ended, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            for one in ended:
                one.result()
        finally:
            self.health.sending = False
            await _end([*loops, *self._in_flight()])

    def _in_flight(self) -> list[asyncio.Task[None]]:
        return [flight.task for flight in self._busy.values()]

    async def _work(self) -> None:
        await self._duty.write(self._left_over)
        tidy_at = time.monotonic()
        while True:
            self._wake.clear()
            began = time.monotonic()
            try:
                if time.monotonic() >= tidy_at:
                    tidy_at = time.monotonic() + TIDY_S
                    await self._tidy()
                pause = await self._round()
            except StoreError:
                log.exception("the outbox cannot be read; it is tried again")
                pause = 1.0
            await asyncio.sleep(self._pace.round_ms / 1000 - (time.monotonic() - began))  # whatever wakes us meanwhile
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # `wait_for` may swallow a cancellation in Python 3.11
                    await self._wake.wait()

    def _left_over(self, tx: Tx) -> None:
        if left := outbox.left_over(tx, self._pace.doubt_ms):
            log.info("%d messages were on their way when a process died; their threads are looked into", left)

    async def _round(self) -> float:
        """Begin whatever can be begun now, and return for how long there is nothing more to begin."""

        stopped = set(self.health.stopped)
        silent = {*stopped, *([""] if self._calls.team("") in stopped else [])}

        def read(conn: Connection) -> tuple[list[Head], int | None, int, list[Message]]:
            heads = outbox.heads(conn, without=silent)
            return heads, outbox.next_due(conn), Tx(conn).now(), outbox.open_streams(conn)

        busy = set(self._busy)  # what is read of these may be old before it has been read
        heads, due, now, streams = await self._store.read(read)
        await self._keep_young(streams, now)
        pauses = [IDLE_S, *(self._token(team) for team in stopped)]
        if due is not None:
            pauses.append(max(0.005, (due - now) / 1000))
        wanted: set[Lane] = set()
        for head in heads:
            if self._stopping:
                break
            if head.item.thread not in busy and self._has_room(head):
                pauses.append(self._begin(head, len(streams), wanted))
        self._calls.rates.want(wanted)
        return min(pauses)

    def _has_room(self, head: Head) -> bool:
        """Tell whether one more row may be in flight; what ends frees its place and wakes us."""
        here = [flight for flight in self._busy.values() if flight.urgent == head.urgent]
        if not head.urgent and len(here) >= ORDINARY:
            return False
        channel = channel_of(head)
        return len(self._busy) < AT_ONCE and sum(flight.channel == channel for flight in here) < IN_CHANNEL

    def _begin(self, head: Head, streams: int, wanted: set[Lane]) -> float:
        """Send a row if its workspace and its method are free; return how long to wait if not.

        What an urgent row waits for is kept for it: rows in flight may be after the same.
        """
        team, lane = self._calls.team(team_of(head)), lane_of(head, self._calls.team)
        if team in self.health.stopped:
            return self._token(team)
        wait = self._calls.rates.take(lane, urgent=head.urgent) if lane is not None else 0.0
        if wait > 0.0:
            if head.urgent and lane is not None:
                wanted.add(lane)
            return wait
        paid = Pass(self._calls.rates, lane, urgent=head.urgent)
        task = asyncio.create_task(self._one(head, paid, streams), name=f"send {head.item.id}")
        self._busy[head.item.thread] = Flight(task, channel_of(head), head.urgent)
        return IDLE_S

    async def _one(self, head: Head, paid: Pass, streams: int) -> None:
        try:
            await self._delivery.send(head, paid, streams)
        except LeaseLost:
            log.info("message %d was left to another process", head.item.id)
        except StoreError:
            log.exception("what became of message %d could not be stored; it is looked for", head.item.id)
            await asyncio.sleep(self._pace.retry_ms / 1000)
        finally:
            paid.close()
            self._busy.pop(head.item.thread, None)
            self._wake.set()

    def _token(self, team: str) -> float:
        """Ask from time to time whether the token of a workspace works again."""
        left = self.health.retry_at.get(team, 0.0) - time.monotonic()
        if left > 0:
            return left
        if team not in self._probes:
            self._probes[team] = asyncio.create_task(self._ask(team), name=f"token of {team}")
        return IDLE_S

    async def _ask(self, team: str) -> None:
        try:
            failed = await self._calls.works(team)
            if failed is None:
                log.info("the token of workspace %s works again", team)
                self.health.go_on(team)
            else:
                self.health.stop(team, self.health.stopped.get(team, failed.code), self._pace.token_ms / 1000)
        finally:
            self._probes.pop(team, None)
            self._wake.set()

    # -- housekeeping -----------------------------------------------------------------------------------------------

    async def _keep_young(self, streams: Sequence[Message], now: int) -> None:
        """Have streams that Slack would soon end brought up to date, once, which ends them in our way."""
        aged = {one.ts: one for one in streams if old(one, now, self._pace) and one.conversation is not None}
        fresh = [one for ts, one in aged.items() if ts not in self._aged]

        def again(tx: Tx) -> None:
            for one in fresh:
                outbox.again(tx, str(one.conversation), one.key)

        if fresh:
            await self._duty.write(again)
        self._aged = set(aged)

    async def _tidy(self) -> None:
        while await self._store.write(outbox.forget):
            await asyncio.sleep(TIDY_PAUSE_S)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
