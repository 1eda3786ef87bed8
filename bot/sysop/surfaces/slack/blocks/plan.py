"""What a run does, as a plan: one task a call, and what it said. Streamed, or kept up to date as one message."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sysop.model import Approval, EffectState
from sysop.store.effects import Effect
from sysop.surfaces.slack.blocks.calls import call_text, given, has_target, result_text
from sysop.surfaces.slack.blocks.shown import Block, Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.markdown import markdown
from sysop.surfaces.slack.rich import rich, section, styled, ticked
from sysop.surfaces.slack.text import bare, cut, escape, one_line, times

Status = Literal["pending", "in_progress", "complete", "error"]
MOST_TASKS: Final = 50
REST: Final = "more"
_ALONE: Final = 40
_WITH_ANSWER: Final = 15
_SHORT: Final = 240
_TITLE: Final = 80
_CHILD: Final = re.compile(r"(?:#\d+)?(?:\.[a-z]+-[0-9a-z]+(?:\.\d+)?)?$")
_STATUS: Final[dict[EffectState, Status]] = {
    EffectState.INTENT: "in_progress",
    EffectState.EXECUTING: "in_progress",
    EffectState.DONE: "complete",
    EffectState.FAILED: "error",
    EffectState.UNKNOWN: "error",
}


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One call. `title` is bare text; `details` and `output` are inert Markdown, each given once and never changed.

    `output` is empty until the call has ended.
    """

    id: str
    title: str
    status: Status
    details: str = ""
    output: str = ""
    sources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """One stretch of a run's work. `title` is bare text, `says` are (id, inert Markdown).

    `ended` means that this stretch will not change any more, and `answer` comes when the run has ended with it;
    `recipient` is the (team, user) a stream is for.
    """

    title: str
    entries: tuple[TaskEntry, ...] = ()
    says: tuple[tuple[str, str], ...] = ()
    status: Literal["processing", "suspended", "active"] = "processing"
    ended: bool = False
    answer: Shown | None = None
    recipient: tuple[str, str] | None = None


def parent(call: str) -> str:
    """Return the call that people know, of one that looks again, checks afterwards, or reads for another."""
    return _CHILD.sub("", call)


@dataclass(frozen=True, slots=True)
class Work:
    """What was done in a stretch. `begun` are steps as (id, text), `sources` (address, text) of the runbook followed.

    `live` means that the run works on right now; `checked` are the actions with a post-check, whose calls have not
    ended before its answer.
    """

    rows: Sequence[Effect] = ()
    asked: Sequence[Approval] = ()
    begun: Sequence[tuple[str, str]] = ()
    sources: tuple[tuple[str, str], ...] = ()
    live: bool = False
    checked: Collection[str] = ()


def entries(work: Work, links: Links) -> tuple[TaskEntry, ...]:
    """Return the tasks of a stretch: calls made, questions to people, then steps begun."""
    groups = _grouped(work.rows)
    last = next(reversed(groups), None)
    tasks = [_made(id, members, work, id == last, links) for id, members in groups.items()]
    tasks += [_asked(approval, links) for approval in work.asked]
    known = {task.id for task in tasks} | {parent(approval.call) for approval in work.asked}
    tasks += [TaskEntry(id, _title(text), "in_progress") for id, text in work.begun if id not in known]
    if tasks and work.sources:
        tasks[0] = replace(tasks[0], sources=work.sources)
    return _folded([*{task.id: task for task in tasks}.values()])


def _grouped(rows: Sequence[Effect]) -> dict[str, list[Effect]]:
    """Return rows by the call that people know, in the order of their beginning."""
    found: dict[str, list[Effect]] = {}
    for row in rows:
        found.setdefault(parent(row.call), []).append(row)
    return found


def _made(id: str, members: Sequence[Effect], work: Work, last: bool, links: Links) -> TaskEntry:
    own = [row for row in members if row.call == id or row.call.startswith(f"{id}#")]
    if not own:
        return TaskEntry(id, _title(f"{one_line(id, 60)}: preparing"), "in_progress" if work.live else "complete")
    newest = own[-1]
    status = "in_progress" if work.live and _goes_on(newest, last, work.checked) else _ended(newest)
    looks = f" ({times(len(own), 'look')})" if len(own) > 1 else ""
    return TaskEntry(
        id,
        _title(call_text(newest.action, newest.target, newest.args, _TITLE)),
        status,
        _details(newest, links),
        "" if status == "in_progress" else _short(f"{_result(newest)}{looks}", links),
    )


