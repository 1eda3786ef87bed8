"""Past incidents found by words, and what a run tells of them: with real rows, a real index and real planners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gate.kit import ANN, BOB
from incidents.lived import DAY, Lived, add_past, alert
from sysop.agent.collect import named
from sysop.extension import Remembered
from sysop.knowledge.memory.notebook import Notebook
from sysop.knowledge.memory.recollection import Recollection
from sysop.model import Origin, Request
from sysop.runner.recalled import MOST, Past
from sysop.store import incidents, runs
from sysop.store.store import Store
from sysop.store.writer import Tx

MINUTE = 60_000
OVER = {"mitigated_at": 4 * MINUTE, "resolved_at": 5 * MINUTE}
LATENCY, DISK, CERTIFICATE, OLD = (f"inc-past{number:06}" for number in range(4))
SERVICES = ("checkout", "payments", "gateway")


@pytest.fixture
async def past(store: Store) -> Store:
    """Return a database with four incidents that are over."""
    now = await store.now()
    await add_past(
        store,
        {"at": now - 2 * DAY, "alerts": [("HighLatency", "checkout")], **OVER},
        {"at": now - 3 * DAY, "alerts": [("DiskFull", "payments")], **OVER},
        {"at": now - 4 * DAY, "alerts": [("CertificateExpiring", "gateway")], **OVER},
        {"at": now - 90 * DAY, "alerts": [("HighLatency", "checkout")], **OVER},
    )
    await noted(store)
    return store


async def noted(store: Store) -> None:
    """Begin the audit log, so that what comes after it is told from what was before."""
    await store.write(lambda tx: tx.audit(incidents.chain(DISK), "incident.noted", "person:ann", text="x"))


async def ids(recollection: Recollection, text: str, *services: str) -> list[str]:
    return [one.memory.incident for one in await recollection.find(text, "chat", services)]


# -- by words ---------------------------------------------------------------------------------------------------------


async def test_a_question_finds_what_was_like_it_and_newer_ones_first(past: Store) -> None:
    found = Recollection(past)
    for question, expected in {
        "has checkout been slow before?": [LATENCY, OLD],
        "when was the disk of payments full?": [DISK],
        "did a certificate of the gateway expire last month?": [CERTIFICATE],
    }.items():
        assert await ids(found, question, *named(question, SERVICES)) == expected, question


async def test_where_nothing_is_like_it_nothing_comes(past: Store) -> None:
    found = Recollection(past)
    for question in (
        "who won the world cup?",
        "restart checkout",
        "what is wrong with checkout?",
        "scale checkout to 3",
        "look into this please",
        "has checkout run out of memory before?",
        "  ",
        "?",
    ):
        assert await ids(found, question, *named(question, SERVICES)) == [], question


async def test_with_a_service_no_incident_of_another_one_comes(past: Store) -> None:
    found = Recollection(past)
    assert await ids(found, "high latency") == [LATENCY, OLD]
    assert await ids(found, "high latency", "payments") == []


async def test_an_empty_database_remembers_nothing_and_what_comes_later_is_found(store: Store) -> None:
    found = Recollection(store)
    assert await ids(found, "has checkout been slow?") == []
    await add_past(store, {"at": await store.now(), "alerts": [("HighLatency", "checkout")], **OVER})
    await noted(store)
    assert await ids(found, "has checkout been slow?") == [LATENCY]


async def test_what_another_process_writes_is_known_to_the_next_answer(past: Store, url: str) -> None:
    here, other = Recollection(past), Store.open(url)
    there, book = Recollection(other), Notebook(other)
    for one in (here, there):
        assert await ids(one, "has checkout been slow?") == [LATENCY, OLD]
    await book.forget(LATENCY, ANN, "a game day")
    assert [await ids(one, "has checkout been slow?") for one in (here, there)] == [[OLD], [OLD]]
    await book.remember(LATENCY, BOB)
    assert [await ids(one, "has checkout been slow?") for one in (here, there)] == [[LATENCY, OLD]] * 2
    await other.close()


async def test_reports_and_corrections_are_found_by_what_they_say(past: Store) -> None:
    found, book = Recollection(past), Notebook(past)
    assert await ids(found, "did the loyalty voucher campaign overload us?") == []
    await book.report(DISK, ANN, "# Vouchers\n\nThe loyalty voucher campaign overloaded the archive job.")
    assert await ids(found, "did the loyalty voucher campaign overload us?") == [DISK]
    assert await ids(found, "was it the thundering herd of cron jobs?") == []
    await book.correct(CERTIFICATE, BOB, "the thundering herd of cron jobs exhausted the issuer's quota")
    assert await ids(found, "was it the thundering herd of cron jobs?") == [CERTIFICATE]


async def test_what_people_found_wrong_comes_after_what_nobody_complained_of(past: Store) -> None:
    found, book = Recollection(past), Notebook(past)
    for actor in (ANN, BOB):
        await book.rate(DISK, f"incident/{LATENCY}", actor, "wrong")
    assert await ids(found, "has checkout been slow?") == [OLD, LATENCY]


async def test_who_gives_up_waiting_spoils_the_answer_of_nobody(past: Store) -> None:
    found = Recollection(past)
    for turn in range(6):
        asking = asyncio.create_task(ids(found, "has checkout been slow?"))
        for _ in range(turn):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    answers = await asyncio.gather(*(ids(found, "has checkout been slow?") for _ in range(5)))
    assert answers == [[LATENCY, OLD]] * 5


# -- of a run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def lived(tmp_path: Path, url: str) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def opened(lived: Lived, name: str, service: str, **annotations: str) -> str:
    """Have an alert open an incident, and return the run that looks into it."""
    fired = alert(name, service, await lived.app.store.now())
    await lived.place({"new": [replace(fired, annotations=annotations)]})
    (incident,) = [one for one in await lived.all() if one.state == "open"]
    return str(incident.run)


async def recalled(lived: Lived, run: str) -> list[str]:
    past = Past(lived.app.store, Recollection(lived.app.store), SERVICES)
    found = await past.recalled(await lived.app.store.read(lambda conn: runs.load(conn, run)))
    assert all(isinstance(one, Remembered) and one.incident in one.text for one in found)
    return [one.incident for one in found]


async def test_an_alert_nobody_has_seen_is_recalled_by_what_it_says(lived: Lived) -> None:
    now = await lived.app.store.now()
    await add_past(lived.app.store, {"at": now - 2 * DAY, "alerts": [("QueueBacklog", "checkout")], **OVER})
    await noted_in(lived, LATENCY)
    text = "consumers of the voucher topic fell behind because a poison message blocked them"
    await Notebook(lived.app.store).correct(LATENCY, ANN, text)
    run = await opened(lived, "ConsumersBehind", "checkout", summary="consumers of the voucher topic fall behind")
    assert await recalled(lived, run) == [LATENCY]


async def test_the_same_alert_of_another_service_is_not_like_it(lived: Lived) -> None:
    now = await lived.app.store.now()
    await add_past(lived.app.store, {"at": now - 2 * DAY, "alerts": [("HighErrorRate", "payments")], **OVER})
    await noted_in(lived, LATENCY)
    assert await recalled(lived, await opened(lived, "HighErrorRate", "gateway")) == []


async def test_a_twin_is_told_until_two_people_found_it_wrong_to_tell(lived: Lived) -> None:
    now = await lived.app.store.now()
    await add_past(lived.app.store, {"at": now - 7 * DAY, "alerts": [("Slow", "gateway")], **OVER})
    await noted_in(lived, LATENCY)
    run = await opened(lived, "Slow", "gateway")
    book, shown = Notebook(lived.app.store), f"incident/{LATENCY}"
    assert await recalled(lived, run) == [LATENCY]
    for actor in (ANN, BOB):
        await book.rate(run, shown, actor, "wrong")
    assert await recalled(lived, run) == []
    for actor in (ANN, BOB):
        await book.rate(run, shown, actor, "helpful")
    assert await recalled(lived, run) == [LATENCY]


async def test_what_one_run_has_told_a_later_one_about_the_incident_does_not_tell_again(lived: Lived) -> None:
    now = await lived.app.store.now()
    await add_past(lived.app.store, {"at": now - 7 * DAY, "alerts": [("Slow", "gateway")], **OVER})
    await noted_in(lived, LATENCY)
    run = await opened(lived, "Slow", "gateway")
    (incident,) = [one.id for one in await lived.all() if one.state == "open"]
    await said(lived, run, Remembered(LATENCY, "Seen before."))
    assert await recalled(lived, run) == [LATENCY]  # replayed, it comes to the same
    later = await lived.app.service.submit(Request(ANN, Origin.ASKED, "test", "and now?", incident=incident))
    assert await recalled(lived, later) == []


async def test_a_person_who_asks_is_told_of_at_most_two(lived: Lived) -> None:
    now = await lived.app.store.now()
    many = ({"at": now - days * DAY, "alerts": [("HighLatency", "checkout")], **OVER} for days in range(2, 6))
    await add_past(lived.app.store, *many)
    await noted_in(lived, LATENCY)
    asked = await lived.app.service.submit(Request(ANN, Origin.ASKED, "test", "has checkout been slow before?"))
    assert await recalled(lived, asked) == ["inc-past000000", "inc-past000001"]
    assert MOST == 2
    other = await lived.app.service.submit(Request(ANN, Origin.ASKED, "test", "has payments been slow before?"))
    assert await recalled(lived, other) == []


async def noted_in(lived: Lived, incident: str) -> None:
    def unit(tx: Tx) -> None:
        tx.audit(incidents.chain(incident), "incident.noted", "person:ann", text="x")

    await lived.app.store.write(unit)


async def said(lived: Lived, run: str, what: Remembered) -> None:
    def unit(tx: Tx) -> None:
        claimed = runs.claim(tx, run, "tester")
        assert claimed is not None
        runs.say(tx, run, claimed.fence, what.said_as, what.text)

    await lived.app.store.write(unit)
