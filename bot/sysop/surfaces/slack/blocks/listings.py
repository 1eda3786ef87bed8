"""Short lists that answer a command, for the one who typed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sysop.knowledge.citation import Citation
from sysop.knowledge.excerpt import Line as Excerpt
from sysop.knowledge.retrieval import FITS
from sysop.model import Approval, AuditEntry, IncidentState, Run, RunState
from sysop.store.incidents import Brief
from sysop.store.mode import Mode
from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.quotes import highlighted
from sysop.surfaces.slack.blocks.shown import Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, bullets, date, link, rich, said, section, styled
from sysop.surfaces.slack.text import mrkdwn, one_line, times

MOST: Final = 12
_TOLD: Final = frozenset(
    {
        *("run", "call", "approval", "incident", "conversation", "action", "item", "key", "team", "plugin", "planner"),
        *("risk", "environment", "state", "verdict", "rule", "severity", "origin", "read_only", "again", "digest"),
        *("approve", "counted", "approver", "approvers", "requesters", "roles", "count", "counts", "helpful"),
        *("approve_by", "execute_by", "execute_within"),
    }
)
"""What is told of an entry: ids, states, people and times. What anybody wrote may be private to a place, and is not."""
_MORE: Final = "What was written is left out here; `sysop audit` on the command line shows it."
_STATES: Final = {IncidentState.OPEN: "🔴", IncidentState.MITIGATED: "🟡", IncidentState.RESOLVED: "🟢"}
_RUNS: Final = {RunState.DONE: "✅", RunState.FAILED: "🔴", RunState.CANCELLED: "⏹", RunState.WAITING: "⏳"}
_HELD: Final = {
    "noise": "no problem by their own severity",
    "flapping": "coming and going without anything else",
    "alone": "with nothing else that fits",
    "silenced": "silenced",
    "waiting": "watched still",
    "old": "too late to matter",
}
"""What correlation's kinds of reasons mean to people; any other one is named as it is."""
Line = list[Element]


@dataclass(frozen=True, slots=True)
class Command:
    """A command as help shows it."""

    usage: str
    help: str


@dataclass(frozen=True, slots=True)
class Found:
    """A section that was found for a question: where people read it, and the lines of it to show."""

    citation: Citation
    lines: Sequence[Excerpt]
    confidence: float
    url: str = ""

    @property
    def fits(self) -> bool:
        """Return whether it is taken to answer."""
        return self.confidence >= FITS


@dataclass(frozen=True, slots=True)
class Status:
    """The state of things in numbers; `waiting` are those approvals that are listed with their ids.

    `held` counts the alerts that were held back, by the kind of the reason.
    """

    mode: Mode
    incidents: int
    runs: int
    approvals: int
    broken: Sequence[str] = ()
    waiting: Sequence[Approval] = ()
    held: Mapping[str, int] = field(default_factory=dict)


def held_back(held: Mapping[str, int]) -> str:
    """Return how many alerts of the last day are held back, and why, "" where none is."""
    if not held:
        return ""
    kinds = ", ".join(f"{count} {one_line(_HELD.get(kind, kind), 60)}" for kind, count in list(held.items())[:6])
    return f"{times(sum(held.values()), 'alert')} held back in the last 24 hours: {kinds}"


def _list(title: str, lines: Sequence[Line], total: int, nothing: str, most: int = MOST) -> Shown:
    """Return a list with a title that says how many there are, those shown and those not."""
    if not lines:
        return shown(nothing, rich(section(styled(nothing))))
    rest = [[styled(f"… and {total - len(lines)} more", "italic")]] if total > len(lines) else []
    return shown(title, rich(section(styled(title, "bold")), bullets([*lines[:most], *rest])))


def status(it: Status, names: Names, links: Links) -> Shown:
    """Return whether all is well, then the numbers."""
    calm = not (it.incidents or it.approvals or it.mode.paused or it.broken)
    verdict = "🟢 All is quiet" if calm else f"{'🔴' if it.incidents else '🟡'} Something needs attention"
    lines: list[Line] = [
        [styled(times(it.incidents, "open incident"))],
        [styled(f"{times(it.runs, 'run')} under way")],
        [styled(f"{times(it.approvals, 'approval')} waiting")],
    ]
    if it.mode.paused:
        why = said(one_line(it.mode.reason or "no reason given", 300), links)
        lines.append([styled("changes are paused by "), names.element(it.mode.by), styled(": "), *why])
    if told := held_back(it.held):
        lines.append([styled(told)])
    if it.broken:
        lines.append([styled(f"not working: {', '.join(one_line(name, 40) for name in it.broken[:10])}")])
    which = _waiting(it, names, links) if it.waiting else []
    return shown(verdict, rich(section(styled(verdict, "bold")), bullets(lines), *which))


def _waiting(it: Status, names: Names, links: Links) -> list[Element]:
    lines = approval_lines(it.waiting, names, links)
    more = it.approvals - len(lines)
    rest = [[styled(f"… and {more} more", "italic")]] if more > 0 else []
    title = section(styled("Waiting for a decision, by /sysop approve ID or /sysop deny ID", "bold"))
    listed = bullets([*lines, *rest])
    return [title, listed] if listed else []


def incident_lines(found: Sequence[Brief], most: int, total: int, links: Links) -> list[Line]:
    """Return incidents one a line, with a last line for those of all that have no room."""
    lines: list[Line] = []
    for brief in found[:most]:
        one = brief.incident
        services = f" · {one_line(', '.join(one.services), 120)}" if one.services else ""
        head = [styled(f"{_STATES[one.state]} "), *said(one_line(one.title, 150), links)]
        count = f"{times(brief.alerts, 'alert')}, {brief.firing} firing"
        about = f" · {one_line(one.severity, 30)}{services} · {count} · since "
        lines.append([*head, styled(about), date(one.opened_at), styled(" "), styled(one.id, "code")])
    if total > len(lines):
        lines.append([styled(f"… and {total - len(lines)} more", "italic")])
    return lines


