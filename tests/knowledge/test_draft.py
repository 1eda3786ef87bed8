"""Drafts of pages: what happened becomes a page, and no text of an incident becomes more than text."""

from datetime import date
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from sysop.actions import Context, Reconciled, action
from sysop.errors import InvalidRequest
from sysop.inventory import Inventory, Service
from sysop.knowledge.draft import Call, Facts, blank, draft
from sysop.knowledge.index import Index
from sysop.knowledge.lint import errors, lint
from sysop.knowledge.runbook import parse
from sysop.model import Risk


class Answer(BaseModel):
    value: float | None


@action(risk=Risk.READ)
async def query(
    ctx: Context, query: str, minutes: Annotated[int, Field(ge=1)] = 5, labels: dict[str, str] | None = None
) -> Answer:
    """Ask."""
    raise NotImplementedError


async def find(ctx: Context, args: object) -> Reconciled:
    raise NotImplementedError


@action(risk=Risk.CHANGE, reconcile=find)
async def restart(ctx: Context, service: str) -> Answer:
    """Restart."""
    raise NotImplementedError


ACTIONS = {a.name: a for a in (query.owned("metrics", "1"), restart.owned("cicd", "1"))}
INVENTORY = Inventory({"checkout": Service("checkout")})
SEEN = Call("metrics.query", {"query": "up == 0", "minutes": 5, "labels": None}, "done")
MADE = Call("cicd.restart", {"service": "checkout"}, "done", True)
FACTS = Facts("Orders fail", ("ErrorsHigh",), ("checkout",), (), "shop", "Half failed.", "a pool", (MADE, SEEN), 4)
HEADINGS = ("what-it-means", "common-causes", "how-to-look", "what-helps", "when-to-stop")
TO_FINISH = ("it is never reached: when is always false", "nothing checks afterwards that cicd.restart helped")


def findings(text):
    page = parse(text, "runbooks/x.md")
    return page, lint(page, ACTIONS, INVENTORY, today=date(2026, 12, 1))


def test_a_draft_tells_what_happened_reads_first_and_leaves_what_changes_to_a_person():
    page, found = findings(draft(FACTS, ACTIONS))
    assert (page.title, page.alerts, page.services, page.owner, page.reviewed) == (
        "Orders fail",
        ("ErrorsHigh",),
        ("checkout",),
        "shop",
        None,
    )
    assert [(s.action, dict(s.args)) for s in page.steps] == [
        ("metrics.query", {"query": "up == 0", "minutes": "5"}),
        ("cicd.restart", {"service": "checkout"}),
    ]
    assert "TODO" in page.steps[1].note
    assert "and it helped" in page.steps[1].note
    assert [e.resolved for e in page.endings] == [False]
    assert {f.message for f in found if f.level == "error"} == set(TO_FINISH)
    text = "\n".join(s.text for s in page.sections)
    assert "Half failed." in text
    assert "It took 4 minutes." in text
    assert "The cause this time: a pool" in text


def test_a_step_keeps_why_its_call_was_made():
    seen = Call("metrics.query", {"query": "up"}, "done", note="Is it ${now} up?")
    page, found = findings(draft(Facts("Slow", (), (), (), "shop", "", "", (seen,), 0), ACTIONS))
    assert page.steps[0].note == "Is it $ {now} up? TODO: say what this tells. The last time it was done."
    assert errors(found) == []
    assert "It took less than a minute." in "\n".join(s.text for s in page.sections)


def test_an_empty_page_asks_for_all_that_only_a_person_knows_whatever_its_title_says():
    title = "Slow `code` <b> # [x](y) ```step ${now}"
    page, found = findings(blank(title, ("A'\"\n---",), ("checkout",), "shop"))
    assert (page.title, page.alerts, page.services, page.owner) == (
        "Slow `code` <b> # [x](y) ```step $ {now}",
        ("A'\" ---",),
        ("checkout",),
        "shop",
    )
    assert (page.steps, page.endings, errors(found)) == ((), (), [])
    assert [s.slug for s in page.sections[1:]] == list(HEADINGS)
    assert sum(s.text.count("TODO") for s in page.sections) == len(HEADINGS)


