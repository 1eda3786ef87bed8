"""A run that is planned again from the start: the same calls, the same end, whatever has changed since."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runbook_kit import (
    ACTIONS,
    ASK,
    CHANGE,
    INVENTORY,
    Answers,
    Crash,
    Desk,
    done,
    failed,
    finish,
    incident,
    index_of,
    samples,
)

from sysop.agent.runbook_planner import RunbookPlanner
from sysop.errors import ActionRefused, ApprovalRequired, InvalidCall
from sysop.knowledge.index import Index
from sysop.model import Origin


async def test_a_refusal_stays_one_on_replay_whatever_policy_says_by_then():
    steps = [CHANGE + "\notherwise: continue", ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 20s"]
    desk = Desk(Answers(cicd__rollback=[ActionRefused("no"), {}], metrics__query=[samples(9), samples(0)]))
    end = await finish(desk, index_of(steps, "resolved: false\nsummary: ${steps.change.state}"), incident("A"))
    assert desk.asked == ["change", "ask#1", "ask#2"]
    assert end.summary == "refused"


async def test_a_runbook_changed_while_the_run_waited_is_not_followed_any_further():
    desk = Desk(Answers(cicd__rollback=[{}]), approved=False)
    with pytest.raises(ApprovalRequired):
        await RunbookPlanner(index_of([CHANGE]), ACTIONS, INVENTORY).plan(desk.run(), incident("A"), desk)
    desk.approved = True
    end = await finish(desk, index_of([CHANGE, ASK]), incident("A"))
    assert not end.resolved
    assert "runbooks/t.md has changed (now " in end.escalate
    end = await finish(desk, Index({}), incident("A"))
    assert "runbooks/t.md is gone" in end.escalate
    assert desk.rows == {}


async def test_a_runbook_added_later_does_not_change_a_run_that_began_without_one():
    desk = Desk(Answers(inventory__service=[{}], cicd__recent_deploys=[{}]), crash_at=frozenset({4}))
    with pytest.raises(Crash):
        await RunbookPlanner(Index({}), ACTIONS, INVENTORY).plan(desk.run(), incident("A"), desk)
    end = await finish(desk, index_of([ASK]), incident("A"))
    assert "no runbook fits" in end.summary
    assert not [i for i in desk.rows if i.startswith("ask")]


EXTRAS = [
    "",
    "\nwhen: ${alert.firing}",
    "\nwhen: ${steps.s0.ok}",
    "\nwhen: ${!steps.s0.ok && steps.s0.state != 'refused'}",
]
POLLS = ["", "\nuntil: ${steps.ID.result.value < 1.0}\nwithin: 10s\nevery: 5s"]
OTHERWISE = ["", "\notherwise: continue", "\notherwise: last"]
READS = st.sampled_from([samples(0), samples(9), failed("down"), InvalidCall("no"), ActionRefused("no")])
CHANGES = st.sampled_from([done({}), failed("broke"), ActionRefused("no"), done({}, verified=False)])


@st.composite
def stories(draw):
    steps = []
    for number in range(draw(st.integers(1, 4))):
        id, read = f"s{number}", draw(st.booleans())
        step = (ASK if read else CHANGE).replace("id: ask", f"id: {id}").replace("id: change", f"id: {id}")
        extra = draw(st.sampled_from(EXTRAS)) if number else ""
        poll = draw(st.sampled_from(POLLS)).replace("ID", id) if read else ""
        steps.append(step + extra + poll + draw(st.sampled_from(OTHERWISE)))
    steps.append(ASK.replace("id: ask", "id: last"))
    answers = {"metrics__query": draw(st.lists(READS, min_size=1, max_size=6))}
    return steps, answers | {"cicd__rollback": draw(st.lists(CHANGES, min_size=1, max_size=3))}


@settings(deadline=None, max_examples=60)
@given(stories(), st.frozensets(st.integers(1, 40), max_size=6))
async def test_any_runbook_replays_to_the_same_calls_and_the_same_end(story, crashes):
    steps, answers = story
    index = index_of(steps, "resolved: ${steps.last.ok}\nsummary: over")
    # between a refusal and its being remembered the world may change its mind; here it does not
    whole, broken = (Desk(Answers(**answers), approved=False, keeps_refusals=True) for _ in range(2))
    broken.crash_at = crashes
    assert await finish(broken, index, incident("A")) == await finish(whole, index, incident("A"))
    assert [(i, d) for i, (d, _) in broken.rows.items()] == [(i, d) for i, (d, _) in whole.rows.items()]


async def test_a_question_without_an_answer_is_kept_once_however_often_the_run_is_replayed():
    kept = []

    async def keep(text, place, nearest=""):
        kept.append((text, nearest))
        return "que-1"

    desk = Desk(Answers())
    for _ in range(3):
        planner = RunbookPlanner(Index({}), ACTIONS, INVENTORY, 180, keep)
        asked = desk.run(text="who waters the tulips?", origin=Origin.ASKED, incident=None)
        await planner.plan(asked, None, desk)
    assert kept == [("who waters the tulips?", "")]
    assert desk.plan["unanswered"] == "que-1"
