"""Past incidents like one, and what helped then: on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.kit import ANN
from incidents.lived import DAY, Lived, add_past, alert
from sysop.incidents.silencing import Wish, matcher
from sysop.incidents.similar import Similar, _Likeness, similar
from sysop.incidents.words import day
from sysop.model import Incident, IncidentState
from sysop.store import incidents, past
from sysop.store.past import Past
from sysop.store.store import Store

ERRORS, SLOW, DISK, WATCHDOG = (
    ("HighErrorRate", "checkout"),
    ("Slow", "gateway"),
    ("DiskFull", "db"),
    ("Watchdog", "ops"),
)


async def of(store: Store, incident: str, limit: int = 5) -> tuple[Similar, ...]:
    return await store.read(lambda conn: similar(conn, incidents.load(conn, incident), limit))


async def newest(store: Store, *before: Mapping[str, Any], **mine: Any) -> tuple[Similar, ...]:
    """Return what is similar to an incident of today, after some others; they are named past000000 and so on."""
    now = await store.now()
    await add_past(store, *({**one, "at": now - one["at"]} for one in before), {"at": now, **mine})
    return await of(store, f"inc-past{len(before):06}")


def numbers(found: tuple[Similar, ...]) -> list[int]:
    return [int(one.incident[-6:]) for one in found]


async def test_the_likest_comes_first_and_what_has_nothing_in_common_does_not_come(store: Store) -> None:
    found = await newest(
        store,
        {"at": 5 * DAY, "alerts": [DISK]},
        {"at": 4 * DAY, "alerts": [ERRORS, DISK, WATCHDOG]},
        {"at": 3 * DAY, "alerts": [ERRORS, SLOW]},
        {"at": 2 * DAY, "alerts": [SLOW, DISK]},
        alerts=[ERRORS, SLOW],
    )
    assert numbers(found)[0] == 2
    assert 0 not in numbers(found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(0 < one.score <= 1 for one in found)
    assert found[0].reasons == ("same HighErrorRate on checkout and 1 more alert (in 2 of 4 past incidents)",)


async def test_a_rule_that_fires_in_every_incident_says_little(store: Store) -> None:
    crowd = [{"at": (90 - number) * DAY // 4, "alerts": [WATCHDOG, (f"Rule{number}", "x")]} for number in range(60)]
    crowd[40]["alerts"] = [WATCHDOG, ERRORS]
    found = await newest(store, *crowd, alerts=[WATCHDOG, ERRORS])
    assert numbers(found) == [40]
    assert "same HighErrorRate on checkout" in found[0].reasons[0]


async def test_the_same_rule_on_another_service_counts_for_less(store: Store) -> None:
    elsewhere = {"at": DAY, "alerts": [("HighErrorRate", "blog"), ("Slow", "blog")]}
    found = await newest(store, elsewhere, {"at": DAY, "alerts": [ERRORS, SLOW]}, alerts=[ERRORS, SLOW])
    assert numbers(found) == [1, 0]
    assert found[0].score > 2 * found[1].score
    assert found[1].reasons == (
        "same HighErrorRate and 1 more alert, on other services then (in 2 of 2 past incidents)",
    )


async def test_of_two_that_are_as_alike_the_newer_one_comes_first(store: Store) -> None:
    old, new = {"at": 400 * DAY, "alerts": [ERRORS]}, {"at": 2 * DAY, "alerts": [ERRORS]}
    found = await newest(store, old, new, alerts=[ERRORS])
    assert numbers(found) == [1, 0]


async def test_a_storm_that_has_had_everything_is_not_like_everything(store: Store) -> None:
    storm = {"at": 2 * DAY, "alerts": [ERRORS, *((f"Rule{number}", "x") for number in range(40))]}
    found = await newest(store, storm, {"at": 3 * DAY, "alerts": [ERRORS]}, alerts=[ERRORS])
    assert numbers(found)[0] == 1
    assert 0 not in numbers(found)[:1]


async def test_the_same_probable_origin_makes_them_more_alike(store: Store) -> None:
    origin = [{"service": "checkout", "weight": 0.7, "reason": "first", "alert": "x"}]
    found = await newest(
        store,
        {"at": DAY, "alerts": [SLOW], "origins": [{**origin[0], "service": "db"}]},
        {"at": DAY, "alerts": [SLOW], "origins": origin},
        alerts=[SLOW],
        origins=origin,
    )
    assert numbers(found) == [1, 0]
    assert found[0].reasons[1:] == ("same probable origin checkout",)
    assert len(found[1].reasons) == 1


async def test_incidents_opened_by_people_are_alike_by_their_titles(store: Store) -> None:
    found = await newest(
        store,
        {"at": DAY, "title": "Invoices are late", "opened_by": "person:ann"},
        {"at": DAY, "title": "The coffee machine is broken", "opened_by": "person:ann"},
        title="invoices are missing",
        opened_by="person:ann",
    )
    assert numbers(found) == [0]
    assert found[0].reasons == ("a title with are, invoices in it too",)


async def test_what_became_part_of_another_and_what_came_later_is_no_past_incident(store: Store) -> None:
    now = await store.now()
    await add_past(
        store,
        {"at": now - 2 * DAY, "alerts": [ERRORS]},
        {"at": now - DAY, "alerts": [ERRORS], "merged_into": "inc-past000000"},
        {"at": now, "alerts": [ERRORS]},
    )
    assert await of(store, "inc-past000000") == ()
    assert numbers(await of(store, "inc-past000002")) == [0]


@pytest.fixture
async def lived(url: str, tmp_path: Path) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def test_what_helped_is_the_call_whose_check_says_so_and_how_long_it_took_is_told(lived: Lived) -> None:
    old = await lived.live_through()
    now = await lived.app.store.now()
    await lived.place({"next": [alert("HighErrorRate", "checkout", now + 1, labels={"severity": "critical"})]})
    (again,) = [one for one in await lived.all() if one.id != old.id]
    (found,) = await of(lived.app.store, again.id)
    assert (found.incident, found.state) == (old.id, IncidentState.MITIGATED)
    (helped,) = found.helped
    assert (helped.evidence, helped.action, helped.target) == (f"{old.run}:fix", "lab.checked", "thing:web")
    assert helped.verification == "healthy"
    assert found.ended.startswith("lab.checked thing:web helped, mitigated after ")
    assert found.words.startswith(
        f"{day(old.opened_at)}: same HighErrorRate on checkout (in 1 of 1 past incidents); lab."
    )


async def test_an_incident_in_which_nothing_was_changed_says_so(store: Store) -> None:
    (found,) = await newest(store, {"at": DAY, "alerts": [ERRORS]}, alerts=[ERRORS])
    assert found.ended == "it is open, nothing is known to have helped"


async def test_only_so_many_are_compared_and_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [{"at": (20 - number) * DAY, "alerts": [ERRORS]} for number in range(12)]
    assert numbers(await newest(store, *crowd, alerts=[ERRORS])) == [11, 10, 9, 8, 7]
    assert len(await of(store, "inc-past000012", limit=2)) == 2
    older = await store.read(lambda conn: past.before(conn, "inc-past000012", 2**62, limit=3))
    assert [one.id[-2:] for one in older] == ["11", "10", "09"]


RULES = st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.sampled_from(["x", "y", ""])), max_size=4)


@given(mine=RULES, theirs=st.lists(RULES, max_size=6), widths=st.lists(st.integers(1, 9), min_size=6, max_size=6))
def test_a_score_lies_between_0_and_1_and_none_is_above_its_likest(
    mine: list[tuple[str, str]], theirs: list[list[tuple[str, str]]], widths: list[int]
) -> None:
    whole = Incident("inc-0", IncidentState.OPEN, "A on x", "warning", (), 10 * DAY, None, None, None)
    older = [
        Past(f"inc-{number}", IncidentState.RESOLVED, "B on y", number * DAY, None, None) for number in range(1, 7)
    ]
    seen = [(f"inc-{number}", *pair) for number, pairs in enumerate(theirs, 1) for pair in pairs]
    like = _Likeness(whole, tuple(dict.fromkeys(mine)), older, seen)
    scores = {one.id: like.score(one, width) for one, width in zip(older, widths, strict=True)}
    assert all(0 <= score <= 1 for score in scores.values())
    twin = Past("inc-twin", IncidentState.RESOLVED, "A on x", 10 * DAY, None, None)
    beside = _Likeness(
        whole, tuple(dict.fromkeys(mine)), [*older, twin], [*seen, *(("inc-twin", *pair) for pair in mine)]
    )
    likest = beside.score(twin, len(set(mine)))
    assert all(beside.score(one, width) <= likest for one, width in zip(older, widths, strict=True))


async def test_of_too_many_alerts_the_newest_are_looked_at(store: Store) -> None:
    await add_past(store, *({"at": at * DAY, "alerts": [ERRORS, SLOW, ERRORS]} for at in range(1, 5)))
    names = [ERRORS[0], SLOW[0]]
    every = await store.read(lambda conn: past.sightings(conn, names, 0))
    assert len(every) == len(set(every)) == 8
    some = await store.read(lambda conn: past.sightings(conn, names, 0, limit=4))
    assert {id for id, _, _ in some} == {"inc-past000003", "inc-past000002"}


async def test_what_a_silence_covers_was_not_held_back(lived: Lived) -> None:
    now = await lived.app.store.now()
    some = [alert(name, "checkout", now, fingerprint=name) for name in "AB"]
    await lived.place({}, held=some)
    await lived.app.silences.add(ANN, Wish((matcher("alertname=A"),), 3600, "known", 0))
    await lived.place({"g": some[:1]})  # now it would have been shown
    assert await lived.app.store.read(lambda conn: past.held_between(conn, now - 1, now + 1)) == 1
