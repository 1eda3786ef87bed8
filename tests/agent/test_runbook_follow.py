"""Pages that lead to other pages."""

import pytest
from runbook_kit import ACTIONS, INVENTORY, Answers, Desk, finish, incident, samples

from sysop.agent.runbook_planner import RunbookPlanner
from sysop.errors import RunbookError, WaitUntil
from sysop.knowledge.index import Index
from sysop.knowledge.lint import leads, lint
from sysop.knowledge.runbook import parse

LOOK = "```step\nid: look\naction: metrics.query\nwith: {query: q}\nfound: page %s looked\n```"


def pages(**endings):
    """Return an index of pages that look once; the first carries the alert."""
    found = {}
    for number, (name, ending) in enumerate(endings.items()):
        alerts = "alerts: [A]\n" if number == 0 else ""
        text = f"---\ntitle: {name}\n{alerts}owner: x\n---\n{LOOK % name}\n```conclude\n{ending}\n```\n"
        found[f"runbooks/{name}.md"] = parse(text, f"runbooks/{name}.md")
    return Index(found)


def to(name):
    return f"follow: {name}\nsummary: it is about {name}\nescalate: call somebody about {name}"


def desk():
    return Desk(Answers(metrics__query=[samples(0)]))


async def test_the_run_goes_on_with_the_page_and_keeps_what_was_found():
    index, at = pages(one=to("two"), two="resolved: true\nsummary: done by two"), desk()
    end = await finish(at, index, incident("A"))
    assert (end.summary, end.resolved) == ("done by two", True)
    assert [claim.text for claim in end.claims] == ["page one looked", "page two looked"]
    assert [claim.evidence for claim in end.claims] == [("run-1:look",), ("run-1:page_2.look",)]
    assert "came from runbooks/one.md: it is about two" in end.basis
    revision = "rev " + index.runbooks["runbooks/two.md"].digest[:12]
    assert at.said["runbook.2"] == f"Going on with runbooks/two.md ({revision}, never reviewed), two: it is about two"
    assert [one["citation"] for one in at.plan["cites"]] == ["runbooks/one.md", "runbooks/two.md"]


async def test_a_page_is_followed_twice_at_most_and_then_the_ending_stands():
    at = desk()
    end = await finish(at, pages(one=to("two"), two=to("one")), incident("A"))
    assert at.asked == ["look", "page_2.look", "page_3.look", "page_4.look"]
    assert (end.summary, end.resolved, end.escalate) == ("it is about one", False, "call somebody about one")


@pytest.mark.parametrize("name", ["nowhere", "empty"])
async def test_without_a_page_to_follow_the_ending_stands(name):
    index = pages(one=to(name))
    index.runbooks["runbooks/empty.md"] = parse("---\ntitle: Empty\n---\nText.\n", "runbooks/empty.md")
    end = await finish(desk(), index, incident("A"))
    assert end.escalate == f"call somebody about {name}"


async def test_a_page_that_changed_while_it_was_followed_is_not_gone_on_with():
    wait = "```step\nid: wait\naction: metrics.query\nwith: {query: q}\nuntil: ${false}\nwithin: 20s\n```"
    first = pages(one=to("two"), two="resolved: true\nsummary: done")
    page = first.runbooks["runbooks/two.md"]
    slow = f"---\ntitle: two\nowner: x\n---\n{wait}\n```conclude\nresolved: true\nsummary: done\n```\n"
    before = Index({**first.runbooks, page.path: parse(slow, page.path)})
    at = desk()
    with pytest.raises(AssertionError, match="does not end"):
        await _few(at, before, 2)
    end = await finish(at, first, incident("A"))
    assert "runbooks/two.md has changed" in end.summary
    assert not end.resolved


async def _few(at, index, times):
    """Go on so many times, as a runner that is then stopped does."""
    for _ in range(times):
        try:
            await RunbookPlanner(index, ACTIONS, INVENTORY).plan(at.run(), incident("A"), at)
        except WaitUntil as wait:
            at.sleep(wait)
    raise AssertionError("the run does not end")


async def test_killed_at_any_point_it_comes_to_the_same_calls_and_end():
    index = pages(one=to("two"), two=to("three"), three="resolved: true\nsummary: done")
    whole = desk()
    expected = await finish(whole, index, incident("A"))
    for point in range(1, whole.points + 1):
        at = desk()
        at.crash_at = frozenset({point})
        assert await finish(at, index, incident("A")) == expected
        assert list(at.rows) == list(whole.rows)


def test_the_linter_finds_pages_that_lead_nowhere():
    index = pages(one=to("tow"), two="resolved: true\nsummary: done")
    assert [str(f).partition("; ")[0] for f in leads(index)] == [
        "runbooks/one.md:13: error: follow: there is no runbook 'tow'"
    ]
    assert leads(pages(one=to("two"), two=to("one"))) == []
    assert [f for page in index.runbooks.values() for f in lint(page, ACTIONS, INVENTORY) if f.level == "error"] == []


def test_an_ending_that_leads_on_need_not_say_whether_it_is_resolved_but_others_must():
    text = "---\ntitle: T\n---\n```conclude\nsummary: over\n{}\n```\n"
    assert parse(text.format("follow: two.md"), "x.md").endings[0].follow == "two"
    with pytest.raises(RunbookError, match="resolved must say how it ended"):
        parse(text.format("cause: none"), "x.md")
