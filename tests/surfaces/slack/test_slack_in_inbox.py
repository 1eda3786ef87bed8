"""Intake and the consumer: written down before it is answered, worked on once, over crashes and dead databases too."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import in_kit
import psycopg
import pytest
from sqlalchemy import text

from sysop.store import audit, inbox
from sysop.store.engine import sqlite_file
from sysop.store.inbox import Delivery
from sysop.store.store import Store
from sysop.surfaces.refusals import Refusals
from sysop.surfaces.slack import incoming
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.consumer import ATTEMPTS, Consumer, Result
from sysop.surfaces.slack.intake import NOTHING_WAS_RUN, NOTHING_YET, Intake, NotKept

Json = dict[str, Any]


def command(trigger: str, text: str = "help", **more: str) -> Json:
    fields = {"command": "/sysop", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": "C1"}
    return {**fields, "trigger_id": trigger, "token": "xyz", **more}


def event(id: str, thread: str = "1.1", **inner: Any) -> Json:
    said = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": thread, "text": "hi", **inner}
    return {"type": "event_callback", "team_id": "T1", "event_id": id, "event": said}


async def put(store: Store, body: Json, signature: str | None = None) -> bool:
    it = incoming.parse(body)
    assert it is not None
    return await store.write(lambda tx: inbox.put(tx, it.key, it.kind, it.body, signature, lane=it.lane))


async def counts(store: Store) -> dict[str, int]:
    return await store.read(inbox.counts)


async def _no_one(*_: Any) -> None:
    return


@asynccontextmanager
async def intake_of(store: Store) -> AsyncIterator[Intake]:
    clients = Clients("http://127.0.0.1:9/api/", token="xoxb-1", installations=None)
    made = Intake(store, clients, Refusals(store, "service:slack"), wake=lambda: None, open=_no_one, tell=_no_one)
    yield made
    await made.drain()
    await clients.close()


@pytest.mark.parametrize("subtype", ["me_message", "thread_broadcast", "file_share"])
async def test_whatever_people_write_to_us_is_kept_and_what_happens_to_it_later_is_not(
    store: Store, subtype: str
) -> None:
    async with intake_of(store) as intake:
        for number, kind in enumerate((subtype, "message_changed", "message_deleted")):
            ts, place = f"{number}.1", {"channel": "D1", "channel_type": "im"}
            it = incoming.parse(event(f"Ev{number}", type="message", ts=ts, subtype=kind, **place))
            assert it is not None
            assert await intake.keep(it, None) == (kind == subtype)


# -- a dead database -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def refusing(store: Store) -> AsyncIterator[None]:
    """Let every write into the inbox fail at once, as with a full disk or a server that is gone."""
    await store.write(lambda tx: tx.conn.execute(text("ALTER TABLE inbox RENAME TO gone")))
    yield
    await store.write(lambda tx: tx.conn.execute(text("ALTER TABLE gone RENAME TO inbox")))


@asynccontextmanager
async def hanging(store: Store) -> AsyncIterator[None]:
    """Hold the lock every write waits for."""
    if store.embedded:
        held = sqlite3.connect(sqlite_file(store.url), isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        yield
        held.execute("ROLLBACK")
        held.close()
        return
    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        yield


async def test_a_database_that_refuses_is_told_surely_and_one_that_hangs_honestly(store: Store) -> None:
    it = incoming.parse(command("1.1.a"))
    assert it is not None
    async with intake_of(store) as intake:
        async with refusing(store):
            with pytest.raises(NotKept) as refused:
                await intake.keep(it, None)
            assert refused.value.surely
        async with hanging(store):
            with pytest.raises(NotKept) as hung:
                await intake.keep(it, None)
            assert not hung.value.surely
        await asyncio.sleep(0.2)
        assert await counts(store) == {}, "what somebody was told of must not be run afterwards"
        assert await intake.keep(it, None)
        assert not await intake.keep(it, None)


BOTH_WAYS = pytest.mark.parametrize(("url", "mode"), [("sqlite", "socket"), ("postgres", "http")], indirect=["url"])
"""Each way in with one of the databases."""


@BOTH_WAYS
@pytest.mark.parametrize(("down", "says"), [(refusing, NOTHING_WAS_RUN), (hanging, NOTHING_YET)], ids=["no", "hangs"])
async def test_with_the_database_down_people_are_told_and_slack_sends_events_again(
    tmp_path: Path, url: str, mode: str, down: Callable[[Store], Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysop.surfaces.slack.intake.LIMIT_S", 0.4)
    async with in_kit.rig(tmp_path, url, mode, running=False) as rig:
        await rig.command("/sysop status")
        await rig.settled(1)
        async with down(rig.store):
            told = await rig.do("command", channel="general", text="/sysop status")
            assert says in json.dumps(told["answer"] or "")
            said = await rig.say(f"<@{rig.workspace.bot_user_id}> what is broken?")
            await asyncio.sleep(0.8)
        await rig.did("clock", advance=400)  # Slack's next tries
        await rig.settled(2)
        assert await turns(rig.store, said) == 1
        commands = text("SELECT count(*) FROM inbox WHERE kind = 'command'")
        kept = await rig.store.read(lambda conn: conn.execute(commands).scalar_one())
        assert kept == 1, "what somebody was told was not run is not run afterwards"


async def turns(store: Store, ts: str) -> int:
    query = text("SELECT count(*) FROM turn WHERE ts = :ts")
    return await store.read(lambda conn: int(conn.execute(query, {"ts": ts}).scalar_one()))


# -- repeats ---------------------------------------------------------------------------------------------------------


@BOTH_WAYS
async def test_what_is_delivered_twice_is_worked_on_once(tmp_path: Path, url: str, mode: str) -> None:
    async with in_kit.rig(tmp_path, url, mode, running=False) as rig:
        await rig.did("deliveries", kind="duplicate", times=4)
        await rig.command("/sysop pause the database is being moved")
        said = await rig.say(f"<@{rig.workspace.bot_user_id}> what is broken?")
        await rig.settled(2)
        pauses = await rig.store.read(lambda conn: audit.entries(conn, kind="mode.paused"))
        runs = await rig.store.read(lambda conn: audit.entries(conn, kind="run.started"))
        assert (len(pauses), len(runs), await turns(rig.store, said)) == (1, 1, 1)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_answer_that_got_lost_makes_slack_ask_again_and_nothing_runs_twice(tmp_path: Path, url: str) -> None:
    async with in_kit.rig(tmp_path, url, "socket", running=False) as rig:
        await rig.did("deliveries", kind="lose_ack", times=1)
        await rig.say(f"<@{rig.workspace.bot_user_id}> what is broken?")
        await rig.settled(1)
        await rig.did("clock", advance=3)
        await rig.did("clock", advance=400)

        async def again() -> bool:
            log = (await rig.see("log"))["entries"]
            return any(entry["kind"] == "envelope" and entry["attempt"] > 0 for entry in log)

        await in_kit.until(again, "the second try")
        await rig.settled(1)
        runs = await rig.store.read(lambda conn: audit.entries(conn, kind="run.started"))
        assert len(runs) == 1


async def test_secrets_do_not_reach_the_inbox_and_what_was_handled_is_forgotten(store: Store) -> None:
    body = command("1.1.a", text="ask password=hunter22222", response_url="http://127.0.0.1:9/hooks/abcdefghijk")
    assert await put(store, body, "sig")
    (row,) = await store.read(lambda conn: conn.execute(text("SELECT body FROM inbox")).all())
    kept = row.body if isinstance(row.body, dict) else json.loads(row.body)
    assert "hunter22222" not in json.dumps(kept)
    assert "token" not in kept
    assert kept["response_url"] == body["response_url"]
    assert not await put(store, command("2.2.b"), "sig"), "the very same signed request under another id"


# -- the consumer ----------------------------------------------------------------------------------------------------


class Work:
    """A dispatcher that does as it is told, and notes what it did."""

    def __init__(self, *results: Result | BaseException, takes: float = 0.0) -> None:
        self.results = list(results)
        self.takes = takes
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.given_up: list[tuple[str, str]] = []
        self.at_once = 0
        self.most = 0

    async def dispatch(self, delivery: Delivery) -> Result:
        self.begun.append(delivery.key)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.takes)
        self.at_once -= 1
        self.ended.append(delivery.key)
        result = self.results.pop(0) if self.results else Result("handled")
        if isinstance(result, BaseException):
            raise result
        return result

    async def give_up(self, delivery: Delivery, error: str) -> None:
        self.given_up.append((delivery.key, error))


@asynccontextmanager
async def consuming(store: Store, work: Work, worker: str = "w1", **more: Any) -> AsyncIterator[Consumer]:
    consumer = Consumer(store, work.dispatch, work.give_up, worker, back_off_ms=1, **more)
    await consumer.start()
    yield consumer
    await consumer.stop()


async def drained(store: Store) -> dict[str, int]:
    async def look() -> dict[str, int] | None:
        found = await counts(store)
        return None if found.get("waiting") or found.get("working") else found

    found: dict[str, int] = await in_kit.until(look, "the inbox")
    return found


async def test_it_wakes_at_once_and_finishes_what_it_begins(store: Store) -> None:
    work = Work()
    async with consuming(store, work) as consumer:
        for number in range(20):
            await put(store, command(f"{number}", user_id=f"U{number}"))
        consumer.wake()
        assert await drained(store) == {"done": 20}
    assert sorted(work.ended) == sorted(f"command:{number}" for number in range(20))


async def test_what_fails_is_tried_again_and_in_the_end_given_up_and_told(store: Store) -> None:
    work = Work(*[Result("failed", "Oops, reference ref-1")] * ATTEMPTS)
    async with consuming(store, work) as consumer:
        await put(store, command("1"))
        consumer.wake()
        assert await drained(store) == {"dead": 1}
    assert len(work.begun) == ATTEMPTS
    assert work.given_up == [("command:1", "Oops, reference ref-1")]
    (entry,) = await store.read(lambda conn: audit.entries(conn, kind="inbox.dead"))
    assert json.loads(entry.body)["error"] == "Oops, reference ref-1"


async def test_what_fails_once_is_done_the_second_time(store: Store) -> None:
    work = Work(Result("failed", "not now"))
    async with consuming(store, work) as consumer:
        await put(store, command("1"))
        consumer.wake()
        assert await drained(store) == {"done": 1}
    assert len(work.begun) == 2


async def test_what_nobody_listens_for_is_buried_at_once(store: Store) -> None:
    work = Work(Result("nobody"))
    async with consuming(store, work) as consumer:
        await put(store, event("Ev1"))
        consumer.wake()
        assert await drained(store) == {"dead": 1}
    assert len(work.begun) == 1
    assert work.given_up == []


async def test_one_thread_is_worked_on_in_order_and_many_at_once(store: Store) -> None:
    work = Work(takes=0.03)
    async with consuming(store, work, concurrency=8) as consumer:
        for number in range(6):
            for thread in ("1.1", "2.2", "3.3"):
                await put(store, event(f"Ev{number}.{thread}", thread))
        consumer.wake()
        await drained(store)
    for thread in ("1.1", "2.2", "3.3"):
        mine = [key for key in work.begun if key.endswith(thread)]
        assert mine == [f"event:Ev{number}.{thread}" for number in range(6)]
    assert 2 <= work.most <= 3


def letter(it: incoming.Incoming) -> inbox.Letter:
    return inbox.Letter(it.key, it.kind, it.body, None, it.lane)


class OneHangs(Work):
    """A dispatcher of which one thread hangs until it is told to go on."""

    def __init__(self, thread: str) -> None:
        super().__init__()
        self.thread = thread
        self.go_on = asyncio.Event()

    async def dispatch(self, delivery: Delivery) -> Result:
        result = await super().dispatch(delivery)
        if delivery.key.endswith(self.thread):
            await self.go_on.wait()
        return result


@pytest.mark.parametrize("many", [12, 300])
async def test_a_thread_that_hangs_takes_no_place_from_the_others(store: Store, many: int) -> None:
    bodies = [event(f"Ev{number:03}.1.1", "1.1") for number in range(many)]
    found = [it for body in bodies if (it := incoming.parse(body)) is not None]
    await store.write(lambda tx: inbox.put_all(tx, [letter(it) for it in found]))
    await put(store, event("Ev.2.2", "2.2"))
    work = OneHangs("1.1")
    async with consuming(store, work, concurrency=4) as consumer:
        consumer.wake()

        async def other() -> bool:
            return "event:Ev.2.2" in work.ended and (await counts(store)).get("done") == 1

        try:
            await in_kit.until(other, "the other thread", seconds=5)
            assert (await counts(store)).get("working") == 1, "what waits for its thread is not claimed"
            assert [key for key in work.begun if key.endswith("1.1")] == ["event:Ev000.1.1"]
        finally:
            work.go_on.set()


async def test_time_is_counted_from_when_a_delivery_is_worked_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysop.surfaces.slack.consumer.WORK_S", 1.0)
    work = Work(takes=0.3)
    async with consuming(store, work) as consumer:
        for number in range(6):
            await put(store, event(f"Ev{number}"))
        consumer.wake()
        assert await drained(store) == {"done": 6}
    assert len(work.begun) == 6, "none ran out of time while it waited for those before it"


async def test_two_processes_share_an_inbox_and_neither_does_what_the_other_does(store: Store) -> None:
    first, second = Work(takes=0.005), Work(takes=0.005)
    for number in range(40):
        await put(store, command(f"{number}", user_id=f"U{number}"))
    async with consuming(store, first, "w1", concurrency=4), consuming(store, second, "w2", concurrency=4):
        assert await drained(store) == {"done": 40}
    assert sorted(first.ended + second.ended) == sorted(f"command:{number}" for number in range(40))


async def test_what_is_under_way_is_finished_at_a_stop_and_the_rest_waits(store: Store) -> None:
    work = Work(takes=0.1)
    async with consuming(store, work, concurrency=2) as consumer:
        for number in range(6):
            await put(store, command(f"{number}", user_id=f"U{number}"))
        consumer.wake()

        async def begun() -> bool:
            return len(work.begun) >= 2

        await in_kit.until(begun, "the first two")
    assert work.begun == work.ended
    assert await counts(store) == {"done": len(work.ended), "waiting": 6 - len(work.ended)}


async def test_a_dispatcher_that_hangs_is_let_go_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysop.surfaces.slack.consumer.WORK_S", 0.05)
    work = Work(takes=5)
    async with consuming(store, work) as consumer:
        await put(store, command("1"))
        consumer.wake()
        assert await drained(store) == {"dead": 1}
    assert work.given_up == [("command:1", "it took too long")]


KILLED = """
import asyncio, os, sys
from sysop.store.store import Store
from sysop.surfaces.slack.consumer import Consumer, Result

