"""What people wrote of incidents and thought of what was shown: never changed, and the newest counts."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from incidents.lived import DAY, add_past
from sysop.errors import InvalidRequest
from sysop.store import audit, notes, past, questions, ratings
from sysop.store import tables as t
from sysop.store.engine import migration_engine, parse_url, sqlite_file
from sysop.store.notes import Kind, Notes
from sysop.store.questions import Question
from sysop.store.ratings import Rated
from sysop.store.store import Store
from sysop.store.writer import Tx

ONE, OTHER = "inc-past000000", "inc-past000001"
SEVERAL = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def two(store: Store) -> Store:
    """Return a database with two incidents that are over."""
    now = await store.now()
    over = {"mitigated_at": 60_000, "resolved_at": 120_000, "alerts": [("Slow", "web")]}
    await add_past(store, {"at": now - 2 * DAY, **over}, {"at": now - DAY, **over})
    return store


@contextmanager
def undone(url: str) -> Iterator[Tx]:
    """Give a transaction of which nothing stays."""
    with migration_engine(parse_url(url)).connect() as connection, connection.begin() as whole:
        yield Tx(connection)
        whole.rollback()


async def write(store: Store, kind: Kind, text: str = "", incident: str = ONE, actor: str = "person:ann") -> None:
    await store.write(lambda tx: notes.add(tx, incident, kind, text, actor))


async def read(store: Store, incident: str = ONE) -> Notes:
    return await store.read(lambda conn: notes.of(conn, incident))


# -- notes ------------------------------------------------------------------------------------------------------------


async def test_the_newest_report_and_correction_count_and_the_earlier_ones_stay(two: Store) -> None:
    for text in ("first", "second"):
        await write(two, "report", f"report {text}")
        await write(two, "correction", f"correction {text}", actor="person:bob")
    found = await read(two)
    assert (found.report and found.report.text, found.correction and found.correction.text) == (
        "report second",
        "correction second",
    )
    assert found.correction is not None
    assert found.correction.actor == "person:bob"
    assert await read(two, OTHER) == Notes()
    kept = await two.read(lambda conn: conn.scalars(select(t.memory_note.c.text).order_by(t.memory_note.c.id)).all())
    assert kept == ["report first", "correction first", "report second", "correction second"]


async def test_a_secret_in_a_note_is_never_stored_and_the_audit_log_has_the_digest_of_what_is(two: Store) -> None:
    await write(two, "report", "the password=hunter22222 was in the log")
    note = (await read(two)).report
    assert note is not None
    assert "hunter" not in note.text
    (entry,) = await two.read(lambda conn: audit.entries(conn, chain=f"incident:{ONE}", kind="incident"))
    body = json.loads(entry.body)
    assert (entry.kind, entry.actor) == ("incident.report_written", "person:ann")
    assert body["sha256"] == hashlib.sha256(note.text.encode()).hexdigest()
    assert body["bytes"] == len(note.text)
    assert note.text not in entry.body


async def test_what_was_written_of_a_part_counts_for_the_whole(two: Store) -> None:
    await write(two, "correction", "it was the disk", OTHER)
    await write(two, "forget", "", OTHER)
    await two.write(
        lambda tx: tx.conn.execute(t.incident.update().where(t.incident.c.id == OTHER).values(merged_into=ONE))
    )
    found = await read(two)
    assert found.correction is not None
    assert (found.correction.text, found.forgotten is not None) == ("it was the disk", True)
    await write(two, "remember")
    assert (await read(two)).forgotten is None
    for incident, text in ((ONE, "it was the network"), (OTHER, "no, the disk")):
        await write(two, "correction", text, incident)
        for parts in ({ONE: ONE, OTHER: ONE}, {OTHER: ONE, ONE: ONE}):
            counting = (await two.read(partial(notes.of_each, parts=parts)))[ONE].correction
            assert counting is not None
            assert counting.text == text


SAYINGS = st.lists(
    st.tuples(st.sampled_from([ONE, OTHER]), st.sampled_from(["report", "correction", "forget", "remember"])),
    max_size=12,
)


@SEVERAL
@given(said=SAYINGS)
async def test_in_any_order_the_newest_of_each_kind_counts(
    two: Store, url: str, said: Sequence[tuple[str, Kind]]
) -> None:
    with undone(url) as tx:
        for number, (incident, kind) in enumerate(said):
            notes.add(tx, incident, kind, f"text {number}", "person:ann")
        known = {id: notes.of(tx.conn, id) for id in (ONE, OTHER)}
        together = notes.of_each(tx.conn, {ONE: ONE, OTHER: OTHER})
        gone = set(tx.conn.scalars(notes.forgotten()))
    assert together == known
    for id in (ONE, OTHER):
        mine = [(kind, f"text {number}") for number, (incident, kind) in enumerate(said) if incident == id]
        newest = dict(mine)
        assert (known[id].report and known[id].report.text) == newest.get("report")
        assert (known[id].correction and known[id].correction.text) == newest.get("correction")
        whether = [kind for kind, _ in mine if kind in ("forget", "remember")]
        forgotten = whether[-1:] == ["forget"]
        assert (known[id].forgotten is not None) == forgotten == (id in gone)


async def test_an_incident_that_is_forgotten_is_not_among_those_before_another(two: Store) -> None:
    async def older() -> list[str]:
        now = await two.now()
        return [one.id for one in await two.read(lambda conn: past.before(conn, "inc-x", now))]

    assert await older() == [OTHER, ONE]
    await write(two, "forget", "a game day", OTHER)
    assert await older() == [ONE]
    await write(two, "remember", "", OTHER)
    assert await older() == [OTHER, ONE]


# -- nobody changes them ----------------------------------------------------------------------------------------------

HOSTILE = {
    "update": "UPDATE {table} SET actor = 'person:eve'",
    "delete": "DELETE FROM {table}",
    "delete one": "DELETE FROM {table} WHERE id = 1",
}
ON_SQLITE = {
    "replace into": "REPLACE INTO {table} SELECT * FROM {table} WHERE id = 1",
    "insert or replace": "INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE id = 1",
    "update or replace": "UPDATE OR REPLACE {table} SET id = 2 WHERE id = 1",
    "upsert": "INSERT INTO {table} SELECT * FROM {table} WHERE id = 1 ON CONFLICT DO UPDATE SET actor = 'person:eve'",
}
ON_POSTGRES = {
    "truncate": "TRUNCATE {table}",
    "update as a replica": "SET session_replication_role = replica; UPDATE {table} SET actor = 'person:eve'",
    "delete as a replica": "SET session_replication_role = replica; DELETE FROM {table}",
    "upsert": "INSERT INTO {table} SELECT * FROM {table} WHERE id = 1 "
    "ON CONFLICT (id) DO UPDATE SET actor = 'person:eve'",
}


def _refused(url: str, statement: str) -> bool:
    parsed = parse_url(url)
    if parsed.drivername.startswith("sqlite"):
        database = sqlite3.connect(sqlite_file(parsed), isolation_level=None)
        try:
            database.execute(statement)
        except sqlite3.Error as bad:
            return "is append-only" in str(bad)
        finally:
            database.close()
        return False
    with psycopg.connect(url, autocommit=True) as server:
        try:
            server.execute(statement)  # type: ignore[call-overload]
        except psycopg.Error as bad:
            return "is append-only" in str(bad)
    return False


def _everything(conn: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for table in (t.memory_note, t.rating) for row in conn.execute(select(table))]


@pytest.mark.parametrize("table", ["memory_note", "rating"])
async def test_nobody_changes_or_removes_what_people_said_not_even_with_sql(two: Store, url: str, table: str) -> None:
    for kind in ("report", "forget"):
        await write(two, kind, "text")  # type: ignore[arg-type]
        await two.write(lambda tx: rate(tx, "incident/x", "helpful"))
    before = await two.read(_everything)
    more = ON_SQLITE if url.startswith("sqlite") else ON_POSTGRES
    let_through = [name for name, words in (HOSTILE | more).items() if not _refused(url, words.format(table=table))]
    assert let_through == []
    assert await two.read(_everything) == before
    assert len(before) == 4


# -- ratings ----------------------------------------------------------------------------------------------------------


def rate(tx: Tx, shown: str, verdict: ratings.Verdict, actor: str = "person:ann", subject: str = ONE) -> None:
    ratings.give(tx, f"incident:{subject}", subject, shown, verdict, actor, "")


VOICES = st.lists(
    st.tuples(
        st.sampled_from(["incident/a", "runbooks/b.md"]),
        st.sampled_from(["helpful", "wrong"]),
        st.sampled_from(["person:ann", "person:bob", "person:cat"]),
        st.sampled_from([ONE, OTHER]),
    ),
    max_size=15,
)


@SEVERAL
@given(said=VOICES)
async def test_each_person_counts_once_with_the_newest_word_on_each_subject(
    two: Store, url: str, said: Sequence[tuple[str, ratings.Verdict, str, str]]
) -> None:
    with undone(url) as tx:
        for shown, verdict, actor, subject in said:
            rate(tx, shown, verdict, actor, subject)
        found = ratings.counted(tx.conn, ["incident/a", "runbooks/b.md", "never shown"])
    newest = {(shown, actor, subject): verdict for shown, verdict, actor, subject in said}
    for shown in ("incident/a", "runbooks/b.md"):
        voices = {(actor, verdict) for (what, actor, _), verdict in newest.items() if what == shown}
        expected = Rated(*(sum(said == verdict for _, said in voices) for verdict in ("helpful", "wrong")))
        assert found.get(shown, Rated()) == expected
    assert set(found) <= {shown for shown, *_ in said}


async def test_a_rating_is_in_the_audit_log_of_what_it_was_shown_for(two: Store) -> None:
    await two.write(lambda tx: ratings.give(tx, "run-1", "run-1", "runbooks/a.md#x", "wrong", "person:dan", "old page"))
    (entry,) = await two.read(lambda conn: audit.entries(conn, chain="run-1"))
    body = json.loads(entry.body)
    assert (entry.kind, entry.actor) == ("run.rated", "person:dan")
    assert (body["shown"], body["verdict"], body["note"]) == ("runbooks/a.md#x", "wrong", "old page")


# -- questions --------------------------------------------------------------------------------------------------------


async def ask(store: Store, text: str, place: str = "cli", nearest: str = "") -> str | None:
    return await store.write(lambda tx: questions.ask(tx, text, place, nearest))


async def open_ones(store: Store) -> list[Question]:
    return await store.read(questions.listed)


async def test_the_same_words_are_one_question_that_is_counted(store: Store) -> None:
    id = await ask(store, "How do I rotate the  TLS certificate?", nearest="runbooks/a.md")
    again = await ask(store, "how do i rotate the tls certificate", "slack", "runbooks/tls.md#rotate")
    other = await ask(store, "How do I rotate the logs?")
    assert id == again != other
    first, second = await open_ones(store)
    assert (first.id, first.asked, first.place, first.nearest) == (id, 2, "slack", "runbooks/tls.md#rotate")
    assert first.text == "How do I rotate the TLS certificate?"
    assert first.first_at <= first.last_at
    assert (second.id, second.asked) == (other, 1)


async def test_a_question_without_a_word_is_none_and_a_secret_in_one_is_not_kept(store: Store) -> None:
    assert await ask(store, " ?! ") is None
    await ask(store, "is token=abcdefgh12345 the right one?")
    (one,) = await open_ones(store)
    assert "abcdefgh" not in one.text
    (entry,) = await store.read(lambda conn: audit.entries(conn, chain=f"question:{one.id}"))
    assert "abcdefgh" not in entry.body


async def test_an_endless_question_is_cut(store: Store) -> None:
    await ask(store, "why " * 10_000)
    (one,) = await open_ones(store)
    assert len(one.text) <= questions.LONGEST


async def test_an_answered_question_comes_back_when_it_is_asked_in_vain_and_a_dismissed_one_stays_away(
    store: Store,
) -> None:
    answered, dismissed = await ask(store, "where is the runbook?"), await ask(store, "who am I?")
    assert answered is not None
    assert dismissed is not None
    await store.write(lambda tx: questions.decide(tx, answered, "answered", "person:ann"))
    await store.write(lambda tx: questions.decide(tx, dismissed, "dismissed", "person:bob"))
    assert await open_ones(store) == []
    every = {one.id: one for one in await store.read(lambda conn: questions.listed(conn, open_only=False))}
    assert (every[answered].state, every[answered].decided_by) == ("answered", "person:ann")
    await ask(store, "Where is the runbook")
    await ask(store, "Who am I")
    (back,) = await open_ones(store)
    assert (back.id, back.asked, back.decided_by, back.decided_at) == (answered, 2, None, None)
    kinds = [e.kind for e in await store.read(lambda conn: audit.entries(conn, chain=f"question:{answered}"))]
    assert kinds == ["question.asked", "question.answered", "question.reopened"]


async def test_a_question_is_decided_once_and_an_unknown_one_never(store: Store) -> None:
    id = await ask(store, "why?")
    assert id is not None
    await store.write(lambda tx: questions.decide(tx, id, "dismissed", "person:ann"))
    with pytest.raises(InvalidRequest, match=f"question {id} is dismissed already"):
        await store.write(lambda tx: questions.decide(tx, id, "answered", "person:ann"))
    with pytest.raises(InvalidRequest, match="there is no question 'que-x'; see: sysop runbooks questions"):
        await store.write(lambda tx: questions.decide(tx, "que-x", "answered", "person:ann"))


async def test_questions_are_listed_most_asked_first(store: Store) -> None:
    for text, times in (("one", 1), ("three", 3), ("two", 2)):
        for _ in range(times):
            await ask(store, text)
    assert [one.text for one in await open_ones(store)] == ["three", "two", "one"]
    assert len(await store.read(lambda conn: questions.listed(conn, limit=2))) == 2
