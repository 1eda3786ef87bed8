"""Memory fed into an index: only what changed, nothing missed, whatever else is written at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from gate.kit import ANN
from incidents.lived import DAY, Lived, add_past, alert
from sysop.knowledge.document import Document
from sysop.knowledge.memory import learned
from sysop.knowledge.memory.learned import Learned, since
from sysop.knowledge.memory.notebook import Notebook
from sysop.knowledge.memory.recall import recall
from sysop.store import incidents, notes
from sysop.store import tables as t
from sysop.store.engine import migration_engine, parse_url
from sysop.store.store import Store
from sysop.store.writer import Tx

OVER = {"mitigated_at": 60_000, "resolved_at": 120_000, "alerts": [("Slow", "web")]}


class Kept:
    """An index that keeps what it is fed, by the rules of `Learned`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.position = ""
        self.documents: dict[str, Document] = {}

    async def feed(self) -> Learned:
        found = await since(self.store, self.position)
        if found.whole:
            self.documents.clear()
        for id in found.removed:
            self.documents.pop(id, None)
        self.documents.update({one.id: one for one in found.added})
        self.position = found.position
        return found

    async def right(self) -> bool:
        """Tell whether it holds what is remembered, no more and no less."""
        known = await self.store.read(lambda conn: recall(conn, learned.MOST))
        return self.documents == {one.document.id: one.document for one in known}


def ids(found: Learned) -> tuple[list[str], list[str]]:
    return [one.id for one in found.added], list(found.removed)


@pytest.fixture
async def past(store: Store) -> Store:
    """Return a database with three incidents that are over."""
    now = await store.now()
    await add_past(store, *({"at": now - days * DAY, **OVER} for days in (3, 2, 1)))
    await audited(store, "inc-past000000")
    return store


async def audited(store: Store, *some: str) -> None:
    def unit(tx: Tx) -> None:
        for one in some:
            tx.audit(incidents.chain(one), "incident.noted", "person:ann", text="x")

    await store.write(unit)


async def test_first_comes_all_there_is_and_then_nothing(past: Store) -> None:
    kept = Kept(past)
    first = await kept.feed()
    assert (first.whole, ids(first)) == (True, ([f"incident/inc-past00000{n}" for n in (2, 1, 0)], []))
    second = await kept.feed()
    assert (second.whole, ids(second)) == (False, ([], []))
    assert await kept.right()


async def test_what_people_write_comes_and_what_they_want_forgotten_goes(past: Store) -> None:
    book, kept = Notebook(past), Kept(past)
    await kept.feed()
    await book.correct("inc-past000001", ANN, "it was the disk")
    assert ids(await kept.feed()) == (["incident/inc-past000001"], [])
    await book.forget("inc-past000002", ANN)
    assert ids(await kept.feed()) == ([], ["incident/inc-past000002"])
    assert await kept.right()
    await book.remember("inc-past000002", ANN)
    assert ids(await kept.feed()) == (["incident/inc-past000002"], [])
    assert await kept.right()


async def test_an_incident_comes_when_it_is_mitigated_changes_with_its_runs_and_goes_when_it_is_open_again(
    tmp_path: Path, url: str
) -> None:
    lived = Lived(tmp_path, url)
    kept = Kept(lived.app.store)
    await kept.feed()
    incident = await lived.live_through()
    id = f"incident/{incident.id}"
    assert ids(await kept.feed()) == ([id], [])
    assert "The new version was taken back." in kept.documents[id].sections[0].text
    again = alert("HighErrorRate", "checkout", await lived.app.store.now(), fingerprint="later")
    await lived.app.store.write(
        lambda tx: tx.conn.execute(update(t.run).values(conclusion={"summary": "else"})) and None
    )
    await lived.app.store.write(lambda tx: tx.audit(str(incident.run), "run.finished", "service:runner") and None)
    assert ids(await kept.feed()) == ([id], [])
    assert "else" in kept.documents[id].sections[0].text
    await lived.place({"g": [again, *incident.alerts]})
    reopened = update(t.incident).where(t.incident.c.id == incident.id).values(state="open", mitigated_at=None)
    await lived.app.store.write(lambda tx: tx.conn.execute(reopened) and None)
    await audited(lived.app.store, incident.id)
    assert id in (await kept.feed()).removed
    assert await kept.right()
    await lived.close()


async def test_what_became_part_of_another_goes_and_what_is_said_of_it_comes_with_that_one(past: Store) -> None:
    kept = Kept(past)
    await kept.feed()
    merged = update(t.incident).where(t.incident.c.id == "inc-past000000").values(merged_into="inc-past000002")
    await past.write(lambda tx: tx.conn.execute(merged) and None)
    await audited(past, "inc-past000000")
    assert ids(await kept.feed()) == (["incident/inc-past000002"], ["incident/inc-past000000"])
    await Notebook(past).report("inc-past000000", ANN, "all of it")
    assert ids(await kept.feed()) == (["incident/inc-past000002"], [])
    assert await kept.right()


