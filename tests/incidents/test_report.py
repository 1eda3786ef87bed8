"""The draft of a post-incident report: facts with their evidence, and nothing that others wrote can shape it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from sqlalchemy import Connection

from gate.kit import ANN, BOB
from incidents.lived import DAY, Lived, alert
from sysop.errors import NoSuch
from sysop.incidents import inert
from sysop.incidents.report import Report, draft
from sysop.incidents.words import when
from sysop.store import audit, effects, incidents, records

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SECTIONS = [
    "Summary",
    "Impact",
    "Probable origin",
    "What was tried",
    "What helped",
    "Timeline",
    "Similar incidents",
    "Open questions",
    "Lessons",
    "Follow-ups",
]


@pytest.fixture
async def lived(url: str, tmp_path: Path) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def of(lived: Lived, incident: str) -> Report:
    return await lived.app.store.read(lambda conn: draft(conn, lived.app.contexts.inventory, incident))


def sections(report: Report) -> dict[str, str]:
    parts = re.split(r"^## (.*)$", report.text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


async def test_a_report_has_the_facts_each_with_where_it_is_written_down(lived: Lived) -> None:
    incident = await lived.live_through()
    report = await of(lived, incident.id)
    run, told = incident.run, sections(report)
    assert (report.title, report.file) == (
        "Post-incident report: HighErrorRate on checkout",
        f"{incident.id}-report.md",
    )
    assert list(told) == SECTIONS
    for row in (
        "| Severity | critical | test/HighErrorRate-checkout |",
        "| Owner | team shop, team edge |",
        "by ann, ",
    ):
        assert row in told["Summary"]
    assert "Alerts fired from " in told["Impact"]
    assert "The first was HighErrorRate on checkout (test/HighErrorRate-checkout)." in told["Impact"]
    assert "- checkout, 72 % by correlation: it was first" in told["Probable origin"]
    assert f"- `{run}` found: the release of 14:00; confidence medium" in told["Probable origin"]
    assert f"| was done, and it helped: healthy | bob | `{run}:fix` |" in told["What was tried"]
    assert "lab.append thing:cache has not been done; its approval is denied: not the cache" in told["What was tried"]
    assert f"lab.look (`{run}:look`)" in told["What was tried"]
    assert told["What helped"].startswith("- lab.checked thing:web: healthy. No alert fired any more ")
    assert f"- Not checked: whether payments lost orders (`{run}`)" in told["Open questions"]
    assert told["Lessons"] == told["Follow-ups"] == "_For people to write: Sysop has nothing to say here._"


async def test_every_call_and_entry_that_is_cited_exists(lived: Lived) -> None:
    incident = await lived.live_through()
    text = (await of(lived, incident.id)).text
    calls = set(re.findall(r"`(run-\w{10}):([\w.#-]+)`", text))
    numbers = {int(number) for number in re.findall(r"`audit:(\d+)`", text)}
    assert len(calls) == 3
    for run, call in calls:
        assert await lived.app.store.read(lambda conn, run=run, call=call: effects.find(conn, run, call)), (run, call)
    known = {entry.id for entry in await lived.app.store.read(lambda conn: audit.newest(conn, 1000))}
    assert len(numbers) > 10
    assert numbers <= known


FACTS = {
    "State": "incident.mitigated",
    "Opened": "incident.opened",
    "Looked after": "incident.acknowledged",
    "Mitigated": "incident.mitigated",
}


async def test_every_fact_of_the_summary_names_the_entry_or_the_alert_that_says_so(lived: Lived) -> None:
    incident = await lived.live_through()
    told = sections(await of(lived, incident.id))
    rows = {row[1].strip(): row[3].strip() for line in told["Summary"].splitlines() if (row := line.split("|"))}
    entries = {entry.evidence: entry for entry in await lived.app.store.read(_entries(incident.id))}
    for fact, kind in FACTS.items():
        entry = entries[rows[fact].strip("`")]
        assert (entry.kind, when(entry.at) in told["Summary"]) == (kind, True), fact
    assert rows["Services"] == rows["Alerts"] == "test/HighErrorRate-checkout, test/Slow-gateway"
    assert rows["Resolved"] == "", "what has not happened is written nowhere"
    await lived.app.lifecycle.resolve(incident.id, BOB, "it is over")
    told = sections(await of(lived, incident.id))
    assert re.search(
        r"\| Resolved \| [\d :-]+ by bob, .* after it was opened: it is over \| `audit:\d+` \|", told["Summary"]
    )
    assert re.search(r"until [\d :-]+, .*\(test/(HighErrorRate-checkout|Slow-gateway)\)\. The first", told["Impact"])


def _entries(incident: str) -> Callable[[Connection], list[records.Entry]]:
    return lambda conn: records.entries(conn, incidents.chain(incident), 100)


async def test_a_crowd_of_services_with_endless_names_is_cut_and_counted(lived: Lived) -> None:
    now = await lived.app.store.now()
    await lived.place({"g": [alert("High", f"{'s' * 5000}{at}", now + at, fingerprint=f"f{at}") for at in range(40)]})
    (one,) = await lived.all()
    told = sections(await of(lived, one.id))
    assert " and 10 more | " in told["Summary"]
    assert " and 35 more |" in told["Summary"]
    assert max(map(len, told["Summary"].splitlines())) < 4000


async def test_what_is_not_known_is_called_so(lived: Lived) -> None:
    now = await lived.app.store.now()
    await lived.place({"g": [alert("Odd", None, now - 5000)]})
    (one,) = await lived.all()
    told = sections(await of(lived, one.id))
    assert told["Probable origin"].startswith("- Undetermined by correlation")
    assert f"- `{one.run}` has not ended yet." in told["Probable origin"]
    assert told["What was tried"] == "Nothing was changed by Sysop.\n\nSysop looked at nothing."
    assert told["What helped"] == "No change of Sysop's is known to have helped."
    assert told["Open questions"] == "- Odd fires still (test/Odd-None)"
    assert told["Similar incidents"] == "None of the past incidents has much in common with it."
    for row in ("| Services | none named |", "| Owner | none in the inventory |", "| Looked after | nobody said so |"):
        assert row in told["Summary"]
    assert " until now, " in told["Impact"]


async def test_an_origin_that_holds_no_more_is_told_no_more(lived: Lived) -> None:
    now = await lived.app.store.now()
    first, second = alert("A", "checkout", now - 5000), alert("B", "blog", now)
    origin = {
        "alert": f"test/A-checkout@{now - 5000}",
        "service": "checkout",
        "weight": 1.0,
        "reason": "it is about it",
    }
    await lived.place({"g": [first]}, origins={"g": [origin]})
    (one,) = await lived.all()
    assert "it is about it" in sections(await of(lived, one.id))["Probable origin"]
    await lived.place({"g": [first, second]}, origins={"g": []})
    assert sections(await of(lived, one.id))["Probable origin"].startswith("- Undetermined by correlation")


async def test_an_origin_that_a_person_put_elsewhere_is_none_of_this_incident(lived: Lived) -> None:
    now = await lived.app.store.now()
    pair = [alert("A", "checkout", now), alert("B", "blog", now)]
    origins = [
        {"alert": f"test/{one.fingerprint}@{now}", "service": one.service, "weight": 0.5, "reason": "first"}
        for one in pair
    ]
    await lived.place({"g": pair}, origins={"g": origins})
    (one,) = await lived.all()
    await lived.app.regroup.split(one.id, ["A-checkout"], ANN)
    told = sections(await of(lived, one.id))["Probable origin"]
    assert ("checkout, 50 %" in told, "blog, 50 %" in told) == (False, True)


async def test_an_incident_opened_by_hand_has_no_impact_that_sysop_could_tell(lived: Lived) -> None:
    opened = await lived.app.lifecycle.open_by_hand(ANN, "Web is odd", "error", ["gateway"], delivery="1")
    told = sections(await of(lived, opened))
    assert "by ann |" in told["Summary"]
    assert told["Impact"].startswith("No alert belongs to it")
    assert told["Open questions"] == "None that the records show."


async def test_an_incident_that_took_another_in_tells_of_both(lived: Lived) -> None:
    now = await lived.app.store.now()
    await lived.place({"g": [alert("A", "checkout", now), alert("B", "gateway", now)], "h": [alert("C", "blog", now)]})
    large, small = sorted(await lived.all(), key=lambda one: -len(one.alerts))
    await lived.app.regroup.merge(small.id, large.id, BOB)
    text = (await of(lived, large.id)).text
    assert f"| Merged into it | `{small.id}` |" in text
    assert f"{small.id} merged into it" in text
    assert f"- Undetermined by `{small.run}`." in text
    gone = (await of(lived, small.id)).text
    assert f"| State | resolved, part of `{large.id}` |" in gone
    assert f"after it was opened: it is part of {large.id} |" in gone


async def test_of_a_storm_that_goes_on_only_some_alerts_are_named_and_the_others_counted(lived: Lived) -> None:
    now = await lived.app.store.now()
    await lived.place({"g": [alert("High", "checkout", now + at, fingerprint=f"f{at}") for at in range(400)]})
    (one,) = await lived.all()
    told = sections(await of(lived, one.id))
    assert told["Open questions"].splitlines()[19:] == [
        "- High on checkout fires still (test/f19)",
        "- 380 alerts more fire still",
    ]
    assert told["Timeline"].endswith("moments more are left out; the audit log has them.")
    assert len(told["Timeline"].splitlines()) < 210


async def test_no_report_is_drafted_of_an_incident_that_does_not_exist(lived: Lived) -> None:
    with pytest.raises(NoSuch):
        await of(lived, "inc-x")


HOSTILE = (
    "# x\n\n| a | b |\n|---|---|\n<script>@channel</script> <!channel> **b** [l](https://evil.example) `c` ~~s~~ \\"
)


async def test_what_alerts_and_people_write_stays_text(lived: Lived) -> None:
    now = await lived.app.store.now()
    calm, wild = alert("Calm", "checkout", now - DAY), alert(HOSTILE, HOSTILE, now, labels={"severity": HOSTILE})
    await lived.place({"g": [calm], "h": [wild]})
    tokens = {}
    for one in await lived.all():
        await lived.say(one.id, HOSTILE if "#" in one.title else "a message")
        await lived.app.lifecycle.acknowledge(one.id, ANN)
        report = await of(lived, one.id)
        assert list(sections(report)) == SECTIONS
        tokens["#" in one.title] = READER.parse(report.text)
        assert not re.search(r"@\w|://|<|\bwww\.", report.text.replace("\\<", ""))
    assert shape(tokens[True]) == shape(tokens[False])


def shape(tokens: list[Token]) -> list[str]:
    """Return the structure of a document: its blocks, and what is inside of them but text."""
    found = []
    for token in tokens:
        found.append(token.type)
        found += [child.type for child in token.children or () if child.type != "text"]
    return found


def page(text: str) -> str:
    """Return a document with a text in every place where reports put one."""
    lines = [f"# Report: {text}", "", f"- {text}", f"- `run-1` found: {text}; so", "", "| a | b |", "| --- | --- |"]
    return "\n".join([*lines, f"| {text} | {text} |", "", f"First {text}.", ""])


MARKS = st.text(st.sampled_from("ab1 #*_`[]()<>!|\\~@:/.-+=&;^$\"'\n\t{}w"), max_size=40)


@given(MARKS | st.text(max_size=60))
def test_any_text_reads_in_markdown_as_it_was_written_and_changes_no_structure(foreign: str) -> None:
    written = inert.text(foreign)
    tokens = READER.parse(page(written))
    assert shape(tokens) == shape(READER.parse(page("word")))
    (cell,) = {t.content for t in _inline(tokens, "td_open")}
    flat = " ".join(foreign.split())
    shown = "".join(c if c.isprintable() else f"(u+{ord(c):04x})" for c in flat) or "–"
    assert "".join(child.content for child in READER.parseInline(cell)[0].children or ()).replace("\u200b", "") == shown
    assert not re.search(r"@\S|://|(?i:\bwww\.)", written.replace("@\u200b", ""))


def _inline(tokens: list[Token], after: str) -> list[Token]:
    return [token for before, token in pairwise(tokens) if before.type == after]


def test_a_long_text_is_cut_and_an_id_cannot_end_its_code() -> None:
    assert len(inert.text("x" * 10_000)) == 600
    assert inert.code("run-1:a`b|c") == "`run-1:abc`"
