"""Plans and answers: what is going on, then what was found, what shows it, and what was not looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
import slack_reader as reader
from hypothesis import given
from hypothesis import strategies as st
from slack_payloads import texts
from test_slack_blocks_incident import cited

from sysop import blockkit
from sysop.model import EffectState, RunState
from sysop.surfaces.slack.blocks import plan
from sysop.surfaces.slack.blocks.answer import FEEDBACK, answer, opinion, whole
from sysop.surfaces.slack.blocks.calls import result_text
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.plan import PlanDocument, Work, entries
from sysop.surfaces.slack.markdown import markdown

SOME = nouns.SOME
SOURCE = (("https://docs.corp.example/runbooks/x.md", "A service fails"),)
works = st.builds(
    Work,
    st.lists(nouns.effects, max_size=12),
    st.lists(nouns.approvals, max_size=3),
    st.lists(st.tuples(st.text("xyz", min_size=1, max_size=4), nouns.words), max_size=4),
    st.sampled_from([(), SOURCE]),
    st.booleans(),
    st.sampled_from([(), ("metrics.query",)]),
)


def chunks(document: PlanDocument) -> list[dict[str, Any]]:
    """Return the chunks that a stream of the whole document would send."""
    made: list[dict[str, Any]] = [{"type": "plan_update", "title": document.title or "Working"}]
    for task in document.entries:
        chunk = {"type": "task_update", "id": task.id, "title": task.title, "status": task.status}
        sources = [{"type": "url", "url": url, "text": text} for url, text in task.sources]
        made.append({**chunk, "details": task.details, "output": task.output, "sources": sources})
    return made


@SOME
@given(works)
def test_slack_takes_every_plan(work: Work) -> None:
    tasks = entries(work, nouns.LINKS)
    assert len({task.id for task in tasks}) == len(tasks) <= 50
    assert blockkit.check_chunks(chunks(PlanDocument("Triage", tasks))) == []
    for task in tasks:
        assert reader.markdown(task.details) == reader.markdown(task.output) == list(reader.words(task.title)) == []


@SOME
@given(works, st.lists(st.tuples(st.just("a"), nouns.words), max_size=8), nouns.runs, st.booleans())
def test_slack_takes_every_plan_that_is_no_stream(work: Work, says: Any, run: Any, ended: bool) -> None:
    told = tuple((id, markdown(text, nouns.LINKS, 3000)) for id, text in says)
    last = answer(run, [], nouns.LINKS) if ended else None
    payloads.takes(plan.fallback(PlanDocument("Triage", entries(work, nouns.LINKS), told, ended=ended, answer=last)))


@SOME
@given(nouns.runs, st.lists(cited, max_size=6))
def test_slack_takes_every_answer(run: Any, sources: list[Cited]) -> None:
    payloads.takes(answer(run, sources, nouns.LINKS))


def test_a_call_is_one_task_with_its_looks_and_its_check() -> None:
    rows = [
        nouns.effect("ratio"),
        nouns.effect("rollback", "cicd.rollback", target="service:checkout", verified=True, verification="0.2 % fail"),
        nouns.effect("rollback.preview-ab12cd.1"),
        nouns.effect("rollback.verify-1"),
        nouns.effect("after#1", result='{"value": 0.2}'),
        nouns.effect("after#2", result='{"value": 0.0}'),
    ]
    tasks = entries(Work(rows, sources=SOURCE), nouns.LINKS)
    assert [(t.id, t.status) for t in tasks] == [("ratio", "complete"), ("rollback", "complete"), ("after", "complete")]
    assert [t.title.replace("\u200b", "") for t in tasks][1] == "cicd.rollback service:checkout"
    assert "it helped; 0.2 % fail" in tasks[1].output
    assert "(2 looks)" in tasks[2].output
    assert [t.sources for t in tasks] == [SOURCE, (), ()]


@pytest.mark.parametrize(
    ("changes", "checked", "status"),
    [
        ({"state": EffectState.DONE}, (), "complete"),
        ({"state": EffectState.DONE}, ("metrics.query",), "in_progress"),
        ({"state": EffectState.DONE, "verified": True}, ("metrics.query",), "complete"),
        ({"state": EffectState.DONE, "verified": False}, (), "error"),
        ({"state": EffectState.FAILED, "error": "no such series"}, (), "error"),
        ({"state": EffectState.EXECUTING}, (), "in_progress"),
        ({"state": EffectState.UNKNOWN}, (), "error"),
    ],
)
def test_a_task_ends_when_its_call_has(changes: dict[str, Any], checked: tuple[str, ...], status: str) -> None:
    [task] = entries(Work([nouns.effect("ratio", **changes)], live=True, checked=checked), nouns.LINKS)
    assert task.status == status
    assert bool(task.output) is (status != "in_progress")


def test_a_step_that_looks_again_goes_on_until_another_one_begins() -> None:
    look = nouns.effect("after#1")
    assert entries(Work([look], live=True), nouns.LINKS)[0].status == "in_progress"
    assert entries(Work([look, nouns.effect("next")], live=True), nouns.LINKS)[0].status == "complete"


def test_a_question_to_people_and_a_step_begun_are_tasks() -> None:
    work = Work(asked=[nouns.approval()], begun=[("rollback", "no"), ("look", "look: read the ratio")], live=True)
    tasks = entries(work, nouns.LINKS)
    assert [(t.id, t.status) for t in tasks] == [("ask:apr-7k2m9qxd4w", "complete"), ("look", "in_progress")]


def test_very_many_calls_fold_into_the_last_task() -> None:
    rows = [nouns.effect(f"c{n}") for n in range(80)]
    tasks = entries(Work(rows), nouns.LINKS)
    assert len(tasks) == 50
    assert (tasks[-1].id, tasks[-1].title) == ("more", "and 31 more calls")


def test_the_answer_begins_with_the_verdict_and_cites() -> None:
    shown = answer(nouns.run(), [Cited("runbooks/x.md", "A service fails", SOURCE[0][0])], nouns.LINKS)
    seen = texts(shown.blocks).replace("\n", "")
    assert seen.startswith("✅ Resolved")
    order = [
        "Version 1.4.2 of checkout",
        "Cause: ",
        "high confidence",
        "run-3c8v1tz0pa:ratio",
        "Proposed",
        "Not checked",
    ]
    places = [seen.index(part) for part in order]
    assert places == sorted(places)
    assert f"<{SOURCE[0][0]}|A service fails>" in seen
    assert shown.blocks[-1]["elements"][0]["action_id"] == FEEDBACK


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"state": RunState.CANCELLED}, "⏹ Stopped"),
        ({"state": RunState.FAILED, "conclusion": {"summary": "reference err-1"}}, "🔴 Failed"),
        ({"conclusion": {"summary": "x", "escalate": "look at it"}}, "🟡 A person must go on"),
        ({"conclusion": {"summary": "3 services run"}}, "💬 Answered"),
        ({"incident": None}, "✅ Done"),
        ({"request": {"read_only": True}}, "💬 Answered"),
        ({"plan": {"reply": True}}, "💬 Answered"),
        ({"plan": {"degraded": "no model", "fallback": {"reply": True}}}, "💬 Answered"),
        ({"request": {"action": "lab.append"}, "conclusion": {"summary": "refused"}}, "🔴 Not done"),
        (
            {"request": {"action": "a.b"}, "conclusion": {"summary": "x", "claims": [{"text": "t", "evidence": []}]}},
            "🔴 Did not work",
        ),
    ],
)
def test_each_end_has_its_verdict(changes: dict[str, Any], verdict: str) -> None:
    assert texts(answer(nouns.run(**changes), [], nouns.LINKS).blocks).startswith(verdict)


@pytest.mark.parametrize("changes", [{"request": {"action": "lab.append"}}, {"plan": {"reply": True}}])
def test_what_looked_for_no_cause_speaks_of_none(changes: dict[str, Any]) -> None:
    found = {
        "summary": "it is denied",
        "resolved": False,
        "cause": "undetermined",
        "confidence": "high",
        "basis": "a no",
    }
    run = nouns.run(conclusion=found, **changes)
    seen = texts(answer(run, [], nouns.LINKS).blocks).replace("\n", "")
    assert "Rests on: a no" in seen
    assert "undetermined" not in seen
    long = nouns.run(conclusion={**found, "summary": "s" * 3000}, **changes)
    assert "undetermined" not in (whole(long) or "undetermined")


def test_an_answer_without_the_model_says_so() -> None:
    degraded = nouns.run(conclusion={**nouns.CONCLUSION, "degraded": "the model did not answer"})
    assert "Degraded: the model did not answer" in texts(answer(degraded, [], nouns.LINKS).blocks).replace("\n", "")


@SOME
@given(hostile.some)
def test_only_a_feedback_value_is_an_opinion(text: str) -> None:
    assert opinion(text) is None
    assert opinion("feedback.helpful:run-1") == ("run-1", True)
    assert opinion("feedback.unhelpful:run-1") == ("run-1", False)


def test_a_plan_without_anything_still_says_something() -> None:
    payloads.takes(plan.fallback(PlanDocument("Triage")))
    payloads.takes(plan.fallback(replace(PlanDocument(""), ended=True)))


def test_an_answer_that_no_message_holds_is_written_out_whole_for_a_file() -> None:
    claims = [{"text": f"claim\n{n}\u202e", "evidence": ["E1", "E2"]} for n in range(9)]
    found = {
        "summary": "found " * 600,
        "claims": claims,
        "proposed": ["do that"],
        "not_checked": [],
        "cause": "a deploy",
    }
    text = whole(nouns.run(state=RunState.DONE, conclusion=found)) or ""
    assert "found " * 599 in text
    assert [f"- claim {n}\\u{{202e}} (E1, E2)" in text for n in range(9)] == [True] * 9
    assert "Cause: a deploy (low confidence)" in text
    assert "## Proposed\n\n- do that" in text
    assert "Not checked" not in text


@pytest.mark.parametrize("found", [{}, {"summary": "s" * 2000, "claims": [{"text": "c", "evidence": []}] * 6}])
def test_an_answer_that_a_message_holds_needs_no_file(found: dict[str, Any]) -> None:
    assert whole(nouns.run(state=RunState.DONE, conclusion=found)) is None


@SOME
@given(nouns.runs)
def test_every_answer_can_be_written_out(run: Any) -> None:
    assert (whole(run) or "\n").endswith("\n")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ('{"service":"web","version":"v41","healthy":true,"note":null}', "service web, version v41, healthy yes"),
        ('{"builds":[{"id":1},{"id":2}],"error_ratio":0.07000000001}', "builds 2 of them, error ratio 0.07"),
        ('[{"name":"web","replicas":3}]', "name web, replicas 3"),
        (
            '{"from":{"version":"v1","at":1,"by":{"name":"x"}},"tags":["a","b"]}',
            "from version v1, at 1, by 1 field, tags a and b",
        ),
        ("[]", "none"),
        ("{}", "nothing"),
        ('"plain words"', "plain words"),
        ('{"cut off', '{"cut off'),
    ],
)
def test_results_are_told_in_words(result: str, text: str) -> None:
    assert result_text(result) == text
