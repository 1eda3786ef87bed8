"""Sources that do not say which occurrence has ended: whatever the order, each ends with the first word that fits."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

import bench
from sysop.app import App
from sysop.model import Alert, IncidentState
from sysop.store import alerts, endings, incidents
from sysop.store import tables as t
from sysop.store.writer import host_clock


@pytest.fixture
async def app(tmp_path: Path, url: str) -> AsyncIterator[App]:
    made = bench.build(tmp_path, url, incidents={"triage": False})
    yield made
    await made.close()


def failure(starts_at: int, fingerprint: str = "ci main") -> Alert:
    labels = {"alertname": "WorkflowFailed", "service": "checkout", "severity": "error"}
    return Alert("github", fingerprint, starts_at, None, labels, {})


def success(starts_at: int, ends_at: int | None = None, fingerprint: str = "ci main", source: str = "github") -> Alert:
    return Alert(source, fingerprint, starts_at, ends_at or starts_at, {}, {}, ending=True)


async def ends(app: App, fingerprint: str = "ci main") -> dict[int, int | None]:
    """Return start to end of all that is stored."""
    rows = await app.store.read(lambda conn: alerts.listed(conn, limit=100_000))
    return {one.alert.starts_at: one.alert.ends_at for one in rows if one.alert.fingerprint == fingerprint}


async def test_an_ending_is_no_alert_of_its_own(app: App) -> None:
    taken = await app.lifecycle.take([success(10)])
    assert (taken.new, taken.ended, taken.known) == (0, 0, 0)
    assert await ends(app) == {}


async def test_an_ending_ends_every_occurrence_that_did_not_start_later(app: App) -> None:
    await app.lifecycle.take([failure(1), failure(5), failure(10), failure(11)])
    taken = await app.lifecycle.take([success(10, 15)])
    assert (taken.new, taken.ended) == (0, 3)
    assert await ends(app) == {1: 15, 5: 15, 10: 15, 11: None}
    again = await app.lifecycle.take([success(10, 15)])
    assert (again.new, again.ended) == (0, 0)


async def test_an_occurrence_that_comes_after_the_word_of_its_end_has_ended(app: App) -> None:
    await app.lifecycle.take([success(10, 15), success(20, 25)])
    await app.lifecycle.take([failure(4), failure(12), failure(21)])
    assert await ends(app) == {4: 15, 12: 25, 21: None}


async def test_both_may_come_in_one_delivery(app: App) -> None:
    taken = await app.lifecycle.take([success(10, 15), failure(4), failure(4), failure(11)])
    assert (taken.new, taken.known) == (2, 1)
    assert await ends(app) == {4: 15, 11: None}


async def test_another_alert_and_another_source_are_not_ended(app: App) -> None:
    await app.lifecycle.take([failure(1), failure(1, "ci other")])
    await app.lifecycle.take([success(5, fingerprint="ci other"), success(5, source="gitlab")])
    assert await ends(app) == {1: None}
    assert await ends(app, "ci other") == {1: 5}


async def test_a_firing_that_is_sent_again_does_not_undo_its_end(app: App) -> None:
    await app.lifecycle.take([failure(1)])
    await app.lifecycle.take([success(5), failure(1)])
    await app.lifecycle.take([failure(1)])
    assert await ends(app) == {1: 5}


@pytest.mark.parametrize("seed", range(20))
async def test_the_final_state_is_the_same_in_every_order_and_however_it_is_cut_up(app: App, seed: int) -> None:
    dice = random.Random(seed)
    told: list[Alert] = []
    for start in range(0, 400, 10):
        told.append(failure(start) if dice.random() < 0.5 else success(start, start + dice.randrange(60)))
    for name in ("in order", "shuffled", "repeated"):
        of_its_own = [_renamed(one, name) for one in told]
        if name != "in order":
            dice.shuffle(of_its_own)
        if name == "repeated":
            of_its_own += dice.sample(of_its_own, 20)
        for piece in _cut(of_its_own, dice):
            await app.lifecycle.take(piece)
    first, *others = [await ends(app, name) for name in ("in order", "shuffled", "repeated")]
    assert others == [first, first]
    assert first == expected(told)


@pytest.mark.parametrize("seed", range(20))
async def test_what_a_source_says_of_one_occurrence_counts_for_more_than_an_ending_in_every_order(
    app: App, seed: int
) -> None:
    dice = random.Random(seed)
    told: list[Alert] = []
    for start in range(0, 200, 10):
        told.append(failure(start))
        told += [replace(failure(start), ends_at=start + dice.randrange(60)) for _ in range(dice.choice((0, 0, 1, 2)))]
        if dice.random() < 0.5:
            told.append(success(start, start + dice.randrange(60)))
    names = [f"order {number}" for number in range(4)]
    for name in names:
        of_its_own = [_renamed(one, name) for one in told]
        dice.shuffle(of_its_own)
        for piece in _cut(of_its_own, dice):
            await app.lifecycle.take(piece)
    spoken = {start: max(end for at, end in _said(told) if at == start) for start, _ in _said(told)}
    assert [await ends(app, name) for name in names] == [expected(told) | spoken] * len(names)


def _said(told: Sequence[Alert]) -> list[tuple[int, int]]:
    return [(one.starts_at, one.ends_at) for one in told if not one.ending and one.ends_at is not None]


def expected(told: Sequence[Alert]) -> dict[int, int | None]:
    """Return what the words themselves say, one occurrence at a time."""
    words = [(one.starts_at, one.ends_at or 0) for one in told if one.ending]
    return {
        one.starts_at: min((end for start, end in words if start >= one.starts_at), default=None)
        for one in told
        if not one.ending
    }


def _renamed(one: Alert, fingerprint: str) -> Alert:
    return Alert(one.source, fingerprint, one.starts_at, one.ends_at, one.labels, one.annotations, ending=one.ending)


def _cut(told: Sequence[Alert], dice: random.Random) -> list[Sequence[Alert]]:
    pieces, at = [], 0
    while at < len(told):
        size = dice.choice((1, 1, 2, 5, 20))
        pieces.append(told[at : at + size])
        at += size
    return pieces


async def test_an_incident_is_over_when_its_failure_is(app: App) -> None:
    now = host_clock()
    await bench.take(app, [failure(now - 60_000)])
    (incident,) = await app.store.read(incidents.listed)
    assert incident.state is IncidentState.OPEN
    await bench.take(app, [success(now - 30_000, now)])
    (incident,) = await app.store.read(incidents.listed)
    assert (incident.state, incident.firing) == (IncidentState.MITIGATED, 0)


async def test_old_endings_are_forgotten_when_new_ones_come(app: App) -> None:
    await app.lifecycle.take([success(1)])
    old = t.ending.update().values(received_at=t.ending.c.received_at - endings.KEPT_MS - 1)
    await app.store.write(lambda tx: tx.conn.execute(old))
    await app.lifecycle.take([success(2)])
    assert await app.store.read(lambda conn: conn.scalar(select(func.count()).select_from(t.ending))) == 1
