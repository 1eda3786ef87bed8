"""How soon, how long, how many: the figures of incidents, on either database."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from gate.kit import ANN, BOB
from incidents.lived import DAY, SERVICES, Lived, add_past, alert
from sysop.incidents.figures import By, Figures, figures, figures_json, times, week
from sysop.incidents.placements import Explained, Found
from sysop.incidents.words import lasted
from sysop.inventory import Inventory, Service
from sysop.store import alerts as placed
from sysop.store import incidents, past, records
from sysop.store import tables as t
from sysop.store.alerts import key_of
from sysop.store.store import Store

MINUTE = 60_000
MONDAY = 1_795_996_800_000  # 2026-11-30 00:00 UTC
ERRORS, SLOW = ("HighErrorRate", "checkout"), ("Slow", "gateway")
INVENTORY = Inventory({name: Service(name, owner=str(SERVICES[name]["owner"])) for name in SERVICES})


async def of(store: Store, since: int, until: int, by: By | None = None) -> Figures:
    return await store.read(lambda conn: figures(conn, INVENTORY, since, until, by))


def taken(minutes: int) -> dict[str, int]:
    return {
        "acknowledged_at": minutes * MINUTE,
        "mitigated_at": 2 * minutes * MINUTE,
        "resolved_at": 3 * minutes * MINUTE,
    }


async def test_means_medians_and_the_ninth_in_ten_stand_side_by_side(store: Store) -> None:
    await add_past(
        store, *({"at": MONDAY + n, "alerts": [ERRORS], **taken(n)} for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 100))
    )
    whole = (await of(store, MONDAY, MONDAY + DAY)).whole
    assert whole.acknowledged is not None
    assert whole.mitigated is not None
    assert whole.resolved is not None
    assert (whole.acknowledged.mean, whole.acknowledged.median, whole.acknowledged.p90) == (
        14.5 * MINUTE,
        5.5 * MINUTE,
        9 * MINUTE,
    )
    assert (whole.mitigated.median, whole.resolved.median) == (11 * MINUTE, 16.5 * MINUTE)
    assert (whole.incidents, whole.unresolved, whole.unacknowledged) == (10, 0, 0)


async def test_one_that_nobody_looked_after_or_that_goes_on_is_counted_apart(store: Store) -> None:
    await add_past(store, {"at": MONDAY, "alerts": [ERRORS], **taken(4)}, {"at": MONDAY, "alerts": [ERRORS, SLOW]})
    whole = (await of(store, MONDAY, MONDAY + DAY)).whole
    assert (whole.incidents, whole.unresolved, whole.unacknowledged, whole.alerts) == (2, 1, 1, 3)
    assert whole.acknowledged is not None
    assert (whole.acknowledged.count, whole.acknowledged.mean) == (1, 4 * MINUTE)
    assert whole.alerts_each == 1.5


async def test_only_what_was_opened_in_the_time_counts(store: Store) -> None:
    await add_past(store, *({"at": MONDAY + at, "alerts": [ERRORS]} for at in (-1, 0, DAY - 1, DAY)))
    assert (await of(store, MONDAY, MONDAY + DAY)).whole.incidents == 2
    empty = await of(store, MONDAY + 2 * DAY, MONDAY + 3 * DAY, "week")
    assert (empty.whole.incidents, empty.whole.acknowledged, empty.groups) == (0, None, ())
    assert (empty.noise_reduction, empty.whole.alerts_each) == (None, None)


async def test_more_incidents_than_alerts_of_the_time_are_no_reduction_of_noise(store: Store) -> None:
    await add_past(store, {"at": MONDAY - 10, "alerts": [ERRORS]}, {"at": MONDAY - 10, "alerts": [SLOW]})
    await store.write(lambda tx: tx.conn.execute(update(t.incident).values(opened_at=MONDAY)))
    found = await of(store, MONDAY, MONDAY + DAY)
    assert (found.of_alerts, found.taken_in.alerts, found.noise_reduction) == (2, 0, None)
    await add_past(store, {"id": "inc-x", "at": MONDAY + 1, "alerts": [ERRORS]})
    found = await of(store, MONDAY, MONDAY + DAY)
    assert (found.of_alerts, found.taken_in.alerts, found.noise_reduction) == (3, 1, None)


async def test_an_incident_is_in_the_group_of_each_of_its_services_and_their_owners(store: Store) -> None:
    await add_past(
        store,
        {"at": MONDAY, "alerts": [ERRORS, SLOW], "severity": "critical"},
        {"at": MONDAY, "alerts": [ERRORS], "severity": "odd"},
        {"at": MONDAY + 7 * DAY, "alerts": [("Odd", "blog")], "severity": "page"},
        {"at": MONDAY, "title": "by hand", "opened_by": "person:ann"},
    )

    async def counts(by: By) -> list[tuple[str, int]]:
        return [(group.name, group.incidents) for group in (await of(store, MONDAY, MONDAY + 9 * DAY, by)).groups]

    assert await counts("service") == [("checkout", 2), ("blog", 1), ("gateway", 1), ("none named", 1)]
    assert await counts("owner") == [("nobody", 2), ("team shop", 2), ("team edge", 1)]
    assert await counts("severity") == [("page", 1), ("critical", 1), ("warning", 1), ("odd", 1)]
    assert await counts("week") == [("2026-W49", 3), ("2026-W50", 1)]


async def test_of_too_many_the_newest_are_read_and_the_others_counted(store: Store) -> None:
    await add_past(store, *({"at": MONDAY + at, "alerts": [ERRORS]} for at in range(5)))
    found, older = await store.read(lambda conn: past.spans(conn, MONDAY, MONDAY + DAY, limit=2))
    assert ([one.opened_at - MONDAY for one in found], older) == ([3, 4], 3)


@pytest.fixture
async def lived(url: str, tmp_path: Path) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def test_the_first_who_looked_after_it_counts_not_the_one_who_does_now(lived: Lived) -> None:
    now = await lived.app.store.now()
    await lived.place({"g": [alert("A", "checkout", now)]})
    (one,) = await lived.all()
    await lived.app.lifecycle.acknowledge(one.id, ANN)
    await lived.sql("UPDATE incident SET opened_at = opened_at - 5000")
    await lived.app.lifecycle.acknowledge(one.id, BOB)
    await lived.sql("UPDATE incident SET acknowledged_at = acknowledged_at + 60000")
    chain = incidents.chain(one.id)
    entries = await lived.app.store.read(lambda conn: records.entries(conn, chain, 9, kinds=["incident.acknowledged"]))
    assert [entry.actor for entry in entries] == [ANN.id, BOB.id]
    whole = (await of(lived.app.store, now - DAY, now + DAY)).whole
    assert whole.acknowledged is not None
    assert whole.acknowledged.mean == entries[0].at - one.opened_at + 5000


async def test_one_that_was_merged_into_another_began_and_was_looked_after_then(lived: Lived) -> None:
    now = await lived.app.store.now()
    for number, name in enumerate("ABC"):
        await lived.place({f"g{number}": [alert(name, name, now - 1000)]})
    first, second, third = await lived.all()
    await lived.app.lifecycle.acknowledge(first.id, ANN)
    for one, before in ((first, 900_000), (second, 600_000), (third, 300_000)):
        await lived.sql(f"UPDATE incident SET opened_at = {now - before} WHERE id = '{one.id}'")
    await lived.app.regroup.merge(first.id, second.id, ANN)
    await lived.app.regroup.merge(second.id, third.id, BOB)
    (entry,) = await lived.app.store.read(
        lambda conn: records.entries(conn, incidents.chain(first.id), 9, kinds=["incident.acknowledged"])
    )
    whole = (await of(lived.app.store, now - DAY, now + DAY)).whole
    assert (whole.incidents, whole.unacknowledged) == (1, 0)
    assert whole.acknowledged is not None
    assert whole.acknowledged.mean == entry.at - (now - 900_000)
    parts = await lived.app.store.read(lambda conn: records.parts_of(conn, third.id))
    assert parts == [first.id, second.id]


async def test_what_was_held_back_merged_or_withdrawn_spares_people_an_incident(lived: Lived) -> None:
    now = await lived.app.store.now()
    store = lived.app.store
    some = [alert(name, "checkout", now + at) for at, name in enumerate("ABCDEF")]
    await lived.place({"g": some[:3], "h": [some[3]]}, held=some[4:])
    large, small = sorted(await lived.all(), key=lambda one: -len(one.alerts))
    await lived.app.regroup.merge(small.id, large.id, ANN)
    await lived.place({"x": [alert("G", "blog", now)]})
    last = alert("G", "blog", now)
    held = Found({key_of(last): Explained(None, "it is noise after all")}, {})
    await store.write(lambda tx: lived.placements.write(tx, held))
    await lived.app.lifecycle.open_by_hand(ANN, "Odd", "error", [], delivery="1")
    waiting = alert("H", "blog", now)
    await store.write(lambda tx: placed.add(tx, [waiting], {}))
    found = await of(store, now - DAY, now + DAY)
    assert (found.whole.incidents, found.of_alerts, found.whole.alerts) == (2, 1, 4)
    assert (found.taken_in.alerts, found.taken_in.held, found.taken_in.silenced, found.taken_in.waiting) == (8, 3, 0, 1)
    assert found.noise_reduction == 1 - 1 / 8
    told = figures_json(found)
    assert told["alerts"] == {"all": 8, "held": 3, "silenced": 0, "waiting": 1}
    assert (told["whole"]["incidents"], told["whole"]["resolved"], told["older"]) == (2, None, 0)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_nine_in_ten_do_not_exceed_the_ninth_in_ten_and_it_is_one_of_them(durations: list[int]) -> None:
    found = times(durations)
    assert found is not None
    assert found.p90 in durations
    assert sum(one <= found.p90 for one in durations) >= 0.9 * len(durations)
    below = [one for one in durations if one < found.p90]
    assert len(below) < 0.9 * len(durations)
    assert found.median == statistics.median(durations)


def test_no_durations_have_no_times() -> None:
    assert times([]) is None


@pytest.mark.parametrize(
    ("ms", "name"),
    [
        (MONDAY, "2026-W49"),
        (MONDAY - 1, "2026-W48"),
        (1_798_761_600_000 - 1, "2026-W53"),
        (1_799_020_800_000, "2027-W01"),
    ],
)
def test_weeks_begin_on_monday_and_belong_to_the_year_of_their_thursday(ms: int, name: str) -> None:
    assert week(ms) == name


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (40_400, "40 s"),
        (59_700, "1 min"),
        (65_000, "1 min 5 s"),
        (11 * MINUTE + 5000, "11 min"),
        (65 * MINUTE, "1 h 5 min"),
        (DAY + 3_600_000, "1 d 1 h"),
        (3 * DAY, "3 d"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(ms: int, words: str) -> None:
    assert lasted(ms) == words
