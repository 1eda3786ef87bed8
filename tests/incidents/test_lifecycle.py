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
from sysop.incidents.correlation import Correlator, Knobs, Placement, Topology
from sysop.model import Alert, IncidentState
from sysop.store import alerts as stored
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
    service: str | None, at: int = 0, ends: int | None = None, name: str = "High", severity: str = "critical"
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
    storm = [alert("checkout", severity="warning"), alert("gateway", 3, severity="warning"), alert("payments", 5)]
    await bench.take(app, [*storm, alert("blog", 7200, severity="warning")])
    (shop,) = await app.store.read(incidents.listed)
    assert (shop.title, shop.severity) == ("High on payments", "critical")
    assert {one.service for one in shop.alerts} == {"checkout", "gateway", "payments"}
    assert any("gateway calls checkout" in reason for reason in shop.reasons), shop.reasons
    (held,) = await app.store.read(lambda conn: stored.listed(conn, held_only=True))
    assert held.alert.service == "blog"
    assert held.reason
    assert held.why
    await app.close()


async def test_a_critical_alert_that_stands_alone_is_an_incident_and_a_warning_is_held_back(
    tmp_path: Path, url: str
) -> None:
    app = build(tmp_path, url)
    await bench.take(app, [alert("checkout"), alert("blog", 3600, severity="warning")])
    assert [i.title for i in await app.store.read(incidents.listed)] == ["High on checkout"]
    await app.placing.stop()
    await app.close()
    eager = build(tmp_path / "eager", url, correlation={"alone_from": "warning"})
    await bench.take(eager, [alert("payments", 9000, severity="warning")])
    assert len(await eager.store.read(incidents.listed)) == 2
    await eager.close()


async def test_what_was_taken_in_and_not_placed_is_placed_by_whoever_comes_next(tmp_path: Path, url: str) -> None:
    before = build(tmp_path, url)
    await bench.take(before, [alert("checkout")])
    await before.lifecycle.take([alert("gateway", 3, severity="warning")])
    await before.placing.stop()
    await before.close()
    after = build(tmp_path, url)
    await bench.place(after)
    (one,) = await after.store.read(incidents.listed)
    assert len(one.alerts) == 2
    await after.close()


async def test_what_a_killed_process_left_is_placed_as_soon_as_the_next_one_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sysop.db'}"
    bench.upgrade(url)
    killed = build(tmp_path, url)
    await bench.take(killed, [alert("checkout")])
    await killed.lifecycle.take([alert("gateway", 3)])
    await killed.close()
    after = build(tmp_path, url)
    placing = asyncio.create_task(after.placing.tick())
    async with asyncio.timeout(10):  # well before the lease of the killed one is over
        while (await after.store.read(stored.backlog))[0]:
            await asyncio.sleep(0.01)
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)
    assert [len(one.alerts) for one in await after.store.read(incidents.listed)] == [2]
    await after.close()


async def test_one_replica_places_at_a_time_and_another_takes_over_knowing_all(tmp_path: Path, url: str) -> None:
    first, second = build(tmp_path, url), build(tmp_path, url)
    await bench.take(first, [alert("checkout")])
    await second.lifecycle.take([alert("gateway", 3)])
    assert await second.placing.place() == 0, "the first has the duty"
    await first.placing.stop()
    await bench.place(second)
    await second.placing.stop()
    await bench.take(first, [alert("payments", 5)])
    (one,) = await first.store.read(incidents.listed)
    assert len(one.alerts) == 3
    for app in (first, second):
        await app.close()


