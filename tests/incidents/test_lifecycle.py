"""Alerts to incidents: the final state does not depend on how the deliveries came."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench
from sysop.app import App
from sysop.incidents import lifecycle
from sysop.model import Alert, IncidentState
from sysop.store import audit, incidents, runs
from sysop.store.writer import Tx

SERVICES = {
    "gateway": {"depends_on": ["checkout"]},
    "checkout": {"depends_on": ["payments"]},
    "payments": {},
    "blog": {},
}
T0 = 1_700_000_000_000


def alert(
    service: str | None, at: int = 0, ends: int | None = None, name: str = "High", severity: str = "warning"
) -> Alert:
    labels = {"alertname": name, "severity": severity, **({"service": service} if service else {})}
    ends_at = None if ends is None else T0 + ends * 1000
    return Alert("test", f"{name}-{service}", T0 + at * 1000, ends_at, labels, {})


def build(tmp_path: Path, url: str, **more: object) -> App:
    changes = {"inventory": SERVICES, "incidents": {"quiet_seconds": 0, "triage_after_seconds": 0, **more}}
    return bench.build(tmp_path, url, **changes)


async def found(app: App) -> list[tuple[object, ...]]:
    rows = await app.store.read(incidents.listed)
    return sorted((str(i.state), i.severity, tuple(sorted(i.services)), len(i.alerts)) for i in rows)


async def test_alerts_on_one_call_path_are_one_incident_and_each_says_why(tmp_path: Path, url: str) -> None:
    app = build(tmp_path, url)
    await app.lifecycle.take([alert("checkout"), alert("gateway", 3), alert("payments", 5, severity="critical")])
    await app.lifecycle.take([alert("blog", 4)])
    rows = {i.title: i for i in await app.store.read(incidents.listed)}
    shop = rows["High on checkout"]
    assert len(rows) == 2
    assert shop.severity == "critical"
    assert "gateway calls checkout, 3 s from High on checkout" in shop.reasons
    assert any("checkout calls payments" in reason for reason in shop.reasons)
    await app.close()


async def test_alerts_too_far_apart_are_two_incidents(tmp_path: Path, url: str) -> None:
    app = build(tmp_path, url, join_within_seconds=60)
    await app.lifecycle.take([alert("checkout"), alert("checkout", 61, name="Other")])
    assert len(await app.store.read(incidents.listed)) == 2
    await app.close()


async def test_an_incident_is_mitigated_then_resolved_and_a_new_alert_reopens_it(tmp_path: Path, url: str) -> None:
    app = build(tmp_path, url)
    await app.lifecycle.take([alert("checkout")])
    await app.lifecycle.take([alert("checkout", ends=9)])
    (one,) = await app.store.read(incidents.listed)
    assert one.state is IncidentState.MITIGATED
    await app.lifecycle.take([alert("checkout", 12)])
    (one,) = await app.store.read(incidents.listed)
    assert one.state is IncidentState.OPEN
    await app.lifecycle.take([alert("checkout", 12, ends=20)])
    await app.lifecycle.tick()
    (one,) = await app.store.read(incidents.listed)
    assert one.state is IncidentState.RESOLVED
    kinds = [e.kind for e in await app.store.read(lambda c: audit.entries(c, chain=incidents.chain(one.id)))]
    assert kinds == [
        "incident.opened",
        "incident.joined",
        "incident.mitigated",
        "incident.joined",
        "incident.reopened",
        "incident.mitigated",
        "incident.resolved",
    ]
    await app.close()


async def test_an_incident_has_one_run_however_many_deliveries_race(tmp_path: Path, url: str) -> None:
    apps = [build(tmp_path, url) for _ in range(3)]
    wanted = [alert(s, n) for n, s in enumerate(["checkout", "gateway", "payments"])]
    await asyncio.gather(*(app.lifecycle.take([a]) for app in apps for a in wanted for _ in range(4)))
    rows = await apps[0].store.read(incidents.listed)
    all_runs = await apps[0].store.read(runs.newest)
    assert sum(len(i.alerts) for i in rows) == 3
    assert len(all_runs) == len(rows) == len({i.run for i in rows})
    for app in apps:
        await app.close()


async def test_a_storm_is_taken_in_pieces_that_are_smaller_the_longer_they_take(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Votes and the pause switch wait for one piece at most, however many alerts one incident has."""
    app = build(tmp_path, url)
    storm = [replace(alert("checkout", at=0), fingerprint=f"f{number}") for number in range(120)]
    pieces: list[int] = []
    take_some = lifecycle.Lifecycle._take_some

    def counting(self: lifecycle.Lifecycle, tx: Tx, alerts: Sequence[Alert]) -> list[str]:
        pieces.append(len(alerts))
        return take_some(self, tx, alerts)

    monkeypatch.setattr(lifecycle.Lifecycle, "_take_some", counting)
    monkeypatch.setattr(lifecycle, "TURN_S", 1000.0)
    await app.lifecycle.take(storm)
    assert pieces == [50, 50, 20]
    pieces.clear()
    monkeypatch.setattr(lifecycle, "TURN_S", 0.0)
    await app.lifecycle.take([replace(one, ends_at=T0 + 5000) for one in storm])
    assert pieces == [50, *[1] * 70]
    assert await found(app) == [("mitigated", "warning", ("checkout",), 120)]
    await app.close()


async def test_however_many_are_open_each_one_is_found_and_resolved(tmp_path: Path, url: str) -> None:
    app = build(tmp_path, url)
    names = [f"s{n}" for n in range(70)]
    await app.lifecycle.take([alert(name, n) for n, name in enumerate(names)])
    await app.lifecycle.take([alert("s0", 1, name="Second")])
    assert len(await app.store.read(incidents.unresolved)) == 70
    await app.lifecycle.take([alert(name, n, ends=99) for n, name in enumerate(names)])
    await app.lifecycle.take([alert("s0", 1, 99, name="Second")])
    await app.lifecycle.tick()
    assert await app.store.read(incidents.unresolved) == []
    await app.close()


EVENTS = [
    alert("checkout"),
    alert("checkout", ends=30),
    alert("gateway", 2, severity="critical"),
    alert("gateway", 2, 33, severity="critical"),
    alert("payments", 5),
    alert("blog", 6),
    alert("blog", 6, 8),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(EVENTS), repeats=st.lists(st.integers(0, len(EVENTS) - 1), max_size=6), seed=st.integers())
def test_any_order_repetition_and_batching_gives_the_same_final_state(
    shared: Path, order: Sequence[Alert], repeats: list[int], seed: int
) -> None:
    dice = random.Random(seed)
    deliveries = [*order, *(EVENTS[n] for n in repeats)]

    async def final() -> list[tuple[object, ...]]:
        folder = shared / f"{dice.random()}"
        url = f"sqlite:///{folder / 'sysop.db'}"
        bench.upgrade(url)
        app = build(folder, url, quiet_seconds=3600)
        left = list(deliveries)
        while left:
            size = dice.randint(1, 3)
            batch, left = left[:size], left[size:]
            await app.lifecycle.take(batch)
        state = await found(app)
        await app.close()
        return state

    assert asyncio.run(final()) == [
        ("mitigated", "warning", ("blog",), 1),
        ("open", "critical", ("checkout", "gateway", "payments"), 3),
    ]
