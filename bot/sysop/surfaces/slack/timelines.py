"""What happened in an incident, put together from its own log, its runs, their approvals and their effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from sysop.incidents import changed
from sysop.incidents.moves import is_triage
from sysop.knowledge.memory.recall import recall_these, teaches
from sysop.model import ApprovalState, EffectState, Incident, Risk, Run
from sysop.store import audit, conversations, effects, incidents, outbox, recalled, runs
from sysop.store.effects import Effect
from sysop.surfaces.slack import keys, reads
from sysop.surfaces.slack.blocks.calls import call_text
from sysop.surfaces.slack.blocks.incident import Cited, Findings, Moment, Part, View
from sysop.surfaces.slack.blocks.plan import parent
from sysop.surfaces.slack.blocks.remembered import Past
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.reads import Fact

MOST_RUNS: Final = 5
_KINDS: Final = {
    "incident.opened": "opened it",
    "incident.noted": "noted: {text}",
    "incident.acknowledged": "looks after it",
    "incident.mitigated": "mitigated: {reason}",
    "incident.reopened": "open again: {reason}",
    "incident.resolved": "resolved: {reason}",
    "incident.merged": "{merged}",
    "incident.split": "split off {alerts} of its alerts: {into}",
    "incident.triaged_again": "looks again: {reason}",
}
_ENDED: Final = {
    EffectState.DONE: "was done",
    EffectState.FAILED: "failed, nothing was changed",
    EffectState.UNKNOWN: "may have happened; a person must look",
}
_ANSWERS: Final = {
    ApprovalState.APPROVED: "approved",
    ApprovalState.CONSUMED: "approved",
    ApprovalState.DENIED: "denied",
    ApprovalState.EXPIRED: "nobody decided in time on",
    ApprovalState.REVOKED: "withdrew",
    ApprovalState.VOID: "void by now:",
}


def incident_view(conn: Connection, incident: Incident, look: Look) -> View:
    """Return an incident with all that its card says."""
    talked = [run for run in _runs(conn, incident) if not run.read_only]
    changes = {run.id: [row for row in effects.of_run(conn, run.id) if _is_change(row)] for run in talked}
    made = [run for run in talked if is_triage(run) or changes[run.id] or reads.of_run(conn, run.id)][-MOST_RUNS:]
    moments = [*_own(conn, incident), *[moment for run in made for moment in _of_run(conn, run, changes[run.id])]]
    current = next((run for run in made if run.id == incident.run), None)
    return View(
        incident,
        owner=_owner(incident, look),
        runbook=_runbook(incident, made, look),
        timeline=tuple(sorted(moments, key=lambda moment: moment.at)),
        findings=_findings(made, talked, [row for run in made for row in changes[run.id]]),
        busy=current is not None and not current.over,
        changes=audit.count(conn, incidents.chain(incident.id)),
        part_of=_part_of(conn, incident, look),
        changed=_changed(conn, incident, look),
        past=_past(conn, incident, look),
    )


def _changed(conn: Connection, incident: Incident, look: Look) -> tuple[str, ...]:
    """Return what was changed shortly before an incident; one that is part of another leaves that to it."""
    if incident.merged_into is not None:
        return ()
    begin = changed.begin_of(incident)
    return tuple(changed.sentence(one, begin) for one in changed.before(conn, incident, look.inventory))


def _part_of(conn: Connection, incident: Incident, look: Look) -> Part | None:
    """Return the incident that this one is part of, and where its card stands."""
    into = incident.merged_into
    if into is None:
        return None
    return Part(into, _place(conn, into, look))


def _past(conn: Connection, incident: Incident, look: Look) -> Past | None:
    """Return the first past incident that a run has told of and nobody has said to forget, as it is known now."""
    if incident.merged_into is not None or not (ids := recalled.told(conn, incident.id)):
        return None
    known = {memory.incident: memory for memory in recall_these(conn, ids)}
    first = next((known[id] for id in ids if id in known), None)
    return Past(first.incident, teaches(first), _place(conn, first.incident, look)) if first is not None else None


def _place(conn: Connection, incident: str, look: Look) -> str:
    """Return where the card of an incident stands, "" where that is not known."""
    talk, stands = conversations.of_incident(conn, incident), outbox.message(conn, keys.incident(incident))
    return look.address(talk.team, stands.channel, stands.ts) if talk is not None and stands is not None else ""


def _runs(conn: Connection, incident: Incident) -> list[Run]:
    """Return the runs about an incident, oldest first."""
    talk = conversations.of_incident(conn, incident.id)
    found = conversations.runs_of(conn, talk.id) if talk else []
    known = {run.id for run in found}
    first = [runs.load(conn, incident.run)] if incident.run and incident.run not in known else []
    return sorted([*first, *found], key=lambda run: run.created_at)


def _is_change(row: Effect) -> bool:
    return row.risk is not Risk.READ and row.state in _ENDED and parent(row.call) == row.call


def _own(conn: Connection, incident: Incident) -> list[Moment]:
    found = reads.facts(conn, incidents.chain(incident.id), tuple(_KINDS))
    return [Moment(fact.at, _own_words(fact), _person(fact.actor)) for fact in found]


def _own_words(fact: Fact) -> str:
    if fact.kind == "incident.opened" and _person(fact.actor) is None:
        return "opened for alerts"
    return _KINDS[fact.kind].format_map(_told(fact.body))


def _told(body: Mapping[str, Any]) -> Mapping[str, Any]:
    into = body.get("into")
    return _Told({**body, "merged": f"made it part of {into}" if into else f"made {body.get('incident')} part of it"})


class _Told(dict[str, Any]):
    """Facts by name; one that an entry does not have is a dash."""

    def __missing__(self, key: str) -> str:
        return "–"


def _person(actor: str) -> str | None:
    return None if actor.startswith("service:") else actor


def _of_run(conn: Connection, run: Run, changes: Sequence[Effect]) -> list[Moment]:
    asked_by = next((who for who in run.requesters if not who.startswith(("service:", "os:"))), None)
    found = [Moment(run.created_at, _begins(run, asked_by), asked_by)]
    found += [_change(row) for row in changes]
    for approval in reads.of_run(conn, run.id):
        call = call_text(approval.action, approval.target, approval.args)
        found.append(Moment(approval.created_at, f"approval asked for: {call}"))
        if fact := reads.closed(conn, approval):
            voters: list[str | None] = [vote.approver for vote in approval.votes]
            found.append(
                Moment(
                    fact.at, f"{_ANSWERS.get(approval.state, 'decided')} {call}", (voters or [_person(fact.actor)])[-1]
                )
            )
    if run.finished_at is not None:
        what = "triage" if is_triage(run) else "what was asked for"
        found.append(Moment(run.finished_at, f"{what} ended: {(run.conclusion or {}).get('summary') or run.state}"))
    return found


def _begins(run: Run, asked_by: str | None) -> str:
    if not is_triage(run):
        return f"asked: {run.text or run.request.get('action') or 'for something'}"
    return "asked for triage" if asked_by else "triage begins"


def _change(row: Effect) -> Moment:
    helped = {True: ", and it helped", False: ", and it did not help", None: ""}[row.verified]
    text = f"{call_text(row.action, row.target, row.args)} {_ENDED[row.state]}{helped}"
    return Moment(row.finished_at or row.created_at, text)


def _owner(incident: Incident, look: Look) -> str:
    known = [look.inventory.services[name] for name in incident.services if name in look.inventory.services]
    return ", ".join(dict.fromkeys(service.owner for service in known if service.owner))


def _runbook(incident: Incident, made: Sequence[Run], look: Look) -> Cited | None:
    """Return the runbook that was followed, else the one that fits."""
    followed = [str(run.plan["runbook"]) for run in made if run.plan.get("runbook")]
    if followed:
        return look.cited(followed[-1])
    environments = sorted({look.inventory.environment_of(name) for name in incident.services})
    urls = [url for alert in incident.alerts if (url := str(alert.annotations.get("runbook_url") or "").strip())]
    match = look.index.find([alert.name for alert in incident.alerts], incident.services, environments, urls)
    return look.cited(match.runbook.path) if match else None


def _findings(made: Sequence[Run], talked: Sequence[Run], changes: Sequence[Effect]) -> Findings:
    """Return what the newest run found that knows a cause; an answer in the thread comes after what worked on it."""
    worked = [run.conclusion for run in reversed(made) if run.conclusion]
    answers = [run.conclusion for run in reversed(talked) if run.conclusion and run not in made]
    last = next((one for one in (*worked, *answers) if _cause(one)), worked[0] if worked else {})
    cited = [str(one) for claim in last.get("claims") or () for one in claim.get("evidence") or ()]
    evidence = dict.fromkeys([*(row.outcome().evidence for row in changes), *cited])
    return Findings(
        cause=_cause(last),
        done=tuple(_change(row).text for row in changes if row.state is not EffectState.FAILED),
        evidence=tuple(evidence),
    )


def _cause(conclusion: Mapping[str, Any]) -> str:
    cause = str(conclusion.get("cause") or "")
    return "" if cause == "undetermined" else cause
