"""The draft of a post-incident report: what is known, each with where it is written down, and room for what is not.

It guesses nothing: a cause stands in it only as what correlation or a run has found, with the reason each gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from sysop.incidents.facts import PEOPLE, Facts, cite, facts
from sysop.incidents.inert import code, names, table, text
from sysop.incidents.similar import Similar, similar
from sysop.incidents.timeline import Timeline, changes, outcome_words, timeline
from sysop.incidents.words import call, lasted, origins_of, owners, person, titled, when
from sysop.inventory import Inventory
from sysop.model import Approval, EffectState, Incident, Risk, Run
from sysop.store import effects, incidents, records
from sysop.store.effects import Effect
from sysop.store.writer import Tx

MOST_MOMENTS: Final = 200
MOST_READS: Final = 40
MOST_FIRING: Final = 20


@dataclass(frozen=True, slots=True)
class Report:
    """A draft: its title, a name for its file, and its text as Markdown."""

    incident: str
    title: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class _Known:
    """All that a draft is made of."""

    facts: Facts
    timeline: Timeline
    runs: Sequence[Run]
    calls: Sequence[Effect]
    approvals: Sequence[Approval]
    similar: Sequence[Similar]

    @property
    def incident(self) -> Incident:
        """Return what it is about."""
        return self.facts.incident

    @property
    def changes(self) -> list[Effect]:
        """Return the calls that were to change something."""
        return changes(self.calls)


def draft(conn: Connection, inventory: Inventory, incident: str) -> Report:
    """Return the draft for an incident as it stands now. Raises NoSuch for an unknown id."""
    known = _known(conn, inventory, incident)
    sections = {
        "Summary": known.facts.summary(),
        "Impact": known.facts.impact(),
        "Probable origin": _origin(known),
        "What was tried": _tried(known),
        "What helped": _helped(known),
        "Timeline": _timeline(known.timeline),
        "Similar incidents": _similar(known.similar),
        "Open questions": _open(known),
        "Lessons": [PEOPLE],
        "Follow-ups": [PEOPLE],
    }
    title = f"Post-incident report: {known.incident.title}"
    lines = [f"# Post-incident report: {text(known.incident.title)}", "", *_note(known)]
    for heading, body in sections.items():
        lines += ["", f"## {heading}", "", *body]
    return Report(incident, title, f"{incident}-report.md", "\n".join(lines) + "\n")


def _known(conn: Connection, inventory: Inventory, id: str) -> _Known:
    incident = incidents.load(conn, id)
    known = facts(conn, incident, owners(inventory, incident.services), Tx(conn).now())
    runs = [run for run in records.runs_of(conn, [id, *known.parts]) if not run.read_only]
    return _Known(
        facts=known,
        timeline=timeline(conn, incident, MOST_MOMENTS),
        runs=runs,
        calls=[row for run in runs for row in effects.of_run(conn, run.id)],
        approvals=records.approvals_of(conn, [run.id for run in runs]),
        similar=similar(conn, incident),
    )


def _note(known: _Known) -> list[str]:
    return [
        f"Drafted by Sysop on {when(known.facts.now)} from its records; all times are UTC. Each fact names where it is"
        " written down: a call as `run:call`, an entry of the audit log as `audit:number`, an alert by its source and"
        " fingerprint, a message by its conversation and time. What people must add is marked.",
    ]


def _origin(known: _Known) -> list[str]:
    told = [_one_origin(origin) for origin in origins_of(known.incident)]
    told = told or ["- Undetermined by correlation: no alert stands out as the one that the others follow from."]
    return [*told, *(line for run in known.runs for line in _cause(run))]


def _one_origin(origin: Any) -> str:
    where = text(str(origin.get("service") or "no service"))
    weight = f"{100 * float(origin.get('weight') or 0):.0f} %"
    why, alert = text(str(origin.get("reason") or "–")), text(str(origin.get("alert")))
    return f"- {where}, {weight} by correlation: {why} ({alert})"


def _cause(run: Run) -> list[str]:
    found = run.conclusion or {}
    cause = str(found.get("cause") or "undetermined")
    if not run.over:
        return [f"- {code(run.id)} has not ended yet."]
    if cause == "undetermined":
        return [f"- Undetermined by {code(run.id)}."]
    cited = dict.fromkeys(str(id) for claim in found.get("claims") or () for id in claim.get("evidence") or ())
    basis = f", since {text(str(found['basis']))}" if found.get("basis") else ""
    evidence = f" ({', '.join(map(code, cited))})" if cited else ""
    sure = f"confidence {text(str(found.get('confidence') or 'low'))}"
    return [f"- {code(run.id)} found: {text(cause)}; {sure}{basis}{evidence}"]


def _tried(known: _Known) -> list[str]:
    reads = [row for row in known.calls if row.risk is Risk.READ]
    lines = ["Nothing was changed by Sysop."]
    if known.changes:
        approvals = {one.id: one for one in known.approvals}
        rows = [
            (
                text(call(row.action, row.target)),
                text(outcome_words(row)),
                _approvers(approvals.get(row.approval or "")),
                code(row.outcome().evidence),
            )
            for row in known.changes
        ]
        lines = table(("change", "what became of it", "approved by", "evidence"), rows)
    used = {row.approval for row in known.changes}
    unused = [_unused(one) for one in known.approvals if one.id not in used]
    return [*lines, *([""] if unused else []), *unused, *_reads(reads)]


def _unused(one: Approval) -> str:
    closed = f": {text(one.closed_reason)}" if one.closed_reason else ""
    what = text(call(one.action, one.target))
    return f"- {what} has not been done; its approval is {one.state}{closed} ({code(one.id)})"


def _approvers(approval: Approval | None) -> str:
    votes = approval.votes if approval else ()
    return names(person(vote.approver) or vote.approver for vote in votes if vote.approve) or "nobody had to"


def _reads(rows: Sequence[Effect]) -> list[str]:
    if not rows:
        return ["", "Sysop looked at nothing."]
    told = [f"{text(call(row.action, row.target))} {_read(row)}({code(row.outcome().evidence)})" for row in rows]
    more = f", and {len(told) - MOST_READS} more" if len(told) > MOST_READS else ""
    return ["", f"Sysop looked at: {', '.join(told[:MOST_READS])}{more}."]


def _read(row: Effect) -> str:
    return "" if row.state is EffectState.DONE else f"{row.state} "


def _helped(known: _Known) -> list[str]:
    checked = [row for row in known.changes if row.verified]
    if not checked:
        return ["No change of Sysop's is known to have helped."]
    return [_one_helped(row, known.incident) for row in checked]


def _one_helped(row: Effect, incident: Incident) -> str:
    at, quiet = row.finished_at or row.created_at, incident.mitigated_at
    after = f" No alert fired any more {lasted(quiet - at)} later." if quiet is not None and quiet >= at else ""
    shown = text(row.verification or "its post-check passed")
    return f"- {text(call(row.action, row.target))}: {shown}.{after} ({code(row.outcome().evidence)})"


def _timeline(found: Timeline) -> list[str]:
    rows = [
        (when(one.at), text(one.words), text(person(one.actor) or "") if one.actor else "", _evidence(one.evidence))
        for one in found.moments
    ]
    more = ["", f"{found.left_out} moments more are left out; the audit log has them."] if found.left_out else []
    return [*table(("when (UTC)", "what", "who", "evidence"), rows), *more]


def _evidence(id: str) -> str:
    return code(id) if id.startswith(("audit:", "run-", "conv-")) else text(id)


def _similar(found: Sequence[Similar]) -> list[str]:
    if not found:
        return ["None of the past incidents has much in common with it."]
    return [f"- {code(one.incident)} {text(one.title)} ({one.score:.2f}): {text(one.words)}" for one in found]


def _open(known: _Known) -> list[str]:
    """Return what nobody has looked at, from the runs' own words and from what has no end yet."""
    told = [
        f"- Not checked: {text(str(one))} ({code(run.id)})"
        for run in known.runs
        for one in (run.conclusion or {}).get("not_checked") or ()
    ]
    told += [
        f"- Left to people: {text(str(run.conclusion['escalate']))} ({code(run.id)})"
        for run in known.runs
        if run.conclusion and run.conclusion.get("escalate")
    ]
    told += [
        f"- Whether {text(call(row.action, row.target))} happened is not known ({code(row.outcome().evidence)})"
        for row in known.changes
        if row.state is EffectState.UNKNOWN
    ]
    return [*told, *_firing(known.incident)] or ["None that the records show."]


def _firing(incident: Incident) -> list[str]:
    told = [f"- {text(titled(alert))} fires still ({cite(alert)})" for alert in incident.alerts if alert.firing]
    more = [f"- {len(told) - MOST_FIRING} alerts more fire still"] if len(told) > MOST_FIRING else []
    return [*told[:MOST_FIRING], *more]
