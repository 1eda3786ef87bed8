"""What Slack must hear of a change, written by the transaction that makes it, on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

import bench
from gate.kit import ANN, BOB, Attack
from scale import size
from sysop.errors import StoreUnavailable
from sysop.model import Actor, Alert, ApprovalState, Incident, IncidentState, Origin, Request, RunState
from sysop.store import audit, conversations, incidents, members, mode, outbox, runs
from sysop.store import tables as t
from sysop.store.conversations import Conversation
from sysop.store.writer import Tx
from sysop.surfaces.slack import project
from sysop.surfaces.slack.project import Projector

SLACK = {"bot_token": "env:SYSOP_TEST_BOT", "app_token": "env:SYSOP_TEST_APP", "channel": "C0123"}
QUICK = {"quiet_seconds": 0, "triage_after_seconds": 0}
PERSON = Actor("slack:T1.U0ASKER", frozenset(), human=True)


@pytest.fixture
async def bot(tmp_path: Path, url: str) -> AsyncIterator[Attack]:
    attack = Attack(tmp_path, url, slack=SLACK, incidents=QUICK)
    yield attack
    await attack.close()


def alert(name: str = "Down", service: str = "web", ends: int | None = None) -> Alert:
    return Alert("test", f"{name}-{service}", 1_700_000_000_000, ends, {"alertname": name, "service": service}, {})


async def rows(bot: Attack) -> list[tuple[str, str]]:
    """Return (kind, key or text) of all rows in the order they were written."""

    def read(conn: Any) -> list[tuple[str, str]]:
        found = conn.execute(select(t.outbox).order_by(t.outbox.c.thread, t.outbox.c.seq))
        return [(row.kind, row.key or (row.payload or {}).get("text", "")) for row in found]

    return await bot.app.store.read(read)


async def all_sent(bot: Attack) -> None:
    def unit(tx: Tx) -> None:
        for id in tx.conn.scalars(select(t.outbox.c.id).where(t.outbox.c.state == "pending")).all():
            outbox.sent(tx, id, "1.0")

    await bot.app.store.write(unit)


async def opened(bot: Attack, *alerts: Alert) -> tuple[Incident, Conversation]:
    await bench.take(bot.app, alerts or [alert()])
    (incident,) = await bot.app.store.read(incidents.listed)
    talk = await bot.app.store.read(lambda conn: conversations.of_incident(conn, incident.id))
    assert talk is not None
    return incident, talk


async def test_an_incident_gets_its_thread_its_card_and_its_triage_run(bot: Attack) -> None:
    incident, talk = await opened(bot)
    assert (talk.surface, talk.channel, talk.root, talk.owner) == ("slack", "C0123", None, "")
    assert talk.run == incident.run
    assert incident.run is not None
    run = await bot.run(incident.run)
    assert run.conversation == talk.id
    assert await rows(bot) == [("message", f"incident:{incident.id}"), ("message", f"plan:{incident.run}#1")]


async def test_a_storm_becomes_one_mark_and_at_most_one_line(bot: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    incident, _ = await opened(bot)
    await all_sent(bot)
    monkeypatch.setattr(project, "JOINED_EVERY_MS", 0)
    count = size(2000)
    for number in range(0, count, 10):
        await bench.take(bot.app, [alert(f"High{number + n}") for n in range(10)])
    waiting = [row for row in await rows(bot) if row[1] != f"plan:{incident.run}#1"]
    assert waiting[1:] == [("message", f"incident:{incident.id}"), ("post", f"joined:{incident.id}")]
    told = await bot.app.store.read(lambda conn: outbox.told(conn, f"joined:{incident.id}"))
    assert told is not None
    assert told.payload is not None
    assert f"{count} more alerts joined, the newest: High{count - 1}" in told.payload["text"]


async def test_alerts_that_join_at_once_are_in_the_card_only(bot: Attack) -> None:
    await opened(bot, alert("Down"), alert("Slow"))
    await bench.take(bot.app, [alert("Late")])
    assert [kind for kind, _ in await rows(bot)] == ["message", "message"]


@pytest.mark.parametrize("channel", ["C0123", None])
async def test_what_is_told_of_an_incident_does_not_read_all_its_alerts(bot: Attack, channel: str | None) -> None:
    """There may be thousands, and whoever places more of them waits for it."""
    incident, _ = await opened(bot)
    said: list[str] = []

    def unit(tx: Tx) -> None:
        tx.audit(incidents.chain(incident.id), "incident.joined", "service:alerts", alert="Late")
        event.listen(tx.conn, "before_cursor_execute", lambda *call: said.append(call[2]))
        Projector(channel)(tx, frozenset({incidents.chain(incident.id)}))

    await bot.app.store.write(unit)
    assert said
    assert not [one for one in said if "FROM alert" in one]


async def test_what_happens_to_an_incident_is_told_in_its_thread(bot: Attack) -> None:
    incident, _ = await opened(bot)
    await bot.app.lifecycle.acknowledge(incident.id, ANN)
    await bench.take(bot.app, [alert(ends=1_700_000_009_000)])
    await bench.take(bot.app, [alert("Again")])
    await bot.app.lifecycle.resolve(incident.id, BOB, "it was a test")
    said = [words for kind, words in await rows(bot) if kind == "post"]
    assert len(said) == 4
    for line, words in zip(said, ("looks after this", "Mitigated", "Open again", "Resolved after"), strict=True):
        assert words in line


async def test_a_summary_that_breaks_does_not_keep_an_incident_open(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_conn: Any, _incident: str) -> Any:
        raise RuntimeError("no")

    attack = Attack(tmp_path, url, incidents=QUICK)
    attack.app.store.project(Projector("C0123", summary=broken))
    incident, _ = await opened(attack)
    await attack.app.lifecycle.resolve(incident.id, BOB, "it was a test")
    after = await attack.app.store.read(lambda conn: incidents.load(conn, incident.id))
    assert after.state is IncidentState.RESOLVED
    assert "Resolved: it was a test" in (await rows(attack))[-1][1]
    assert "could not be summed up, reference err-" in caplog.text
    await attack.close()


async def test_a_statement_that_a_database_refuses_while_drawing_ends_nothing(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On PostgreSQL a refused statement ends the transaction, unless it was made behind a savepoint."""

    def broken(conn: Any, _incident: str) -> Any:
        conn.execute(text("SELECT nothing FROM nowhere"))

    attack = Attack(tmp_path, url, incidents=QUICK)
    attack.app.store.project(Projector("C0123", summary=broken))
    incident, _ = await opened(attack)
    await attack.app.lifecycle.resolve(incident.id, BOB, "it was a test")
    after = await attack.app.store.read(lambda conn: incidents.load(conn, incident.id))
    assert after.state is IncidentState.RESOLVED
    assert "Resolved: it was a test" in (await rows(attack))[-1][1]
    assert "could not be summed up, reference err-" in caplog.text
    await attack.close()