async def test_those_that_are_too_many_go_when_newer_ones_come(past: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "MOST", 3)
    kept = Kept(past)
    await kept.feed()
    await add_past(past, {"at": await past.now(), "id": "inc-new", **OVER})
    await audited(past, "inc-new")
    assert "incident/inc-past000000" in (await kept.feed()).removed
    assert await kept.right()
    await Notebook(past).correct("inc-past000000", ANN, "too old to be remembered")
    assert "incident/inc-past000000" in (await kept.feed()).removed
    assert await kept.right()
    await Notebook(past).forget("inc-new", ANN)
    found = await kept.feed()
    assert "incident/inc-past000000" in [one.id for one in found.added], "there is room for it again"
    assert await kept.right()


async def test_one_that_is_older_than_all_that_is_remembered_does_not_come(
    past: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "MOST", 1)
    kept = Kept(past)
    await kept.feed()
    await Notebook(past).correct("inc-past000000", ANN, "much too old")
    await kept.feed()
    assert await kept.right()
    assert list(kept.documents) == ["incident/inc-past000002"]


@pytest.mark.parametrize(
    "position",
    ["", "nonsense", "0::", "1", "1:0011223344556677:", "99999999999999:aa:", "²:aa:", "1:aa:-5", "-1:a:", "9" * 9999],
)
async def test_a_position_that_is_none_of_this_database_brings_all_there_is(past: Store, position: str) -> None:
    found = await since(past, position)
    assert (found.whole, len(found.added), found.removed) == (True, 3, ())


async def test_a_position_of_long_ago_brings_all_there_is(past: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(past)
    await kept.feed()
    monkeypatch.setattr(learned, "MOST_ENTRIES", 2)
    await audited(past, "inc-past000000", "inc-past000001")
    assert not (await kept.feed()).whole
    await audited(past, *["inc-past000000"] * 3)
    assert (await kept.feed()).whole


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_what_is_committed_after_something_that_began_later_is_not_missed(past: Store, url: str) -> None:
    kept = Kept(past)
    await kept.feed()
    with migration_engine(parse_url(url)).connect() as slow, slow.begin():
        notes.add(Tx(slow), "inc-past000000", "forget", "slowly", "person:ann")
        await Notebook(past).correct("inc-past000001", ANN, "quickly")
        assert ids(await kept.feed()) == (["incident/inc-past000001"], [])
    found = await kept.feed()
    assert "incident/inc-past000000" in found.removed
    assert await kept.right()
    assert ids(await kept.feed()) == ([], [])


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["forget", "remember", "report", "open", "close", "merge", "split", "feed"]), st.integers(0, 2)
    ),
    max_size=14,
)
VALUES: Mapping[str, Mapping[str, object]] = {
    "open": {"state": "open"},
    "close": {"state": "resolved"},
    "merge": {"merged_into": "inc-past000002"},
    "split": {"merged_into": None},
}


@pytest.mark.parametrize("most", [5000, 2, 1])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=DEEDS)
async def test_whatever_happens_in_whatever_order_the_index_holds_what_is_remembered(
    past: Store, monkeypatch: pytest.MonkeyPatch, most: int, deeds: Sequence[tuple[str, int]]
) -> None:
    monkeypatch.setattr(learned, "MOST", most)
    kept = Kept(past)
    await kept.feed()
    for deed, number in deeds:
        await _do(past, kept, deed, f"inc-past00000{number}")
    await kept.feed()
    assert await kept.right()


async def _do(store: Store, kept: Kept, deed: str, incident: str) -> None:
    if deed == "feed":
        await kept.feed()
        return

    def unit(tx: Tx) -> None:
        if deed in VALUES:
            change = update(t.incident).where(t.incident.c.id == incident, t.incident.c.id != "inc-past000002")
            tx.conn.execute(change.values(**VALUES[deed]))
            tx.audit(incidents.chain(incident), f"incident.{deed}", "person:ann")
        else:
            notes.add(tx, incident, deed, deed, "person:ann")  # type: ignore[arg-type]

    await store.write(unit)


async def test_a_run_in_a_thread_of_an_incident_changes_what_is_remembered(past: Store) -> None:
    kept = Kept(past)
    await kept.feed()

    def unit(tx: Tx) -> None:
        talk = {"id": "conv-1", "surface": "slack", "team": "T", "channel": "C", "root": "1", "owner": "", "title": ""}
        tx.conn.execute(insert(t.conversation).values(**talk, incident="inc-past000001", created_at=1))
        run = {"id": "run-talk", "state": "done", "origin": "asked", "place": "x", "text": "", "requesters": []}
        run |= {"roles": [], "planner": "p", "request": {}, "plan": {}, "usage": {}, "created_at": 1}
        tx.conn.execute(insert(t.run).values(**run, conversation="conv-1", conclusion={"summary": "it was full"}))
        tx.audit("run-talk", "run.finished", "service:runner")

    await past.write(unit)
    assert ids(await kept.feed()) == (["incident/inc-past000001"], [])
    assert "it was full" in kept.documents["incident/inc-past000001"].sections[0].text