async def main():
    store = Store.open(sys.argv[1])

    async def dispatch(delivery):
        if sys.argv[2] == "before":
            print("claimed", flush=True)
            await asyncio.sleep(60)
        with open(sys.argv[3], "a") as effects:
            effects.write(delivery.key + "\\n")
        if sys.argv[2] == "after":
            print("claimed", flush=True)
            await asyncio.sleep(60)
        return Result("handled")

    async def give_up(delivery, error): ...

    consumer = Consumer(store, dispatch, give_up, "killed")
    await consumer.start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_process_killed_over_a_delivery_leaves_it_to_the_next(
    store: Store, url: str, tmp_path: Path, when: str
) -> None:
    """Between claim and finish: whether its work was done or not, the delivery is taken up again, under its key."""
    effects = tmp_path / "effects"
    await put(store, command("1"))
    arguments = [sys.executable, "-c", KILLED, url, when, str(effects)]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"claimed\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    work = Work()
    async with consuming(store, work) as consumer:
        await asyncio.sleep(0.1)
        assert await counts(store) == {"working": 1}, "nobody takes what may still be worked on"
        assert work.begun == []
        await store.write(lambda tx: tx.conn.execute(text("UPDATE inbox SET not_before = 0")))  # a minute later
        consumer.wake()
        assert await drained(store) == {"done": 1}
    assert work.begun == ["command:1"]
    assert effects.exists() == (when == "after")