@pytest.mark.parametrize("part", ["_posted_before", "_homes"])
@pytest.mark.parametrize("statement", [None, "SELECT nothing FROM nowhere"])
async def test_a_bug_in_drawing_undoes_no_vote_and_leaves_no_half(
    bot: Attack, part: str, statement: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    approval = await bot.ask("append")
    await all_sent(bot)

    def broken(tx: Tx, *_args: Any) -> Any:
        outbox.home(tx, "home:T1.U1")
        if statement is not None:
            tx.conn.execute(text(statement))
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(project, part, broken)
        assert (await bot.vote(approval)).counted
    assert (await bot.load(approval.id)).state is ApprovalState.APPROVED
    assert not [key for kind, key in await rows(bot) if kind == "home"], "half of what broke was kept"
    assert "reference err-" in caplog.text
    assert (await bot.app.store.read(audit.verify)).ok
    await bot.advance(approval.run)
    assert await bot.state(approval.run) == "done"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_race_that_is_lost_while_drawing_has_the_whole_unit_run_again(
    bot: Attack, sqlstate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bot.app.store.embedded:
        return  # one writer loses no race
    await opened(bot)
    lost: list[str] = []

    def loses_once(tx: Tx) -> None:
        if not lost:
            lost.append(sqlstate)
            tx.conn.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{sqlstate}'; END $$"))
        lost.append("went on")

    monkeypatch.setattr(project, "_homes", loses_once)
    await bot.app.service.pause(ANN, "maintenance")
    assert lost == [sqlstate, "went on"]


async def test_a_disk_that_is_full_while_drawing_undoes_the_whole_unit(
    bot: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_tx: Tx) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("INSERT", None, error)

    monkeypatch.setattr(project, "_homes", full)
    with pytest.raises(StoreUnavailable, match="nothing was written"):
        await bot.app.service.pause(ANN, "maintenance")
    assert not (await bot.app.store.read(mode.read)).paused


async def test_the_card_of_an_approval_that_is_void_is_drawn_anew(bot: Attack) -> None:
    approval = await bot.ask("append")
    await all_sent(bot)
    await bot.app.service.cancel(approval.run, ANN, "not needed")
    await bot.work()
    assert (await bot.load(approval.id)).state is ApprovalState.VOID
    assert f"approval:{approval.id}" in [key for _, key in (await rows(bot))[3:]]


async def test_an_approval_of_a_run_from_elsewhere_gets_a_thread_that_says_who_asked_for_what(bot: Attack) -> None:
    approval = await bot.ask("append")
    talk = await bot.app.store.read(lambda conn: conversations.of_run(conn, approval.run))
    assert talk is not None
    assert (talk.owner, talk.title) == ("person:ann", "lab.append on thing:web")
    keys = [key for _, key in await rows(bot)]
    assert keys == [f"root:{talk.id}", f"plan:{approval.run}#1", f"approval:{approval.id}"]


async def test_a_decision_is_shown_on_the_card_first_and_the_work_goes_on_in_a_new_plan(bot: Attack) -> None:
    approval = await bot.ask("append")
    await all_sent(bot)
    await bot.vote(approval)
    await bot.advance(approval.run)
    keys = [key for _, key in await rows(bot)][3:]
    assert keys == [f"approval:{approval.id}", f"plan:{approval.run}#2"]


async def test_a_card_that_waits_to_be_used_changes_with_a_pause(bot: Attack) -> None:
    approval = await bot.ask("append")
    await bot.ask("append", args={"name": "other"})
    await bot.vote(approval)
    for switch in (bot.app.service.pause, bot.app.service.resume):
        await all_sent(bot)
        before = [key for _, key in await rows(bot)]
        await switch(BOB, "maintenance")
        after = [key for _, key in await rows(bot)]
        assert len(after) == len(before) + 1, "and not the card of what nobody has approved"
        assert after.count(f"approval:{approval.id}") == before.count(f"approval:{approval.id}") + 1


async def test_a_plan_that_is_a_mere_message_is_brought_to_its_end_by_the_decision(bot: Attack) -> None:
    approval = await bot.ask("append")
    await all_sent(bot)
    plan = f"plan:{approval.run}#1"
    stands = outbox.Message(plan, None, "C0123", "1.0", "post", False, None, {}, "d")
    await bot.app.store.write(lambda tx: outbox.save_message(tx, stands))
    await bot.vote(approval)
    keys = [key for _, key in await rows(bot)][3:]
    assert keys == [f"approval:{approval.id}", plan, f"plan:{approval.run}#2"]


async def test_runs_that_concern_nobody_in_slack_write_nothing(bot: Attack) -> None:
    run = await bot.submit("look", {"name": "web"})
    await bot.advance(run)
    assert (await bot.run(run)).over
    assert await rows(bot) == []


async def test_without_a_channel_only_conversations_are_told(tmp_path: Path, url: str) -> None:
    quiet = Attack(tmp_path, url, slack={**SLACK, "channel": None}, incidents=QUICK)
    await bench.take(quiet.app, [alert()])
    await quiet.ask("append")
    assert await rows(quiet) == []
    await quiet.close()


async def test_a_conversation_that_has_no_first_message_yet_gets_one_before_its_plan(bot: Attack) -> None:
    def unit(tx: Tx) -> tuple[str, str]:
        place = {"surface": "slack", "team": "T1", "channel": "C9", "root": None, "owner": PERSON.id}
        talk = conversations.create(tx, **place, title="Look")
        run = runs.create(tx, Request(PERSON, Origin.ASKED, "slack", conversation=talk.id, action="lab.look"), "direct")
        conversations.set_run(tx, talk.id, run)
        return talk.id, run

    talk, run = await bot.app.store.write(unit)
    await bot.advance(run)
    assert [key for _, key in await rows(bot)] == [f"root:{talk}", f"plan:{run}#1"]


async def test_pages_of_who_has_just_looked_are_brought_up_to_date_a_little_later(bot: Attack) -> None:
    def seen(tx: Tx) -> None:
        for user in ("U1", "U2"):
            members.save(tx, f"slack:T1.{user}", actor=f"slack:T1.{user}", name=user, human=True, roles=())
        members.seen(tx, "slack:T1.U1")

    await bot.app.store.write(seen)
    await bot.app.service.pause(ANN, "maintenance")
    await opened(bot)
    homes = [key for kind, key in await rows(bot) if kind == "home"]
    assert homes == ["home:T1.U1"]
    due = await bot.app.store.read(outbox.next_due)
    assert due is not None
    assert due - await bot.app.store.now() > 1000


async def test_odd_nouns_disturb_nothing_and_no_entry_is_written_for_telling(bot: Attack) -> None:
    def unit(tx: Tx) -> None:
        for noun in (
            "incident:inc-none",
            "approval:apr-none",
            "run-none",
            "run-x:y",
            "service:slack",
            ":",
            "approval:",
        ):
            tx.touch(noun)

    before = await bot.app.store.read(audit.count)
    await bot.app.store.write(unit)
    assert await bot.app.store.read(audit.count) == before
    assert await rows(bot) == []


async def test_two_transactions_at_once_begin_one_conversation(tmp_path: Path, url: str) -> None:
    """Slack was switched on later: the first change of an old incident begins its thread, from wherever it comes."""
    before = Attack(tmp_path, url, incidents=QUICK)
    await bench.take(before.app, [alert()])
    (incident,) = await before.app.store.read(incidents.listed)
    before.app.store.project(Projector("C0123"))
    touch = lambda tx: tx.touch(incidents.chain(incident.id))  # noqa: E731
    await asyncio.gather(*(before.app.store.write(touch) for _ in range(10)))
    assert await rows(before) == [("message", f"incident:{incident.id}")]
    await before.close()


async def test_somebody_who_asks_about_an_incident_right_now_makes_no_second_conversation(
    tmp_path: Path, url: str
) -> None:
    before = Attack(tmp_path, url, incidents=QUICK)
    await bench.take(before.app, [alert()])
    (incident,) = await before.app.store.read(incidents.listed)
    before.app.store.project(Projector("C0123", "T1"))

    def asks(tx: Tx) -> None:
        place = {"surface": "slack", "team": "T1", "channel": "C9", "root": "1.0", "owner": PERSON.id}
        conversations.create(tx, **place, title="What is this?", incident=incident.id)
        if tx.postgres:
            tx.conn.execute(text("SELECT pg_sleep(0.5)"))

    async def touches() -> None:
        await asyncio.sleep(0.1)
        await before.app.store.write(lambda tx: tx.touch(incidents.chain(incident.id)))

    await asyncio.gather(before.app.store.write(asks), touches())
    talk = await before.app.store.read(lambda conn: conversations.of_incident(conn, incident.id))
    assert talk is not None
    assert talk.channel == "C9"
    assert await rows(before) == [("message", f"incident:{incident.id}")]
    await before.close()


async def test_an_old_incident_that_is_over_begins_no_conversation(tmp_path: Path, url: str) -> None:
    before = Attack(tmp_path, url, incidents=QUICK)
    await bench.take(before.app, [alert()])
    (incident,) = await before.app.store.read(incidents.listed)
    await before.app.lifecycle.resolve(incident.id, BOB)
    before.app.store.project(Projector("C0123"))
    await before.app.store.write(lambda tx: tx.touch(incidents.chain(incident.id)))
    assert await rows(before) == []
    await before.close()


@pytest.mark.parametrize(("length", "kinds"), [(2000, []), (2001, ["file"])])
async def test_an_answer_too_long_for_a_message_comes_as_a_file_as_well(
    bot: Attack, length: int, kinds: list[str]
) -> None:
    incident, talk = await opened(bot)
    assert incident.run is not None
    run = incident.run
    said = "x" * length
    await bot.app.store.write(lambda tx: runs.end(tx, run, RunState.DONE, {"summary": said, "claims": []}, "runner"))
    assert [kind for kind, _ in await rows(bot) if kind not in ("message", "home")] == kinds

    def files(conn: Any) -> list[Any]:
        return list(conn.execute(select(t.outbox).where(t.outbox.c.kind == "file")))

    for row in await bot.app.store.read(files):
        assert (row.conversation, said in row.payload["content"]) == (talk.id, True)
