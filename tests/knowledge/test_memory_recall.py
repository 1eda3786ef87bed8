"""Past incidents as pages: lived through with a real planner, gate and database, then remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import bench
from gate.kit import ANN, BOB, DAN, Attack
from incidents.lived import DAY, Lived, add_past, alert
from sysop.errors import InvalidRequest, NoSuch, NotAllowed
from sysop.knowledge.memory.notebook import MOST_BYTES, Notebook
from sysop.knowledge.memory.recall import MOST, Memory, incident_of, recall, recall_these, teaches
from sysop.model import Incident, Origin, Request
from sysop.store import audit, incidents, notes, questions, runs
from sysop.store import tables as t
from sysop.store.store import Store
from sysop.store.writer import host_clock

RUNBOOK = """---
title: Too many errors
alerts: [HighErrorRate]
owner: team web
---
## Mend it

```step
id: mend
action: lab.checked
with: {name: web}
note: Put it right.
```

## Try again

```step
id: again
action: lab.refuse
with: {name: cache}
otherwise: continue
```

```step
id: look
action: lab.look
until: ${size(steps.look.result) > 0}
within: 5s
```

```conclude
resolved: true
summary: web was put right
cause: a bad release
confidence: medium
```
"""


class Followed(Attack):
    """A Sysop that follows a runbook when its alert comes; its clock can be put forward on SQLite."""

    def __init__(self, folder: Path, url: str) -> None:
        self.ahead_ms = 0
        (folder / "pages").mkdir()
        (folder / "pages" / "errors.md").write_text(RUNBOOK)
        (folder / "healthy").write_text("yes")
        store = Store.open(url, clock=lambda: host_clock() + self.ahead_ms)
        more = {"runbooks": [str(folder / "pages")], "incidents": {"triage_after_seconds": 0, "quiet_seconds": 0}}
        super().__init__(folder, url, store=store, **more)

    async def live_through(self, *, minutes: int) -> Incident:
        """Have an alert come, the runbook followed, the change approved, and the alert end so long after it."""
        now = await self.app.store.now()
        fired = alert("HighErrorRate", "web", now - 5_000, labels={"severity": "critical", "environment": "production"})
        await bench.take(self.app, [fired])
        (incident,) = await self.app.store.read(incidents.unresolved)
        run = str(incident.run)
        for call in ("mend", "again"):
            await self.work()
            assert (await self.vote(await self.approval(run, call), BOB)).counted
        await self.work()
        self.ahead_ms += minutes * 60_000
        ended = alert("HighErrorRate", "web", fired.starts_at, ends_at=await self.app.store.now(), labels=fired.labels)
        await self.app.lifecycle.take([ended])
        await self.app.lifecycle.tick()
        return await self.app.store.read(lambda conn: incidents.load(conn, incident.id))


@pytest.fixture
async def followed(tmp_path: Path, url: str) -> AsyncIterator[Followed]:
    made = Followed(tmp_path, url)
    yield made
    await made.close()


@pytest.fixture
async def lived(tmp_path: Path, url: str) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def remembered(store: Store) -> list[Memory]:
    return await store.read(recall)


async def test_an_incident_that_a_runbook_mended_is_remembered_with_what_its_rows_prove(followed: Followed) -> None:
    incident = await followed.live_through(minutes=0)
    (memory,) = await remembered(followed.app.store)
    document = memory.document
    assert (document.id, document.path, document.kind) == (
        f"incident/{incident.id}",
        f"incident/{incident.id}",
        "incident",
    )
    assert (document.alerts, document.services, document.environments) == (
        ("HighErrorRate",),
        ("web",),
        ("production",),
    )
    assert (document.at, memory.at, incident_of(document.id)) == (incident.opened_at, incident.opened_at, incident.id)
    assert (memory.helped, memory.lesson.changes, memory.lesson.fix) == (True, 2, "lab.checked of web")
    told = {section.title: section.text for section in document.sections}
    assert told["What happened"].splitlines() == [
        "HighErrorRate on web (critical)",
        "Alerts: HighErrorRate on web",
        "web was put right",
        "Cause: a bad release (confidence medium)",
    ]
    assert told["What was tried"].splitlines() == [
        "- lab.checked name=web: was done, verified (healthy)",
        "- lab.refuse name=cache: failed (cache is not possible; token=[redacted])",
    ]
    assert told["What helped"] == "lab.checked of web; no alert fired any more less than a minute later."
    assert list(told) == ["What happened", "What was tried", "What helped"]
    assert teaches(memory).endswith(": lab.checked of web fixed it in less than a minute")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # the other one's clock is the server's
async def test_the_minutes_are_those_from_the_change_that_helped_until_no_alert_fired(followed: Followed) -> None:
    await followed.live_through(minutes=4)
    (memory,) = await remembered(followed.app.store)
    assert memory.minutes == 4
    assert teaches(memory).endswith(": lab.checked of web fixed it in 4 minutes")
    assert memory.document.sections[2].text == "lab.checked of web; no alert fired any more 4 minutes later."


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # the other one's clock is the server's
async def test_a_week_later_its_twin_is_told_what_helped(followed: Followed) -> None:
    first = await followed.live_through(minutes=4)
    followed.ahead_ms += 7 * DAY
    second = await followed.live_through(minutes=1)
    said = await followed.app.store.read(lambda conn: runs.said(conn, str(second.run)))
    told = [text for id, text, _ in said if id.startswith("recalled")]
    (memory,) = await followed.app.store.read(lambda conn: recall_these(conn, [first.id]))
    assert told == [f"S{teaches(memory)[1:]} ({first.id})."]
    assert told[0].endswith(f": lab.checked of web fixed it in 4 minutes ({first.id}).")
    assert not [
        id for id, *_ in await followed.app.store.read(lambda c: runs.said(c, str(first.run))) if "recall" in id
    ]


async def test_a_person_who_asks_is_told_of_it_before_the_answer(followed: Followed) -> None:
    past = await followed.live_through(minutes=0)
    asked = Request(ANN, Origin.ASKED, "test", "did web have a high error rate before?")
    run = await followed.app.service.submit(asked)
    await followed.work()
    told = [(id, text) for id, text, _ in await followed.app.store.read(lambda conn: runs.said(conn, run))]
    (memory,) = await remembered(followed.app.store)
    assert told[0] == (f"recalled.{past.id}", f"S{teaches(memory)[1:]} ({past.id}).")


async def test_an_incident_that_is_open_is_no_memory_until_it_is_mitigated(lived: Lived) -> None:
    now = await lived.app.store.now()
    fired = alert("Slow", "gateway", now)
    await lived.place({"g": [fired]})
    assert await remembered(lived.app.store) == []
    await lived.end(fired, at=now + 1)
    (memory,) = await remembered(lived.app.store)
    assert (memory.helped, memory.minutes) == (None, None)
    assert teaches(memory).endswith("no alert fired any more after less than a minute; Sysop changed nothing")
    assert memory.document.sections[1].text == "Sysop changed nothing."
    assert memory.document.sections[2].text == "Nothing that Sysop did."


async def test_a_planner_that_only_tries_is_told_as_that(lived: Lived) -> None:
    incident = await lived.live_through()
    (memory,) = await remembered(lived.app.store)
    assert memory.lesson.fix == "lab.checked of web"
    unverified = (
        update(t.effect).where(t.effect.c.action == "lab.checked").values(verified=False, verification="no better")
    )
    await lived.app.store.write(lambda tx: tx.conn.execute(unverified) and None)
    (memory,) = await lived.app.store.read(lambda conn: recall_these(conn, [incident.id, "inc-x", incident.id]))
    assert (memory.helped, memory.minutes) == (False, None)
    assert teaches(memory).endswith("; 1 change was tried, and none is known to have helped")
    assert "its check says that it did not help (no better)" in memory.document.sections[1].text
    assert memory.document.sections[2].text == "Nothing that Sysop did."


async def test_a_change_that_was_done_after_the_alerts_had_ended_helped_nothing(lived: Lived) -> None:
    incident = await lived.live_through()
    earlier = update(t.incident).values(mitigated_at=incident.opened_at)
    await lived.app.store.write(lambda tx: tx.conn.execute(earlier) and None)
    (memory,) = await remembered(lived.app.store)
    assert memory.helped is False


async def test_neither_a_run_that_only_looked_nor_a_call_that_never_began_is_told(lived: Lived) -> None:
    await lived.live_through()
    request = update(t.run).values(request={"read_only": True})
    begun = update(t.effect).where(t.effect.c.action == "lab.checked").values(state="intent")
    await lived.app.store.write(lambda tx: tx.conn.execute(begun) and None)
    (memory,) = await remembered(lived.app.store)
    assert (memory.helped, "taken back" in memory.document.sections[0].text) == (None, True)
    await lived.app.store.write(lambda tx: tx.conn.execute(request) and None)
    (memory,) = await remembered(lived.app.store)
    assert memory.document.sections[0].text.splitlines() == [
        "HighErrorRate on checkout (critical)",
        "Alerts: HighErrorRate on checkout; Slow on gateway",
    ]


async def test_of_an_incident_that_a_person_closed_while_it_fired_nothing_is_said_to_have_fixed_it(
    lived: Lived,
) -> None:
    await lived.live_through()
    closed = update(t.incident).values(state="resolved", mitigated_at=None, resolved_at=await lived.app.store.now())
    await lived.app.store.write(lambda tx: tx.conn.execute(closed) and None)
    (memory,) = await remembered(lived.app.store)
    assert teaches(memory).endswith(": lab.checked of web helped, and it was closed less than a minute later")
    assert memory.document.sections[2].text == "lab.checked of web; it was closed less than a minute later."


# -- dates and weights ------------------------------------------------------------------------------------------------

NOV_3 = 1_793_707_200_000
"""3 Nov 2026, 12:00 UTC."""


async def one_of(store: Store, at: int, **more: Any) -> None:
    over = {"mitigated_at": 720_000, "resolved_at": 900_000, "alerts": [("Slow", "web")]}
    await add_past(store, {"at": at, **over, **more})


@pytest.mark.parametrize(
    ("at", "now", "day"),
    [
        (NOV_3, NOV_3 + DAY, "3 Nov"),
        (NOV_3, NOV_3 + 365 * DAY, "3 Nov 2026"),
        (1_798_761_599_000, 1_798_761_601_000, "31 Dec 2026"),
    ],
    ids=["this year", "another year", "either side of midnight in UTC"],
)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_day_of_another_year_has_its_year(url: str, at: int, now: int, day: str) -> None:
    store = Store.open(url, clock=lambda: now)
    await one_of(store, at)
    (memory,) = await remembered(store)
    assert teaches(memory) == f"seen before on {day}: no alert fired any more after 12 minutes; Sysop changed nothing"
    await store.close()


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "less than a minute"), (1, "1 minute"), (119, "119 minutes"), (180, "3 hours"), (4 * 1440, "4 days")],
)
async def test_how_long_it_took_is_told_in_one_unit(store: Store, minutes: int, words: str) -> None:
    await one_of(store, await store.now() - 5 * DAY, mitigated_at=minutes * 60_000, resolved_at=minutes * 60_000 + 1)
    (memory,) = await remembered(store)
    assert f": no alert fired any more after {words}; " in teaches(memory)


async def test_newest_come_first_and_weigh_most(store: Store) -> None:
    now = await store.now()
    for number, days in enumerate((90, 0, 180)):
        await one_of(store, now - days * DAY, id=f"inc-{number}")
    found = await remembered(store)
    assert [one.incident for one in found] == ["inc-1", "inc-0", "inc-2"]
    assert [round(one.weight, 3) for one in found] == [1.0, 0.5, 0.25]


async def test_what_people_thought_of_it_moves_its_weight(store: Store) -> None:
    book, shown = Notebook(store), "incident/inc-past000000"
    await one_of(store, await store.now())

    async def weight() -> float:
        return round((await remembered(store))[0].weight, 4)

    weights = [await weight()]
    for actor, verdict in ((ANN, "helpful"), (ANN, "helpful"), (BOB, "helpful"), (DAN, "helpful"), (DAN, "wrong")):
        await book.rate("inc-past000000", shown, actor, verdict)  # type: ignore[arg-type]
        weights.append(await weight())
    assert weights == [1.0, 1.25, 1.25, 1.5625, 1.5625, 0.7812]
    kept = await store.read(lambda conn: audit.entries(conn, limit=50))
    assert sum(entry.kind == "incident.rated" for entry in kept) == 4  # what ann has said last, she says no second time


async def test_parts_of_others_held_back_ones_and_those_that_are_too_many_are_left_out(store: Store) -> None:
    now = await store.now()
    await one_of(store, now - 2 * DAY)
    await add_past(
        store,
        *(
            {"at": now - DAY, "id": id, "resolved_at": 1, "alerts": pairs}
            for id, pairs in (("inc-e", []), ("inc-p", [("A", "b")]))
        ),
    )
    part = update(t.incident).where(t.incident.c.id == "inc-p").values(merged_into="inc-past000000")
    await store.write(lambda tx: tx.conn.execute(part) and None)
    assert [one.incident for one in await remembered(store)] == ["inc-past000000"]
    by_hand = update(t.incident).where(t.incident.c.id == "inc-e").values(opened_by="person:ann")
    await store.write(lambda tx: tx.conn.execute(by_hand) and None)
    assert [one.incident for one in await remembered(store)] == ["inc-e", "inc-past000000"]
    assert [one.incident for one in await store.read(lambda conn: recall(conn, 1))] == ["inc-e"]
    assert MOST == 5000


# -- what people write ------------------------------------------------------------------------------------------------


@pytest.fixture
async def past(store: Store) -> Store:
    await one_of(store, await store.now() - DAY)
    return store


ID = "inc-past000000"


async def test_a_report_and_a_correction_are_sections_and_the_correction_is_told_first(past: Store) -> None:
    book = Notebook(past)
    before = (await remembered(past))[0].document
    await book.report(ID, ANN, "# What we learned\n\nCertificates expire.")
    await book.correct(ID, BOB, "not the release:\nthe certificate\x1b[31m had expired")
    (memory,) = await remembered(past)
    sections = {section.title: section.text for section in memory.document.sections}
    assert sections["Post-incident report"] == "# What we learned\n\nCertificates expire."
    assert sections["Correction"].startswith("bob: not the release:\nthe certificate")
    assert teaches(memory).endswith(': bob corrected: "not the release: the certificate [31m had expired"')
    assert memory.document.digest != before.digest


async def test_each_line_number_is_where_its_section_stands_in_the_page(past: Store) -> None:
    await Notebook(past).report(ID, ANN, "one\n\ntwo")
    await Notebook(past).correct(ID, ANN, "three")
    document = (await remembered(past))[0].document
    page = "\n\n".join([f"# {document.title}", *(f"## {one.title}\n\n{one.text}" for one in document.sections)]).split(
        "\n"
    )
    assert [page[one.line - 1] for one in document.sections] == [f"## {one.title}" for one in document.sections]


async def test_what_is_forgotten_is_not_remembered_until_it_is_said_to_be(past: Store) -> None:
    book = Notebook(past)
    await book.report(ID, ANN, "a secret plan")
    await book.forget(ID, ANN, "a game day")
    assert await remembered(past) == []
    assert await past.read(lambda conn: recall_these(conn, [ID])) == []
    with pytest.raises(InvalidRequest, match=f"{ID} is forgotten already"):
        await book.forget(ID, BOB)
    await book.remember(ID, BOB)
    (memory,) = await remembered(past)
    assert "a secret plan" in str(memory.document.sections)
    with pytest.raises(InvalidRequest, match=f"nobody said to forget {ID}"):
        await book.remember(ID, BOB)


async def test_one_that_is_forgotten_leaves_room_for_the_next_and_a_forgotten_part_hides_the_whole(past: Store) -> None:
    await one_of(past, await past.now() - 2 * DAY, id="inc-older")
    await one_of(past, await past.now() - 3 * DAY, id="inc-part")
    await Notebook(past).forget(ID, ANN)
    assert [one.incident for one in await past.read(lambda conn: recall(conn, 1))] == ["inc-older"]
    await Notebook(past).forget("inc-part", ANN)
    part = update(t.incident).where(t.incident.c.id == "inc-part").values(merged_into="inc-older")
    await past.write(lambda tx: tx.conn.execute(part) and None)
    assert await remembered(past) == []


async def test_what_is_written_of_a_part_is_about_the_whole(past: Store) -> None:
    await one_of(past, await past.now() - 2 * DAY, id="inc-part", merged_into=ID)
    assert await Notebook(past).correct("inc-part", ANN, "it was the disk") == ID
    (memory,) = await remembered(past)
    assert memory.correction == "it was the disk"


async def test_only_people_with_a_role_say_what_is_remembered(past: Store) -> None:
    book = Notebook(past)
    for write in (
        book.report(ID, DAN, "x"),
        book.correct(ID, DAN, "x"),
        book.forget(ID, DAN),
        book.remember(ID, DAN),
        book.answered("que-x", DAN),
        book.dismiss("que-x", DAN),
    ):
        with pytest.raises(NotAllowed, match="only a person with a role can say what is remembered"):
            await write
    assert await past.read(lambda conn: notes.of(conn, ID)) == notes.Notes()


async def test_wrong_words_are_refused_with_the_field_and_the_fix(past: Store) -> None:
    book = Notebook(past)
    refused: Mapping[str, Any] = {
        "text: there is nothing in it": book.report(ID, ANN, " \n"),
        "text: longer than 16,384 bytes; shorten it": book.report(ID, ANN, "é" * (MOST_BYTES // 2) + "x"),
        "reason: longer than 16,384 bytes": book.forget(ID, ANN, "x" * (MOST_BYTES + 1)),
        "there is no incident 'inc-x'; see: sysop incidents": book.correct("inc-x", ANN, "x"),
        "verdict: 'bad' is neither helpful nor wrong": book.rate(ID, "runbooks/a.md", ANN, "bad"),  # type: ignore[arg-type]
        "shown: name the page or incident": book.rate(ID, " ", ANN, "wrong"),
        "note: longer than 1,000 bytes": book.rate(ID, "runbooks/a.md", ANN, "wrong", "x" * 1001),
    }
    for said, write in refused.items():
        with pytest.raises(InvalidRequest, match=said):
            await write
    for subject, shown in (("run-x", "runbooks/a.md"), (ID, "incident/inc-x")):
        with pytest.raises(NoSuch):
            await book.rate(subject, shown, ANN, "wrong")
    await book.report(ID, ANN, "é" * (MOST_BYTES // 2))


async def test_of_two_people_who_forget_at_once_one_is_told_that_it_is_done(past: Store) -> None:
    book = Notebook(past)
    both = await asyncio.gather(book.forget(ID, ANN), book.forget(ID, BOB), return_exceptions=True)
    assert sorted(map(str, both)) == [ID, f"{ID} is forgotten already"]


async def test_a_question_asked_by_many_at_once_is_one_and_all_are_counted(store: Store) -> None:
    book = Notebook(store)
    asked = await asyncio.gather(*(book.unanswered(f"why is  it{'?' * number} slow", "slack") for number in range(8)))
    (one,) = await store.read(questions.listed)
    assert (set(asked), one.asked, one.state) == ({one.id}, 8, "open")
    assert (await book.answered(one.id, ANN)).state == "answered"
    assert await book.unanswered("?!", "slack") is None
