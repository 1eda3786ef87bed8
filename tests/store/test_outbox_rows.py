"""The outbox as rows: order in a thread, what collapses, what is due, and who may send."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from sysop.errors import LeaseLost
from sysop.store import conversations, leases, outbox
from sysop.store import tables as t
from sysop.store.conversations import Conversation
from sysop.store.outbox import Message
from sysop.store.store import Store
from sysop.store.writer import Tx


async def begin(store: Store, channel: str = "C1") -> Conversation:
    made = {"surface": "slack", "team": "T1", "channel": channel, "root": None, "owner": "", "title": "A talk"}
    return await store.write(lambda tx: conversations.create(tx, **made))


async def rows(store: Store, talk: Conversation) -> list[tuple[str, str | None, str]]:
    """Return (kind, key, state) of a thread in order."""
    mine = select(t.outbox).where(t.outbox.c.thread == talk.id).order_by(t.outbox.c.seq)
    return await store.read(lambda conn: [(row.kind, row.key, row.state) for row in conn.execute(mine)])


async def heads(store: Store) -> list[outbox.Head]:
    return await store.read(outbox.heads)


async def test_marks_of_one_message_become_one_row_wherever_it_waits(store: Store) -> None:
    talk = await begin(store)
    await store.write(lambda tx: outbox.mark(tx, talk, "incident:inc-1"))
    await store.write(lambda tx: outbox.post(tx, talk, {"text": "x"}))
    await store.write(lambda tx: outbox.mark(tx, talk, "incident:inc-1"))
    assert await rows(store, talk) == [("message", "incident:inc-1", "pending"), ("post", None, "pending")]


async def test_a_mark_that_comes_while_a_message_is_on_its_way_is_a_row_of_its_own(store: Store) -> None:
    talk = await begin(store)
    await store.write(lambda tx: outbox.mark(tx, talk, "incident:inc-1"))
    (head,) = await heads(store)
    await store.write(lambda tx: outbox.take(tx, head.item.id))
    await store.write(lambda tx: outbox.mark(tx, talk, "incident:inc-1"))
    assert [state for _, _, state in await rows(store, talk)] == ["sending", "pending"]


async def test_no_mark_is_lost_to_a_sender_that_takes_the_row_at_the_same_moment(store: Store) -> None:
    """A mark that collapses holds its row: whoever takes it reads what the mark's transaction has written."""
    talk = await begin(store)
    for number in range(30):
        await store.write(lambda tx: outbox.mark(tx, talk, "incident:inc-1"))
        (head,) = await heads(store)
        title = f"title {number}"
        _, seen = await asyncio.gather(_retitle(store, talk, title), _take(store, talk, head.item.id))
        waits = [state for _, _, state in await rows(store, talk) if state == "pending"]
        assert seen == title or waits, "the change is neither shown nor waiting"
        await store.write(_all_sent)


async def _retitle(store: Store, talk: Conversation, title: str) -> None:
    def change(tx: Tx) -> None:
        outbox.mark(tx, talk, "incident:inc-1")
        conversations.retitle(tx, talk.id, title)

    await store.write(change)


async def _take(store: Store, talk: Conversation, id: int) -> str:
    """Send as the sender does: take the row, then read what it shows."""
    assert await store.write(lambda tx: outbox.take(tx, id)) is not None
    return (await store.read(lambda conn: conversations.load(conn, talk.id))).title


def _all_sent(tx: Tx) -> None:
    for id in tx.conn.scalars(select(t.outbox.c.id).where(t.outbox.c.state.in_(outbox.OPEN))).all():
        outbox.sent(tx, id, None)


async def test_the_next_row_of_a_thread_waits_for_the_one_before_and_other_threads_do_not(store: Store) -> None:
    one, other = await begin(store), await begin(store, "C2")
    first = await store.write(lambda tx: outbox.post(tx, one, {"text": "1"}))
    await store.write(lambda tx: outbox.post(tx, one, {"text": "2"}))
    second = await store.write(lambda tx: outbox.post(tx, other, {"text": "3"}))
    assert [head.item.id for head in await heads(store)] == [first, second]
    await store.write(lambda tx: outbox.take(tx, first))
    await store.write(lambda tx: outbox.doubt(tx, first, "lost"))
    assert [head.item.id for head in await heads(store)] == [second]
    assert await store.read(outbox.next_due) is not None
    await store.write(lambda tx: outbox.dead(tx, first, "no channel"))
    assert [head.item.seq for head in await heads(store)] == [2, 1]