def _title(text: str) -> str:
    return bare(one_line(text, _TITLE)) or "–"


def _ended(row: Effect) -> Status:
    return "error" if row.verified is False else _STATUS[row.state]


def _goes_on(row: Effect, last: bool, checked: Collection[str]) -> bool:
    """Tell whether there is more to come of a call: another look, or the answer of its post-check."""
    looks_again = last and "#" in row.call
    unchecked = row.state is EffectState.DONE and row.verified is None and row.action in checked
    return looks_again or unchecked


def _details(call: Effect | Approval, links: Links) -> str:
    """Return the arguments, where the title has no room for them."""
    told = one_line(f"{call.action} {given(call.args)}", 10 * _TITLE)
    in_title = not has_target(call.action, call.target) and len(told) <= _TITLE
    return "" if in_title else _short(given(call.args), links)


def _result(row: Effect) -> str:
    if row.state is EffectState.UNKNOWN:
        return "nobody can tell whether it happened; a person must look"
    if row.state is EffectState.FAILED:
        return f"failed: {row.error or 'no reason given'}"
    checked = {True: "it helped", False: "it did not help", None: ""}[row.verified]
    told = "; ".join(filter(None, (checked, row.verification or "")))
    return told or (result_text(row.result) if row.result not in (None, "", "null") else "done")


def _short(text: str, links: Links) -> str:
    return markdown(one_line(text, _SHORT), links, _SHORT)


def _asked(approval: Approval, links: Links) -> TaskEntry:
    """Return the question as a task that is done once it is asked: the call itself comes after the answer."""
    title = f"Ask people: {call_text(approval.action, approval.target, approval.args, _TITLE - 12)}"
    return TaskEntry(f"ask:{approval.id}", _title(title), "complete", _details(approval, links), "see the card")


def _folded(tasks: list[TaskEntry], most: int = MOST_TASKS) -> tuple[TaskEntry, ...]:
    """Return at most as many tasks as a plan may have; the last one stands for all that are left."""
    if len(tasks) <= most:
        return tuple(tasks)
    rest = tasks[most - 1 :]
    status = next((s for s in ("in_progress", "pending", "error") if any(one.status == s for one in rest)), "complete")
    return (*tasks[: most - 1], TaskEntry(REST, f"and {times(len(rest), 'more call')}", status))  # type: ignore[arg-type]


def fallback(document: PlanDocument) -> Shown:
    """Return a stretch as a message that is posted once and updated: the newest words, and of older calls the title."""
    answer = document.answer
    tasks = [_card(task) for task in _folded(list(document.entries), _WITH_ANSWER if answer else _ALONE)]
    lines = [] if answer else [rich(section(*ticked(cut(text, 500)))) for _, text in document.says[-5:]]
    plan: Block = {"type": "plan", "title": cut(document.title, 200, "…") or "Working"}
    return shown(
        answer.text if answer else escape(document.title) or "Working",
        *lines,
        {**plan, "tasks": _fitting(tasks, 0 if answer else 3000)} if tasks else None,
        *(answer.blocks if answer else ()),
        None if lines or answer else rich(section(styled(_waiting(document)))),
    )


def _waiting(document: PlanDocument) -> str:
    return "This part is over." if document.ended else "Working on it …"


def _card(task: TaskEntry) -> Block:
    made: dict[str, Any] = {"type": "task_card", "task_id": task.id[:255], "title": task.title, "status": task.status}
    for name in ("details", "output"):
        if text := getattr(task, name):
            made[name] = rich(section(*ticked(text)))
    if task.sources:
        made["sources"] = [{"type": "url", "url": url, "text": text} for url, text in task.sources]
    return made


def _fitting(tasks: list[Block], room: int) -> list[Block]:
    """Return tasks without the words of the older ones, where all together are more than a message holds."""
    found: list[Block] = []
    for task in reversed(tasks):
        slim = {name: value for name, value in task.items() if name not in ("details", "output")}
        room -= 2 * _SHORT
        found.append(task if room >= 0 else slim)
    return found[::-1]