def incidents(found: Sequence[Brief], total: int, links: Links) -> Shown:
    """Return incidents, as they are given, of so many in all."""
    lines = incident_lines(found, MOST, total, links)
    return _list(times(total, "incident"), lines, len(lines), "No incident is open.", MOST + 1)


def approval_lines(found: Sequence[Approval], names: Names, links: Links) -> list[Line]:
    """Return approvals one a line, as many as there is room for, each with the id to decide by."""
    lines: list[Line] = []
    for one in found[:MOST]:
        what = said(one_line(f"{one.action} on {one.target}", 200), links)
        votes = f" · {one.risk} · {sum(vote.approve for vote in one.votes)} of {one.count} votes · asked for by "
        until = [styled(" · expires "), date(one.approve_by), styled(" ")]
        lines.append([*what, styled(votes), *names.elements(one.requesters), *until, styled(one.id, "code")])
    return lines


def approvals(found: Sequence[Approval], names: Names, links: Links, hint: str = "") -> Shown:
    """Return approvals that wait, with the id to decide by; `hint` says how."""
    lines, title = approval_lines(found, names, links), f"{times(len(found), 'approval')} waiting"
    told = _list(title, lines, len(found), "Nothing waits for an approval.", MOST + 1)
    return shown(told.text, *told.blocks, parts.context([mrkdwn(hint, links)])) if hint else told


def runs(found: Sequence[Run], links: Links) -> Shown:
    """Return runs, newest first, without their words: they may have been asked for where few people read."""
    lines: list[Line] = []
    for one in found[:MOST]:
        about = f"looks into {one.incident}" if one.incident else "a request"
        head = [styled(f"{_RUNS.get(one.state, '▶')} "), *said(about, links)]
        lines.append([*head, styled(f" · {one.state} · "), date(one.created_at), styled(" "), styled(one.id, "code")])
    return _list(times(len(found), "run"), lines, len(found), "There are no runs yet.")


def audit(found: Sequence[AuditEntry], names: Names, links: Links) -> Shown:
    """Return audit entries, oldest first: when, who, what was done to which, and nothing that anybody wrote."""
    lines = [
        [date(e.ts), styled(" "), names.element(e.actor), styled(f" {e.kind} ", "bold"), *_facts(e, links)]
        for e in found[-MOST:]
    ]
    told = _list(times(len(found), "audit entry", "audit entries"), lines, len(found), "No such entry.")
    return shown(told.text, *told.blocks, parts.context([_MORE])) if found else told


def _facts(entry: AuditEntry, links: Links) -> Line:
    body: Mapping[str, Any] = json.loads(entry.body)
    told = {k: v for k, v in body.items() if k in _TOLD and v not in (None, "", [], {})}
    text = " ".join(f"{k}={v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}" for k, v in told.items())
    return said(one_line(text, 240), links)


def runbooks(found: Sequence[tuple[Cited, str]], links: Links) -> Shown:
    """Return runbooks, one a line, each with what there is to say of it."""
    lines = [
        [
            link(one_line(it.citation, 120), it.url, links),
            styled(f" {one_line(it.title, 100)}: "),
            *said(one_line(text, 240), links),
        ]
        for it, text in found[:MOST]
    ]
    return _list(times(len(found), "runbook"), lines, len(found), "There is no runbook.")


def found(sections: Sequence[Found], links: Links) -> Shown:
    """Return the sections that answer a question, best first: what they say of it, their revision and review."""
    if not sections:
        return shown("No runbook has these words.", rich(section(styled("No runbook has these words."))))
    fits = sections[0].fits
    title = times(len(sections), "runbook section") if fits else "No runbook fits. The nearest, as a possibility:"
    blocks = [rich(*_answering(one, links)) for one in sections[: MOST if fits else 1]]
    return shown(title, rich(section(styled(title, "bold"))), *blocks)


def standing(it: Citation) -> str:
    """Return a page's revision and review in words, marked where nobody has reviewed it lately."""
    return f"{'' if it.sound else '⚠ '}rev {it.revision}, {it.review}"


def _answering(it: Found, links: Links) -> list[Element]:
    about = it.citation
    title = one_line(" · ".join(filter(None, (about.title, about.heading))) or about.page, 150)
    linked = [link(title, it.url, links)] if it.url and links.allows(it.url) else [styled(title, "bold")]
    head = [*linked, styled(" "), styled(one_line(about.ref, 200), "code")]
    review = f"{standing(about)}, confidence {it.confidence:.2f}"
    quote = [highlighted(it.lines, links)] if it.lines else []
    return [section(*head), *quote, section(styled(review, "italic"))]


def help(commands: Sequence[Command], unknown: str = "") -> Shown:
    """Return what can be typed; `unknown` is a word that was typed and means nothing."""
    first = [section(styled("There is no "), styled(one_line(unknown, 80), "code"), styled(". This is what there is:"))]
    lines = [[styled(one_line(c.usage, 120), "code"), styled(f" {one_line(c.help, 200)}")] for c in commands[:40]]
    head = first if unknown else [section(styled("What Sysop understands", "bold"))]
    note = parts.context(["In a thread of Sysop's, just write."])
    return shown("What Sysop understands", rich(*head, bullets(lines)), note)