async def storm(store: Store, channel: str, count: int) -> None:
    """Begin many threads of which none has a first message yet."""

    def unit(tx: Tx) -> None:
        for number in range(count):
            made = {"surface": "slack", "team": "T1", "channel": channel, "root": None, "owner": "", "title": "x"}
            talk = conversations.create(tx, **made)
            outbox.mark(tx, talk, f"incident:inc-{channel}-{number}")
            outbox.mark(tx, talk, f"plan:run-{channel}-{number}#1")

    await store.write(unit)


async def test_in_a_storm_whoever_is_asked_comes_first_then_threads_that_have_begun(store: Store) -> None:
    """The threads of the storm are older and more than are read at once."""
    await storm(store, "C1", 50)
    late, begun, asked = await begin(store, "C2"), await begin(store), await begin(store)
    await store.write(lambda tx: outbox.post(tx, late, {"text": "begins"}))
    await store.write(lambda tx: outbox.rooted(tx, begun.id, "T1", "1.0"))
    await store.write(lambda tx: outbox.post(tx, begun, {"text": "goes on"}))
    for key in (f"root:{asked.id}", "plan:run-1#1", "approval:apr-1"):
        await store.write(lambda tx, key=key: outbox.mark(tx, asked, key))  # type: ignore[misc]
    found = await store.read(lambda conn: outbox.heads(conn, 8))
    first, second, *rest = [(head.item.thread, head.urgent) for head in found]
    assert (first, second) == ((asked.id, True), (begun.id, False))
    assert found[0].item.key == f"root:{asked.id}", "the order of a thread stays"
    assert (late.id, False) in rest, "one channel hides another"


async def test_of_each_channel_a_few_heads_are_read_and_what_is_in_flight_takes_no_place(store: Store) -> None:
    await storm(store, "C1", outbox.EACH_HEADS + 10)
    await storm(store, "C2", 3)
    found = await heads(store)
    channels = [head.conversation.channel for head in found if head.conversation]
    assert (channels.count("C1"), channels.count("C2")) == (outbox.EACH_HEADS, 3)
    assert set(channels[:6]) == {"C1", "C2"}, "channels take turns"
    await store.write(lambda tx: [outbox.take(tx, head.item.id) for head in found] and None)
    states = [head.item.state for head in await heads(store)]
    assert states.count("pending") == 10


async def test_a_workspace_that_is_silent_hides_no_other(store: Store) -> None:
    here = await begin(store)
    await store.write(lambda tx: outbox.post(tx, here, {"text": "x"}))
    await store.write(lambda tx: outbox.homes(tx, ["home:T1.U1", "home:T2.U1"]))
    found = await store.read(lambda conn: outbox.heads(conn, without={"T1"}))
    assert [head.item.key for head in found] == ["home:T2.U1"]
    assert len(await store.read(lambda conn: outbox.heads(conn, without={"T2", ""}))) == 2


async def test_the_first_two_who_want_a_duty_at_once_do_not_break_each_other(store: Store) -> None:
    fences = await asyncio.gather(
        *(store.write(lambda tx, who=who: leases.take(tx, "new", str(who), 60_000)) for who in range(8))  # type: ignore[misc]
    )
    assert sorted(fences, key=str) == [1, *[None] * 7]


async def test_a_head_brings_its_conversation_and_the_message_as_it_stands(store: Store) -> None:
    talk = await begin(store)
    stands = Message("incident:inc-1", talk.id, "C1", "1.0", "post", False, None, {"at": 1}, "d")
    await store.write(lambda tx: outbox.save_message(tx, stands))
    await store.write(lambda tx: outbox.mark(tx, talk, "incident:inc-1"))
    (head,) = await heads(store)
    assert (head.conversation, head.message) == (talk, stands)


