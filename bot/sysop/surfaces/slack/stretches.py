"""A run's work between two approvals, as a plan: what was called, what was said, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from sysop.errors import InvalidRequest
from sysop.model import Approval, Run, RunState
from sysop.store import conversations, effects, incidents, members, mode, runs
from sysop.surfaces.slack import reads
from sysop.surfaces.slack.blocks import plan
from sysop.surfaces.slack.blocks.answer import answer
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.look import Look, names
from sysop.surfaces.slack.markdown import markdown
from sysop.surfaces.slack.text import bare, one_line

Status = Literal["processing", "suspended", "active"]
MAX_SAID: Final = 3000
_START: Final = ".start"
_FAILED: Final = ".failed"
_PEOPLE: Final = ("approval:", "unknown:", "pause")


@dataclass(frozen=True, slots=True)
class _Span:
    """From when to when a stretch goes; times are those of the decisions around it."""

    since: int
    until: int | None

    def holds(self, at: int) -> bool:
        return at >= self.since and (self.until is None or at < self.until)


def current(conn: Connection, run: str) -> int:
    """Return the number of a run's stretch right now: one more than its approvals that wait for nobody any more."""
    return 1 + len(_decisions(conn, reads.of_run(conn, run)))


def stretch(conn: Connection, run: Run, number: int, look: Look) -> PlanDocument:
    """Return one stretch of a run. Raises InvalidRequest for one that has not begun."""
    asked = reads.of_run(conn, run.id)
    ends = _decisions(conn, asked)
    if number > len(ends) + 1:
        raise InvalidRequest(f"run {run.id} has no part {number} yet")
    last = number == len(ends) + 1
    span = _Span(ends[number - 2] if number > 1 else 0, None if last else ends[number - 1])
    status = _status(run)
    talk = conversations.of_run(conn, run.id)
    return PlanDocument(
        title=bare(one_line(_title(conn, run), 100)),
        entries=plan.entries(_work(conn, run, span, asked, last and status == "processing", look), look.links),
        says=(*_says(conn, run, span, look), *(_held(conn, run, look) if last else ())),
        status=status,
        ended=not last or run.over,
        answer=answer(run, _cited(run, look), look.links) if last and run.over else None,
        recipient=_recipient(conn, run, talk),
    )


def _cited(run: Run, look: Look) -> list[Cited]:
    """Return the runbook that a run follows."""
    return [look.cited(str(run.plan["runbook"]))] if run.plan.get("runbook") else []


def _decisions(conn: Connection, asked: Sequence[Approval]) -> list[int]:
    """Return when approvals stopped waiting, in order."""
    return sorted(fact.at for one in asked if (fact := reads.decided(conn, one)))


def _status(run: Run) -> Status:
    if run.over:
        return "active"
    reasons = (run.waiting_for or "").split() if run.state is RunState.WAITING else []
    return "suspended" if any(reason.startswith(_PEOPLE) for reason in reasons) else "processing"


def _title(conn: Connection, run: Run) -> str:
    if run.incident is not None:
        return f"Triage: {incidents.head(conn, run.incident).title}"
    return run.text or str(run.request.get("action") or "Working")


def _work(conn: Connection, run: Run, span: _Span, asked: Sequence[Approval], live: bool, look: Look) -> plan.Work:
    return plan.Work(
        rows=[row for row in effects.of_run(conn, run.id) if span.holds(row.created_at)],
        asked=[one for one in asked if span.holds(one.created_at)],
        begun=_begun(conn, run, span) if live else (),
        sources=tuple((it.url, one_line(it.title or it.citation, 80)) for it in _cited(run, look) if it.url),
        live=live,
        checked={name for name, action in look.actions.items() if action.verify is not None},
    )


def _begun(conn: Connection, run: Run, span: _Span) -> list[tuple[str, str]]:
    """Return steps that were said to begin and not to have failed; a finished one is known by its row as well."""
    said = [(id, text) for id, text, at in runs.said(conn, run.id) if span.holds(at)]
    failed = {id.removesuffix(_FAILED) for id, _ in said if id.endswith(_FAILED)}
    begun = [(id.removesuffix(_START), text) for id, text in said if id.endswith(_START)]
    made = {plan.parent(row.call) for row in effects.of_run(conn, run.id)}
    return [(id, text) for id, text in begun if id not in failed | made]


def _says(conn: Connection, run: Run, span: _Span, look: Look) -> tuple[tuple[str, str], ...]:
    """Return what was said, without the beginnings of steps: those are tasks."""
    said = [(id, text) for id, text, at in runs.said(conn, run.id) if span.holds(at) and not id.endswith(_START)]
    return tuple((id, markdown(text, look.links, MAX_SAID)) for id, text in said if text.strip())


def _held(conn: Connection, run: Run, look: Look) -> Iterator[tuple[str, str]]:
    """Yield that a pause holds the run back. One id a pause: a stream says each once, and cannot take it back."""
    pause = mode.read(conn)
    if run.state is RunState.WAITING and pause.paused and "pause" in (run.waiting_for or "").split():
        why = one_line(pause.reason, 300) or "no reason given"
        yield f"pause.{pause.at}", markdown(f"Changes are paused: {why}. This goes on after /sysop resume.", look.links)


def _recipient(conn: Connection, run: Run, talk: conversations.Conversation | None) -> tuple[str, str] | None:
    """Return for whom a stream is: who began the conversation, else who asked for this run, else who looks after it.

    Everybody in the channel sees it; Slack wants one name all the same.
    """
    if talk is None:
        return None
    known = names(conn, talk.team)
    users = (known.user(actor) for actor in (talk.owner, *run.requesters, *_caring(conn, run)))
    return next(((known.team, user) for user in users if user), None)


def _caring(conn: Connection, run: Run) -> Iterator[str]:
    """Yield who an incident's run is for where nobody asked: who has acknowledged it, then whoever holds a role."""
    if run.incident is None:
        return
    acknowledged = incidents.head(conn, run.incident).acknowledged_by
    if acknowledged:
        yield acknowledged
    yield from (one.actor for one in members.everybody(conn) if one.human and one.roles)
