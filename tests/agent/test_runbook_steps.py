"""What one step of a runbook does: conditions, looks that repeat, and what goes wrong."""

import json

import pytest
from runbook_kit import (
    ACTIONS,
    ASK,
    CHANGE,
    INVENTORY,
    START,
    Answers,
    Desk,
    done,
    failed,
    finish,
    incident,
    index_of,
    samples,
)

from sysop.agent.runbook_planner import RunbookPlanner
from sysop.errors import ActionRefused, InvalidCall, WaitUntil


async def test_a_poll_is_a_call_of_its_own_and_the_limit_counts_from_the_first_row():
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 20s\nevery: 5s"]
    desk = Desk(Answers(metrics__query=[samples(9), samples(3), samples(0)]))
    end = await finish(desk, index_of(steps), incident("A"))
    assert end.resolved
    assert desk.asked == ["ask#1", "ask#2", "ask#3"]
    assert [(w.waiting_for, w.wake_at) for w in desk.waits] == [
        ("until:ask", START + 100 + 5_000),
        ("until:ask", START + 5_200 + 5_000),
    ]
    assert end.claims[-1].evidence == ("run-1:ask#3",)


async def test_a_condition_that_never_holds_escalates_with_the_values():
    found = "\nfound: ${'it is ' + show(steps.ask.result.value)}"
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 10s\nevery: 5s" + found]
    desk = Desk(Answers(metrics__query=[samples(9)]))
    end = await finish(desk, index_of([*steps, CHANGE]), incident("A"))
    assert desk.asked == ["ask#1", "ask#2", "ask#3"]
    assert not end.resolved
    assert "stopped at step ask: `steps.ask.result.value < 1.0` did not hold within 10 s" in end.escalate
    assert "(steps.ask.result.value = 9.0)" in end.escalate
    assert "See runbooks/t.md#step." in end.escalate
    assert [(c.text, c.evidence) for c in end.claims] == [("it is 9", ("run-1:ask#3",))]
    assert end.not_checked == ["change: Go back. (not reached)"]


async def test_a_look_long_after_the_limit_still_counts_if_it_is_good():
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 10s\nevery: 5s"]
    desk = Desk(Answers(metrics__query=[samples(9), samples(0)]))
    with pytest.raises(WaitUntil):
        await RunbookPlanner(index_of(steps), ACTIONS, INVENTORY).plan(desk.run(), incident("A"), desk)
    desk.time += 3_600_000  # nobody was there for an hour
    assert (await finish(desk, index_of(steps), incident("A"))).resolved
    assert desk.asked == ["ask#1", "ask#2"]


async def test_a_look_that_fails_shows_nothing_and_the_next_one_may():
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 20s\nevery: 5s"]
    desk = Desk(Answers(metrics__query=[failed("no answer"), samples(0)]))
    assert (await finish(desk, index_of(steps), incident("A"))).resolved
    desk = Desk(Answers(metrics__query=[failed("no answer")]))
    end = await finish(desk, index_of(steps), incident("A"))
    assert "stopped at step ask: metrics.query failed: no answer" in end.summary