async def test_pages_wait_a_little_and_not_longer_because_more_changes(store: Store) -> None:
    keys = ["home:T1.U1", "home:T1.U2"]
    await store.write(lambda tx: outbox.homes(tx, keys, delay_ms=60_000))
    before = await store.read(outbox.next_due)
    await store.write(lambda tx: outbox.homes(tx, keys, delay_ms=90_000))
    assert await store.read(outbox.next_due) == before
    assert await heads(store) == []
    await store.write(lambda tx: outbox.home(tx, keys[0]))  # somebody opens the page
    assert [head.item.key for head in await heads(store)] == keys[:1]
    assert await store.read(outbox.counts) == {"pending": 2}


async def test_a_line_with_a_tag_takes_the_place_of_the_last_one_only(store: Store) -> None:
    talk = await begin(store)
    for text in ("1 joined", "2 joined"):
        await store.write(lambda tx, text=text: outbox.post(tx, talk, {"text": text}, tag="joined"))  # type: ignore[misc]
    await store.write(lambda tx: outbox.post(tx, talk, {"text": "mitigated"}))
    await store.write(lambda tx: outbox.post(tx, talk, {"text": "3 joined"}, tag="joined"))
    assert [key for _, key, _ in await rows(store, talk)] == ["joined", None, "joined"]
    told = await store.read(lambda conn: outbox.told(conn, "joined"))
    assert told is not None
    assert told.payload == {"text": "3 joined"}


async def test_many_writers_of_one_thread_give_numbers_without_a_gap(store: Store) -> None:
    talk = await begin(store)
    await asyncio.gather(*(store.write(lambda tx: outbox.post(tx, talk, {"text": "x"})) for _ in range(20)))
    assert await store.read(outbox.counts) == {"pending": 20}
    assert len(await rows(store, talk)) == 20


async def test_only_who_holds_the_duty_may_store_what_became_of_a_row(store: Store) -> None:
    fence = await store.write(lambda tx: leases.take(tx, "slack.outbox", "one", 60_000))
    assert await store.write(lambda tx: leases.take(tx, "slack.outbox", "two", 60_000)) is None
    again = await store.write(lambda tx: leases.take(tx, "slack.outbox", "one", 60_000))
    assert fence is not None
    assert again == fence + 1
    with pytest.raises(LeaseLost):
        await store.write(lambda tx: leases.hold(tx, "slack.outbox", fence, 60_000))


async def test_where_a_thread_begins_is_stored_once(store: Store) -> None:
    talk = await begin(store)
    for ts in ("1.0", "2.0"):
        await store.write(lambda tx, ts=ts: outbox.rooted(tx, talk.id, "T9", ts))  # type: ignore[misc]
    now = await store.read(lambda conn: conversations.load(conn, talk.id))
    assert (now.team, now.root) == ("T9", "1.0")


async def test_what_was_told_long_ago_is_forgotten_but_not_a_threads_newest_number(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await begin(store)
    for _ in range(3):
        id = await store.write(lambda tx: outbox.post(tx, talk, {"text": "x"}))
        await store.write(lambda tx, id=id: outbox.sent(tx, id, "1.0"))  # type: ignore[misc]
    monkeypatch.setattr(outbox, "KEEP_MS", -1000)
    await store.write(outbox.forget)
    assert [state for _, _, state in await rows(store, talk)] == ["sent"]
    await store.write(lambda tx: outbox.post(tx, talk, {"text": "x"}))
    (head,) = await heads(store)
    assert head.item.seq == 4


async def test_what_has_come_to_its_end_stays_so(store: Store) -> None:
    talk = await begin(store)
    id = await store.write(lambda tx: outbox.post(tx, talk, {"text": "x"}))
    await store.write(lambda tx: outbox.sent(tx, id, "1.0"))
    for late in (
        lambda tx: outbox.doubt(tx, id, "cut off"),
        lambda tx: outbox.later(tx, id, 0, "again"),
        lambda tx: outbox.dead(tx, id, "gone"),
    ):
        await store.write(late)
    assert await rows(store, talk) == [("post", None, "sent")]


async def test_a_row_that_was_put_back_waits_for_its_time_whatever_is_marked(store: Store) -> None:
    talk = await begin(store)
    await store.write(lambda tx: outbox.mark(tx, talk, "plan:run-1#1"))
    (head,) = await heads(store)
    await store.write(lambda tx: outbox.later(tx, head.item.id, tx.now() + 60_000, "too early"))
    await store.write(lambda tx: outbox.mark(tx, talk, "plan:run-1#1"))
    assert await heads(store) == []