async def test_a_process_that_is_alone_need_not_wait_for_a_dead_ones_claim(store: Store) -> None:
    await put(store, command("1"))
    assert await store.write(lambda tx: inbox.claim(tx, "command:1", "killed")) is not None
    work = Work()
    async with consuming(store, work, alone=True):
        assert await drained(store) == {"done": 1}


async def test_what_kills_every_process_is_given_up(store: Store) -> None:
    await put(store, command("1"))
    for _ in range(ATTEMPTS):
        assert await store.write(lambda tx: inbox.claim(tx, "command:1", "killed")) is not None
        await store.write(lambda tx: tx.conn.execute(text("UPDATE inbox SET not_before = 0")))
    work = Work()
    async with consuming(store, work):
        assert await drained(store) == {"dead": 1}
    assert work.begun == []
    assert len(work.given_up) == 1


async def test_an_inbox_that_cannot_be_read_is_looked_at_again(store: Store) -> None:
    work = Work()
    async with consuming(store, work) as consumer:
        async with refusing(store):
            consumer.wake()
            await asyncio.sleep(0.05)
        await put(store, command("1"))
        consumer.wake()
        assert await drained(store) == {"done": 1}


async def test_the_load_is_worked_off_while_more_comes(store: Store) -> None:
    """A burst of 200 deliveries at concurrency 32: none lost, none worked on twice."""
    work, began = Work(), time.monotonic()
    async with consuming(store, work) as consumer, intake_of(store) as intake:
        gate = asyncio.Semaphore(32)

        async def deliver(number: int) -> None:
            async with gate:
                it = incoming.parse(command(f"{number % 150}", user_id=f"U{number % 150}"))
                assert it is not None
                await intake.keep(it, None)
                consumer.wake()

        await asyncio.gather(*(deliver(number) for number in range(200)))
        assert await drained(store) == {"done": 150}
    assert sorted(work.ended) == sorted(f"command:{number}" for number in range(150))
    assert time.monotonic() > began
