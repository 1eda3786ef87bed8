"""Changes as rows: one each, whoever tells of it, however often and in whichever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit_changes import change
from sqlalchemy import delete, select, update

from sysop.api import ChangeKind, ChangeState
from sysop.store import changes
from sysop.store import tables as t
from sysop.store.changes import Told
from sysop.store.store import Store
from sysop.store.writer import Tx

LONG_AGO, LATER = 0, 4_000_000_000_000

REPORTS = st.tuples(
    st.sampled_from(list(Told)),
    st.builds(
        change,
        id=st.sampled_from(["b1", "b2"]),
        at=st.integers(1_700_000_000_000, 1_700_000_000_003),
        state=st.sampled_from(list(ChangeState)),
        after=st.sampled_from(["2.3.1", "2.3.2", ""]),
        by=st.sampled_from(["", "ann"]),
        began_at=st.sampled_from([0, 1_699_999_999_000]),
    ),
)


async def rows(store: Store) -> list[tuple[object, ...]]:
    wanted = [column for column in t.change.columns if column.name != "noted_at"]
    query = select(*wanted).order_by(t.change.c.source, t.change.c.id)
    return await store.read(lambda conn: [tuple(row) for row in conn.execute(query)])


async def fill(store: Store, reports: list[tuple[Told, object]]) -> list[tuple[object, ...]]:
    def unit(tx: Tx) -> None:
        tx.conn.execute(delete(t.change))
        for told, one in reports:
            changes.take(tx, [one], told)

    await store.write(unit)
    return await rows(store)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=st.lists(REPORTS, min_size=1, max_size=6), data=st.data())
async def test_the_rows_are_those_of_the_set_of_reports(store: Store, reports, data) -> None:
    again = data.draw(st.permutations([*reports, *data.draw(st.lists(st.sampled_from(reports), max_size=4))]))
    straight = await fill(store, reports)
    assert await fill(store, again) == straight
    assert len(straight) == len({one.id for _, one in reports})


async def test_the_same_change_by_webhook_and_by_asking_is_one_row(store: Store) -> None:
    heard = change(state=ChangeState.STARTED, after="", title="release")
    asked = change(at=1_700_000_060_000, before="2.3.0")
    assert await store.write(lambda tx: changes.take(tx, [heard], Told.DELIVERED)) == 1
    assert await store.write(lambda tx: changes.take(tx, [asked], Told.ASKED)) == 1
    assert await store.write(lambda tx: changes.take(tx, [heard], Told.DELIVERED)) == 0
    (one,) = await store.read(lambda conn: changes.between(conn, LONG_AGO, LATER))
    assert (one.state, one.before, one.after) == (ChangeState.DONE, "2.3.0", "2.3.1")
    assert (one.began_at, one.at) == (1_700_000_000_000, 1_700_000_060_000)
    assert one.words == "checkout 2.3.1 was deployed (before: 2.3.0)"


async def test_what_is_known_need_not_be_written_again(store: Store) -> None:
    told = [change(), change("b2", title="password=hunter22222")]
    assert await store.read(lambda conn: changes.unknown(conn, told, Told.ASKED)) == told
    await store.write(lambda tx: changes.take(tx, told, Told.ASKED))
    before = await store.read(changes.mark)
    assert await store.read(lambda conn: changes.unknown(conn, told, Told.ASKED)) == []
    failed = replace(told[0], state=ChangeState.FAILED, at=told[0].at + 1)
    assert await store.read(lambda conn: changes.unknown(conn, [failed], Told.ASKED)) == [failed]
    await store.write(lambda tx: changes.take(tx, [failed], Told.ASKED))
    assert await store.read(changes.mark) != before


async def test_what_was_written_before_another_and_ended_after_it_is_seen(store: Store) -> None:
    def noted(id: str, at: int) -> Callable[[Tx], None]:
        def unit(tx: Tx) -> None:
            changes.take(tx, [change(id)], Told.DELIVERED)
            tx.conn.execute(update(t.change).where(t.change.c.id == id).values(noted_at=at))

        return unit

    await store.write(noted("second", 1_700_000_000_005))
    before = await store.read(changes.mark)
    await store.write(noted("first", 1_700_000_000_000))
    assert await store.read(changes.mark) != before


async def test_two_ids_with_a_secret_in_each_are_two_changes(store: Store) -> None:
    told = [change(f"https://ci:{secret}@ci.example/7") for secret in ("hunter22", "hunter33")]
    await store.write(lambda tx: changes.take(tx, told, Told.DELIVERED))
    found = await store.read(lambda conn: changes.between(conn, LONG_AGO, LATER))
    assert len(found) == 2
    assert not any("hunter" in one.id for one in found)


async def test_secrets_are_left_out_and_nothing_is_longer_than_people_read(store: Store) -> None:
    wild = change("x" * 5000, title="token=abcdefgh12345 " + "y" * 5000, by="half \ud800", service="s" * 5000)
    await store.write(lambda tx: changes.take(tx, [wild], Told.DELIVERED))
    assert await store.write(lambda tx: changes.take(tx, [wild], Told.DELIVERED)) == 0, "it is the same one"
    (one,) = await store.read(lambda conn: changes.between(conn, LONG_AGO, LATER))
    assert "abcdefgh12345" not in one.title
    assert (len(one.title), len(one.service or ""), len(one.id)) == (300, 200, 64)


async def test_a_time_holds_what_was_done_or_under_way_in_it(store: Store) -> None:
    told = [
        change("early", at=1000),
        change("within", at=2000),
        change("under way", at=9000, began_at=1500),
        change("late", at=9000),
        change("other", at=2000, service="payments"),
        change("flag", at=2000, kind=ChangeKind.FLAG),
    ]
    await store.write(lambda tx: changes.take(tx, told, Told.ASKED))
    found = await store.read(lambda conn: changes.between(conn, 1500, 3000, ["checkout"]))
    assert [one.id for one in found] == ["under way", "flag", "within"]
    assert len(await store.read(lambda conn: changes.between(conn, 0, 10_000, limit=2))) == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": ChangeKind.SCALE, "before": "3", "after": "6"}, "checkout was scaled (3 -> 6)"),
        (
            {"kind": ChangeKind.FLAG, "service": None, "title": "new-cart", "after": "on"},
            "new-cart was switched (? -> on)",
        ),
        ({"state": ChangeState.FAILED}, "checkout 2.3.1 could not be deployed"),
        ({"state": ChangeState.STARTED}, "checkout 2.3.1 is being deployed"),
        ({"kind": ChangeKind.OTHER, "service": None, "after": ""}, "something at ci was changed"),
    ],
)
def test_a_change_is_told_in_words(values: dict[str, object], words: str) -> None:
    assert replace(change(), **values).words == words


def test_when_it_was_is_told_in_words() -> None:
    one = change(at=600_000, began_at=300_000)
    assert one.when(601_000) == "1 second before"
    assert one.when(900_000) == "5 minutes before"
    assert one.when(420_000) == "which began 2 minutes before and was still under way"