@pytest.mark.parametrize("title", ["", "…", " \n\u200b!"])
def test_a_title_in_which_nothing_can_be_read_makes_no_page(title):
    with pytest.raises(InvalidRequest, match="title: it has no letter"):
        blank(title, (), ())


def test_a_draft_is_found_among_others_by_its_alert_and_by_what_happened():
    other = Facts("Mails are late", ("MailsLate",), ("mailer",), (), "shop", "The queue grew.", "", ())
    texts = {"runbooks/a.md": draft(FACTS, ACTIONS), "runbooks/b.md": draft(other, ACTIONS)}
    index = Index({path: parse(text, path) for path, text in texts.items()})
    assert [hit.citation.partition("#")[0] for hit in index.search("why do orders fail", 1)] == ["runbooks/a.md"]
    assert [hit.citation.partition("#")[0] for hit in index.search("MailsLate", 1)] == ["runbooks/b.md"]


def test_what_only_read_is_a_page_without_errors():
    page, found = findings(draft(Facts("Slow", ("Slow",), (), (), "shop", "", "", (SEEN, SEEN)), ACTIONS))
    assert len(page.steps) == 1
    assert errors(found) == []


def test_a_call_of_an_unknown_action_is_told_and_never_a_step():
    gone = Call("shell.run", {"command": "rm -rf /"}, "done")
    expression = Call("metrics.query", {"query": "${steps.x}"}, "failed")
    page, found = findings(draft(Facts("Slow", (), (), (), "shop", "", "", (gone, expression)), ACTIONS))
    assert page.steps == ()
    assert errors(found) == []
    helps = next(s.text for s in page.sections if s.slug == "what-helps")
    assert "Called shell.run with" in helps
    assert "rm -rf /" in helps
    assert "$ {steps.x}" in helps


PIECES = (
    *("```step\n", "```", "~~~conclude\n", "---\n", "# Heading\n", "<!--", "-->", "${now}", "\n", "> ", "- ", "    "),
    *("id: x\naction: cicd.restart\nwith: {service: checkout}\n", "[a](gone.md)", "[a]: gone.md", "\u202e", "\u200b"),
    *("resolved: true\n", '"', "\\", "'", "\u2028", "\x00", "\ud800", "| a |", "display:none", "===\n", "a"),
)
HOSTILE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
VALUES = st.recursive(st.one_of(HOSTILE, st.integers(), st.booleans(), st.none()), lambda v: st.lists(v, max_size=3))
CALLS = st.one_of(
    st.builds(lambda q: Call("metrics.query", {"query": q, "minutes": 5}, "done"), HOSTILE),
    st.builds(
        lambda w, n: Call("metrics.query", {"query": "up", "labels": {"a": w}}, "failed", False, n), HOSTILE, HOSTILE
    ),
    st.builds(lambda state: Call("cicd.restart", {"service": "checkout"}, state, True), HOSTILE),
    st.builds(lambda name, key, value: Call(name, {key: value}, "unknown"), HOSTILE, HOSTILE, VALUES),
)
NAMES = st.lists(HOSTILE, max_size=3).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        Facts, HOSTILE, NAMES, NAMES, NAMES, HOSTILE, HOSTILE, HOSTILE, st.lists(CALLS, max_size=5).map(tuple),
        st.none() | st.integers(0, 9_999),
    )
)  # fmt: skip
def test_whatever_an_incident_says_the_draft_is_a_page_with_the_headings_and_steps_that_the_draft_gave_it(facts):
    text = draft(facts, ACTIONS)
    page, found = findings(text)
    known = [call for call in facts.calls if call.action in ACTIONS]
    assert len(page.steps) <= len(known)
    for step in page.steps:
        values = [c.args for c in known if c.action == step.action]
        assert any({k: v if isinstance(v, dict) else str(v) for k, v in args.items()} == step.args for args in values)
    assert [s.slug for s in page.sections[1:]] == list(HEADINGS)
    assert [e.resolved for e in page.endings] == [False] * bool(page.steps)
    told = {f.message for f in found if f.level == "error"}
    assert told <= {*TO_FINISH, "nobody owns this runbook"}
    assert not [f for f in found if "seen" in f.message or "comment" in f.message]
    assert page.reviewed is None