WAYS = {
    "refused": ActionRefused("policy forbids it"),
    "invalid": InvalidCall("service: unknown"),
    "failed": failed("build broke"),
    "did not help": done({"service": "checkout"}, verified=False, verification="still 50 %"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("otherwise", "asked"), [("escalate", []), ("continue", ["b", "c"]), ("c", ["c"])])
async def test_what_goes_wrong_follows_otherwise(way, otherwise, asked):
    steps = [CHANGE + f"\notherwise: {otherwise}", ASK.replace("id: ask", "id: b"), ASK.replace("id: ask", "id: c")]
    desk = Desk(Answers(cicd__rollback=[way], metrics__query=[samples(0)]))
    end = await finish(desk, index_of(steps, "resolved: ${steps.change.ok}\nsummary: over"), incident("A"))
    assert desk.asked == ["change", *asked]
    assert not end.resolved
    assert end.escalate


async def test_a_refusal_proposes_the_call_to_a_person_and_says_who_refused():
    desk = Desk(Answers(cicd__rollback=[ActionRefused("ann denied it: not now")]))
    end = await finish(desk, index_of([CHANGE]), incident("A"))
    assert end.proposed == ["cicd.rollback(service=checkout)"]
    assert "cicd.rollback(service=checkout) was not done: ann denied it: not now" in end.escalate
    assert "ann denied" in desk.said["change.failed"]


async def test_parked_for_approval_passes_through_and_the_call_is_made_once_afterwards():
    desk = Desk(Answers(cicd__rollback=[{"service": "checkout"}]), approved=False)
    end = await finish(desk, index_of([CHANGE]), incident("A"))
    assert end.resolved
    assert [w.waiting_for for w in desk.waits] == ["approval:apr-1"]
    assert desk.asked == ["change", "change"]
    assert list(desk.rows) == ["change"]


ERRORS = {
    "when": ASK + "\nwhen: ${steps.none.ok}",
    "with": ASK.replace("query: q", 'query: "${alert.labels.zone}"'),
    "until": ASK + "\nuntil: ${steps.ask.result.series[0].value > 1.0}\nwithin: 10s",
    "not a truth": ASK + "\nwhen: ${1 + 1}",
}


@pytest.mark.parametrize("step", ERRORS.values(), ids=ERRORS)
async def test_an_expression_that_fails_escalates_even_where_otherwise_says_continue(step):
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([step + "\notherwise: continue", ASK.replace("id: ask", "id: b")]), incident("A"))
    assert not end.resolved
    assert "stopped at step ask: `" in end.escalate
    assert "b" not in desk.asked


async def test_an_ending_that_fails_or_is_missing_escalates():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([ASK], "resolved: true\nsummary: ${steps.none.ok}"), incident("A"))
    assert "stopped at its end: `steps.none.ok` failed: there is no 'none'" in end.escalate
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([ASK], "when: ${!steps.ask.ok}\nresolved: true\nsummary: s"), incident("A"))
    assert "none of its endings fits what was found" in end.escalate


async def test_found_text_that_fails_costs_only_the_sentence():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([ASK + "\nfound: ${steps.ask.result.series[0].value}"]), incident("A"))
    assert end.resolved
    assert end.claims[0].text.startswith("ask: what it found could not be told: ")


async def test_a_condition_that_does_not_hold_skips_the_step_and_says_so():
    steps = [ASK, CHANGE + "\nwhen: ${steps.ask.result.value > 1.0}"]
    end = "resolved: ${steps.change.skipped && !steps.change.ok}\nsummary: ${show(steps.change.result)}\n"
    claims = "claims: [{text: it was changed, evidence: [change]}, {text: it was asked, evidence: [ask, change]}]"
    desk = Desk(Answers(metrics__query=[samples(0)]))
    told = await finish(desk, index_of(steps, end + claims), incident("A"))
    assert told.resolved
    assert told.summary == "unknown"
    assert told.not_checked == ["change: Go back. (skipped: its condition in the runbook does not hold)"]
    assert [(c.text, c.evidence) for c in told.claims][1:] == [("it was asked", ("run-1:ask",))]


async def test_a_change_is_never_repeated_by_until():
    step = CHANGE + "\nuntil: ${steps.change.ok}\nwithin: 10s"
    desk = Desk(Answers(cicd__rollback=[{}]))
    end = await finish(desk, index_of([step]), incident("A"))
    assert desk.asked == []
    assert "`until` would repeat cicd.rollback, which changes things" in end.escalate


async def test_expressions_see_the_incident_the_request_and_the_time_of_the_newest_row():
    steps = [
        ASK,
        "id: b\naction: metrics.query\nwith:\n  query: >-\n"
        "    ${alert.name + incident.service + params.text + params.zone + string(now - steps.ask.at)}",
    ]
    desk = Desk(Answers(metrics__query=[samples(0)]))
    await finish(desk, index_of(steps), incident("A"), text="hi ", request={"args": {"zone": "eu"}})
    assert json.loads(desk.rows["b"][0])[1] == {"query": "Agatewayhi eu0"}