async def test_what_the_last_holder_of_the_duty_placed_is_not_placed_again(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = build(tmp_path, url), build(tmp_path, url)
    await first.lifecycle.take([alert("checkout"), alert("gateway", 3)])
    on_duty = second.placing._on_duty

    async def after_the_first() -> bool:
        await bench.place(first)
        await first.placing.stop()
        return await on_duty()

    monkeypatch.setattr(second.placing, "_on_duty", after_the_first)
    assert await second.placing.place() == 0
    (one,) = await second.store.read(incidents.listed)
    assert any("gateway calls checkout" in reason for reason in one.reasons), one.reasons
    for app in (first, second):
        await app.close()


async def test_an_incident_is_mitigated_then_resolved_and_a_new_alert_reopens_it(tmp_path: Path, url: str) -> None:
    app = build(tmp_path, url)
    await bench.take(app, [alert("checkout")])
    await bench.take(app, [alert("checkout", ends=9)])
    (one,) = await app.store.read(incidents.listed)
    assert one.state is IncidentState.MITIGATED
    await bench.take(app, [alert("checkout", 12)])
    (one,) = await app.store.read(incidents.listed)
    assert one.state is IncidentState.OPEN
    await bench.take(app, [alert("checkout", 12, ends=20)])
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
    await asyncio.gather(*(bench.take(app, [a]) for app in apps for a in wanted for _ in range(4)))
    for app in apps:  # whoever has the duty
        await bench.place(app)
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
    storm = [replace(alert("checkout", at=0), fingerprint=f"f{number}") for number in range(420)]
    pieces: list[int] = []
    take_some = lifecycle._take_some

    def counting(tx: Tx, alerts: Sequence[Alert]) -> list[str]:
        pieces.append(len(alerts))
        return take_some(tx, alerts)

    monkeypatch.setattr(lifecycle, "_take_some", counting)
    monkeypatch.setattr(lifecycle, "TURN_S", 1000.0)
    await bench.take(app, storm)
    assert pieces == [200, 200, 20]
    pieces.clear()
    monkeypatch.setattr(lifecycle, "TURN_S", 0.0)
    await bench.take(app, [replace(one, ends_at=T0 + 5000) for one in storm[:230]])
    assert pieces == [200, *[1] * 30]
    (one,) = await app.store.read(incidents.listed)
    assert (len(one.alerts), one.firing) == (420, 190)
    await app.close()


async def test_however_many_incidents_end_at_once_the_writer_is_free_in_between(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = build(tmp_path, url, triage=False)
    many = [alert(f"s{number}", number * 7200) for number in range(14)]
    await bench.take(app, many)
    await app.lifecycle.take([replace(one, ends_at=one.starts_at + 1000) for one in many])
    sizes: dict[str, list[int]] = {}

    def count(name: str) -> None:
        unit = getattr(lifecycle, name)

        def counting(tx: Tx, incidents: Sequence[str], **more: int) -> None:
            sizes.setdefault(name, []).append(len(incidents))
            unit(tx, incidents, **more)

        monkeypatch.setattr(lifecycle, name, counting)

    count("_refresh_some")
    count("_resolve_quiet")
    monkeypatch.setattr(lifecycle, "TURN_S", 0.0)
    await app.lifecycle.tick()
    assert sizes == {"_refresh_some": [10, 1, 1, 1, 1], "_resolve_quiet": [10, 1, 1, 1, 1]}
    assert await app.store.read(incidents.unresolved) == []
    await app.close()


async def test_however_many_are_open_each_one_is_found_and_resolved(tmp_path: Path, url: str) -> None:
    app = build(tmp_path, url)
    names = {f"s{n}": n * 1200 for n in range(70)}
    await bench.take(app, [alert(name, at) for name, at in names.items()])
    await bench.take(app, [alert("s0", 1, name="Second")])
    assert len(await app.store.read(incidents.unresolved)) == 70
    await bench.take(app, [alert(name, at, ends=99_999) for name, at in names.items()])
    await bench.take(app, [alert("s0", 1, 99_999, name="Second")])
    await app.lifecycle.tick()
    assert await app.store.read(incidents.unresolved) == []
    await app.close()


EVENTS = [
    alert("checkout", severity="warning"),
    alert("checkout", ends=30, severity="warning"),
    alert("gateway", 2),
    alert("gateway", 2, 33),
    alert("payments", 5, severity="warning"),
    alert("blog", 7200),
    alert("blog", 7200, 7300),
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
            await bench.take(app, batch)
        state = await found(app)
        await app.close()
        return state

    assert asyncio.run(final()) == [
        ("mitigated", "critical", ("blog",), 1),
        ("open", "critical", ("checkout", "gateway", "payments"), 3),
    ]


async def test_a_fault_in_correlation_keeps_no_alert_from_people(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = build(tmp_path, url)

    def broken(self: Correlator, close: bool = False) -> list[Placement]:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Correlator, "flush", broken)
    await bench.take(app, [alert("checkout"), alert("checkout", 1, name="Slow"), alert("blog", 2, severity="warning")])
    assert await found(app) == [("open", "critical", ("checkout",), 2), ("open", "warning", ("blog",), 1)]
    assert "correlation failed" in caplog.text
    await bench.take(app, [alert("checkout", 5, name="Odd"), alert("blog", 6, name="Odd"), alert(None, 7)])
    assert await found(app) == [
        ("open", "critical", (), 1),
        ("open", "critical", ("blog",), 2),
        ("open", "critical", ("checkout",), 3),
    ], "one for each service, however often it fails"
    await app.close()


async def test_alerts_older_than_anything_remembered_are_placed_all_the_same(tmp_path: Path, url: str) -> None:
    """They come in one round with more newer ones than correlation keeps."""
    app = build(tmp_path, url)
    app.placing.rebuild(lambda said, learnt: Correlator(Topology(), Knobs(held=1000), said, learnt))
    many = [alert(f"s{n % 40}", 3600 + n, name=f"Rule{n % 9}", severity="warning") for n in range(2600)]
    await app.lifecycle.take([replace(one, fingerprint=f"f{n}") for n, one in enumerate(many)])
    await bench.place(app)
    await bench.take(app, [alert("checkout", n) for n in range(30)])
    waiting, _ = await app.store.read(stored.backlog)
    assert waiting == 0
    assert any("High on checkout" in one.title for one in await app.store.read(incidents.listed))
    await app.close()


async def test_what_was_held_back_and_follows_what_fits_it_by_now_says_why_anew(tmp_path: Path, url: str) -> None:
    """With another topology it would have been put there; nothing tells of it until the next alert comes."""
    app = build(tmp_path, url)
    apart = Topology.from_json({"services": {"gateway": {}, "checkout": {}}})
    linked = Topology.from_json({"services": {"gateway": {}, "checkout": {}}, "edges": [["gateway", "checkout"]]})
    app.placing.rebuild(lambda *taught: Correlator(apart, Knobs(), *taught))
    lone = alert("gateway", severity="warning")
    await bench.take(app, [lone, alert("checkout", 90, severity="warning")])
    assert await app.store.read(incidents.listed) == []
    app.placing.rebuild(lambda *taught: Correlator(linked, Knobs(), *taught))
    await bench.take(app, [alert("checkout", 94, name="Slow")])
    found = await app.store.read(lambda conn: stored.find(conn, [stored.key_of(lone)]))
    one = found[stored.key_of(lone)]
    assert one.incident is not None
    assert "gateway calls checkout" in one.reason, one.reason
    await app.close()
