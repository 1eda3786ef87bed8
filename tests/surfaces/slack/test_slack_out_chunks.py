"""Chunks by difference, held against a model of a stream: whatever is lost on the way, every word is there once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sysop import blockkit
from sysop.surfaces.slack.blocks.plan import PlanDocument, TaskEntry
from sysop.surfaces.slack.outbox import chunks
from sysop.workspace.state.streams import Stream

FATES = ("answered", "lost before", "lost after")


def plan_at(step: int, tasks: int, words: int) -> PlanDocument:
    """Return a plan some steps on: tasks begin and end one after the other, words are added."""
    entries = tuple(
        TaskEntry(
            f"t{n}",
            f"task {n}",
            "complete" if step > n + 1 else "in_progress",
            f"details of number {n} here",
            f"output of number {n} here" if step > n + 1 else "",
            (("https://x.example/r", "runbook"),) if n == 0 else (),
        )
        for n in range(min(step, tasks))
    )
    says = tuple((f"s{n}", f"words of number {n} here") for n in range(min(step, words)))
    return PlanDocument(f"Working {step // 3}", entries, says)


def read_back(stream: Stream) -> Mapping[str, Any]:
    """Return the message as a thread shows it."""
    return {"text": stream.text, "blocks": stream.blocks(), "streaming_state": stream.state}


def write(stream: Stream, plan: PlanDocument, shown: Mapping[str, Any], fates: list[str]) -> Mapping[str, Any]:
    """Write what is missing as the sender does: an answer that was lost is followed by a look."""
    there = None
    while True:
        found, after = chunks.missing(plan, shown, there)
        if not found:
            return after
        assert blockkit.check_chunks(found) == []
        fate = fates.pop() if fates else "answered"
        if fate != "lost before":
            stream.take(found)
        if fate == "answered":
            shown = after
        else:
            there = chunks.written(read_back(stream))


@given(
    steps=st.lists(st.integers(0, 8), min_size=1, max_size=6).map(sorted),
    tasks=st.integers(1, 5),
    words=st.integers(0, 6),
    fates=st.lists(st.sampled_from(FATES), max_size=8),
)
def test_every_word_is_written_once_whatever_answers_are_lost(
    steps: list[int], tasks: int, words: int, fates: list[str]
) -> None:
    stream = Stream("plan")
    first, shown = chunks.begin("Working 0")
    stream.take(first)
    for step in steps:
        shown = write(stream, plan_at(step, tasks, words), shown, fates)
    last = plan_at(steps[-1], tasks, words)
    assert {id: (t["title"], t["status"], t["details"], t["output"]) for id, t in stream.tasks.items()} == {
        e.id: (e.title, e.status, e.details, e.output) for e in last.entries
    }
    assert stream.text == "".join(f"{text}\n" for _, text in last.says)
    assert stream.plan_title == last.title
    assert all(len(task["sources"]) <= 1 for task in stream.tasks.values())


def test_a_stream_that_goes_on_shows_what_still_runs_and_not_what_is_over() -> None:
    plan = plan_at(2, 3, 2)
    shown = write(Stream("plan"), plan, chunks.begin("Working 0")[1], [])
    open_only = {**shown, "tasks": {"t0": shown["tasks"]["t0"]}}
    later = replace(plan_at(9, 3, 3), title="Working 0")
    stream = Stream("plan")
    first, note = chunks.go_on("Working 0", {**open_only, "tasks": {"t0": ["x", "complete", "y", "z"]}})
    stream.take(first)
    write(stream, later, note, [])
    assert list(stream.tasks) == ["t1", "t2"]
    assert stream.text == "words of number 2 here\n"


def test_no_task_runs_when_a_stream_ends() -> None:
    plan = plan_at(3, 5, 0)
    for status in ("complete", "pending", "error"):
        entries = chunks.settled(plan, status, " (goes on below)").entries
        assert "in_progress" not in {entry.status for entry in entries}
    assert all(len(entry.title) <= 256 for entry in chunks.settled(_long(plan), "complete", " (goes on below)").entries)


def _long(plan: PlanDocument) -> PlanDocument:
    return replace(plan, entries=tuple(replace(one, title="x" * 256) for one in plan.entries))


def test_words_too_long_for_one_call_come_in_several() -> None:
    plan = PlanDocument("Working", says=tuple((f"s{n}", f"{n}" * 5000) for n in range(4)))
    shown: Mapping[str, Any] = chunks.begin("Working")[1]
    calls = []
    while True:
        found, shown = chunks.missing(plan, shown)
        if not found:
            break
        calls.append(found)
        assert blockkit.check_chunks(found) == []
    assert len(calls) == 4
    assert "".join(chunk["text"] for call in calls for chunk in call).replace("\n", "") == "".join(
        text for _, text in plan.says
    )
