"""Two replicas and several people at once: alerts come, end, are placed, grouped by hand, silenced, let go of."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import bench
from gate.kit import ANN, BOB
from scale import size
from sysop.app import App
from sysop.errors import InvalidRequest
from sysop.incidents.silencing import Wish, matcher
from sysop.model import Alert, Incident, IncidentState
from sysop.store import alerts, incidents, runs, silences
from sysop.store import tables as t
from sysop.store.alerts import Placed

SERVICES = {"web": {"depends_on": ["shop"]}, "shop": {"depends_on": ["cards"]}, "cards": {}, "blog": {}}
AT = 1_700_000_000_000
TURNS = 12


@pytest.fixture
async def apps(url: str, tmp_path: Path) -> AsyncIterator[Sequence[App]]:
    opened = [
        bench.build(tmp_path / name, url, inventory=SERVICES, incidents={"quiet_seconds": 0, "triage_after_seconds": 0})
        for name in ("one", "two")
    ]
    yield opened
    for app in opened:
        await app.close()


class Player:
    """Does what may happen in a running company, one thing after another, whatever others do meanwhile."""

    def __init__(self, apps: Sequence[App], seed: int) -> None:
        self.dice = random.Random(seed)
        self.app = self.dice.choice(apps)
        self.who = self.dice.choice((ANN, BOB))
        self.seed = seed

    async def play(self) -> None:
        for _ in range(TURNS):
            what = self.dice.choice((self.fire, self.fire, self.fire, self.place, self.place, *self.rest()))
            with suppress(InvalidRequest):  # somebody else was faster
                await what()

    def rest(self) -> Sequence[Any]:
        return self.end, self.merge, self.split, self.move, self.free, self.silence, self.speak, self.tick, self.resolve

    async def fire(self) -> None:
        count = self.dice.randint(1, 4)
        await self.app.lifecycle.take([self._alert() for _ in range(count)])

    def _alert(self) -> Alert:
        service, severity = self.dice.choice(list(SERVICES)), self.dice.choice(("warning", "critical"))
        name, at = self.dice.choice("ABCDE"), AT + self.dice.randrange(60) * 1000
        return Alert(
            "test", f"{name}-{service}", at, None, {"alertname": name, "service": service, "severity": severity}, {}
        )

    async def _one(self) -> Placed:
        found = await self.app.store.read(alerts.listed)
        if not found:
            raise InvalidRequest("there is none yet")
        return self.dice.choice(found)

    async def _two(self) -> tuple[Incident, Incident]:
        found = await self.app.store.read(lambda conn: incidents.listed(conn, open_only=True))
        if len(found) < 2:
            raise InvalidRequest("there are none yet")
        one, other = self.dice.sample(found, 2)
        return one, other

    async def end(self) -> None:
        one = (await self._one()).alert
        await self.app.lifecycle.take([replace(one, ends_at=one.starts_at + 5000)])

    async def place(self) -> None:
        while await self.app.placing.place():
            pass
        if self.dice.random() < 0.3:
            await self.app.placing.stop()

    async def merge(self) -> None:
        one, other = await self._two()
        await self.app.regroup.merge(one.id, other.id, self.who)

    async def split(self) -> None:
        one, _ = await self._two()
        await self.app.regroup.split(one.id, [alert.fingerprint for alert in one.alerts[:1]], self.who)

    async def move(self) -> None:
        one, _ = await self._two()
        into = self.dice.choice((None, one.id))
        await self.app.regroup.move((await self._one()).alert.fingerprint, into, self.who)

    async def free(self) -> None:
        await self.app.regroup.free((await self._one()).alert.fingerprint, self.who)

    async def silence(self) -> None:
        wish = Wish((matcher(f"service={self.dice.choice(list(SERVICES))}"),), 3600, "x")
        await self.app.silences.add(self.who, wish)

    async def speak(self) -> None:
        found = await self.app.store.read(silences.listed)
        if found:
            await self.app.silences.end(self.dice.choice(found).id, self.who)

    async def tick(self) -> None:
        await self.app.silences.tick()
        await self.app.lifecycle.tick()

    async def resolve(self) -> None:
        one, _ = await self._two()
        await self.app.lifecycle.resolve(one.id, self.who)


async def settle(apps: Sequence[App]) -> None:
    for one in await apps[0].store.read(silences.listed):
        with suppress(InvalidRequest):
            await apps[0].silences.end(one.id, ANN)
    for app in apps:
        await app.silences.tick()
        async with asyncio.timeout(30):
            await bench.place(app)
        await app.placing.stop()


@pytest.mark.parametrize("seed", range(size(12, 4)))
async def test_whatever_happens_at_once_nothing_is_lost_doubled_or_left_between_two_states(
    apps: Sequence[App], seed: int
) -> None:
    await asyncio.gather(*(Player(apps, seed * 100 + number).play() for number in range(4)))
    await settle(apps)
    store = apps[0].store
    placed = await store.read(lambda conn: alerts.listed(conn, limit=10_000))
    found = {one.id: one for one in await store.read(lambda conn: incidents.listed(conn, limit=10_000))}
    assert placed
    assert (await store.read(alerts.backlog))[0] == 0, "whatever fires has its place"
    for one in placed:
        assert (one.silence is None) or (one.incident is None and one.placed is None and not one.alert.firing), one
        assert one.reason, one
    for incident in found.values():
        check(incident)
        await check_runs(apps[0], incident)
    await check_trail(apps[0], placed)


def check(one: Incident) -> None:
    """Its state is what its alerts say, and one that was merged away has none."""
    if one.merged_into is not None:
        assert (one.state, one.alerts) == (IncidentState.RESOLVED, ()), one
    if one.state is IncidentState.OPEN:
        assert one.firing, one
    if one.state is IncidentState.MITIGATED:
        assert one.alerts, one
        assert not one.firing, one


async def check_runs(app: App, one: Incident) -> None:
    """One run looks into it at most, and none any more once it was merged away."""
    query = select(t.run.c.id).where(t.run.c.incident == one.id, t.run.c.place == f"incident:{one.id}")
    ids = await app.store.read(lambda conn: conn.scalars(query).all())
    assert len(ids) <= 1, (one, ids)
    assert [one.run] * len(ids) == list(ids)
    if one.run is not None and one.merged_into is not None:
        mine = await app.store.read(partial(runs.load, run=one.run))
        assert mine.over, one
    if one.state is IncidentState.OPEN and one.firing:
        assert one.run is not None, one


async def check_trail(app: App, placed: Sequence[Placed]) -> None:
    """What the audit log says of joining and leaving comes to where the alerts are."""
    query = select(t.audit).where(t.audit.c.kind.in_(("incident.joined", "incident.left", "incident.merged")))
    entries = await app.store.read(lambda conn: conn.execute(query.order_by(t.audit.c.id)).all())
    there = Counter[str]()
    for entry in entries:
        body = json.loads(entry.body)
        incident = entry.chain.removeprefix("incident:")
        if entry.kind == "incident.joined":
            there[incident] += 1
        elif entry.kind == "incident.left":
            there[incident] -= 1
        elif body.get("into"):
            there[incident] -= body["alerts"]
    now = Counter(one.incident for one in placed if one.incident is not None)
    assert {id: count for id, count in there.items() if count} == dict(now)
