"""All that happened in an incident, in one ordered list: alerts, what Sysop and people did, said and decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection

from sysop.incidents.moves import is_triage
from sysop.incidents.words import call, of_alert, person, titled
from sysop.model import Approval, EffectState, Incident, Risk, Run
from sysop.store import approvals, effects, incidents, records, runs
from sysop.store.conversations import Turn
from sysop.store.effects import Effect
from sysop.store.records import Entry

Kind = Literal["alert", "incident", "run", "call", "approval", "message"]
MOST: Final = 500
"""So many moments a timeline has at most; what is left out is counted."""
MOST_MESSAGES: Final = 100
_MOVED: Final = ("incident.joined", "incident.left")
_RUN: Final = ("run.started", "run.finished", "run.cancel_requested", "effect.resolved")
_WORDS: Final = {
    "incident.opened": "opened: {title} ({severity})",
    "incident.noted": "noted: {text}",
    "incident.acknowledged": "looks after it",
    "incident.mitigated": "mitigated: {reason}",
    "incident.reopened": "open again: {reason}",
    "incident.resolved": "resolved: {reason}",
    "incident.triaged_again": "is looked into again: {reason}",
    "incident.split": "{alerts} of its alerts became {into}",
}
_ENDED: Final = {
    EffectState.INTENT: "is about to begin",
    EffectState.EXECUTING: "is under way",
    EffectState.DONE: "was done",
    EffectState.FAILED: "failed",
    EffectState.UNKNOWN: "may have happened; a person must look",
}
_DECIDED: Final = {
    "approval.requested": "approval asked for",
    "approval.approved": "approved",
    "approval.denied": "denied",
    "approval.expired": "nobody decided in time",
    "approval.revoked": "approval taken back",
    "approval.void": "approval is void",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, in milliseconds. `actor` is None where nobody in particular did it.

    `evidence` is where it is written down: `RUN:CALL` for a call, `audit:NUMBER` for an entry of the audit log,
    `CONVERSATION:TIME` for a message, the source and its fingerprint for an alert.
    """

    at: int
    kind: Kind
    actor: str | None
    words: str
    evidence: str

    @property
    def entry(self) -> int:
        """Return the number of its entry in the audit log, 0 where it is written down elsewhere."""
        place, _, number = self.evidence.partition(":")
        return int(number) if place == "audit" else 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """Moments in their order, and how many more there were. Alerts are left out before anything else is."""

    moments: tuple[Moment, ...]
    left_out: int = 0


def timeline(conn: Connection, incident: Incident, most: int = MOST) -> Timeline:
    """Return what happened in an incident and in those that were merged into it."""
    whole = [incident.id, *records.parts_of(conn, incident.id)]
    story, alerts, unread = _of_runs(conn, whole), _alerts(incident), 0
    here = {alert.fingerprint: titled(alert) for alert in incident.alerts}
    for id in whole:
        about = "" if id == incident.id else f"{id}: "
        own, more = _newest(conn, incidents.chain(id), most, without=_MOVED)
        moves, more_moves = _newest(conn, incidents.chain(id), most, kinds=_MOVED)
        said, every = records.messages_of(conn, id, MOST_MESSAGES)
        story += [_own(entry, about) for entry in own] + [_message(one) for one in said]
        alerts += [_moved(entry, about, here) for entry in moves]
        unread += more + more_moves + every - len(said)
    kept = _fit(story, alerts, most)
    return Timeline(tuple(kept), unread + len(story) + len(alerts) - len(kept))


def _newest(conn: Connection, chain: str, most: int, **which: Sequence[str]) -> tuple[list[Entry], int]:
    """Return the newest entries of a chain, and how many more there are."""
    found = records.entries(conn, chain, most, **which)
    return found, records.count(conn, chain, **which) - len(found) if len(found) == most else 0


def changes(rows: Iterable[Effect]) -> list[Effect]:
    """Return the calls that were to change something."""
    return [row for row in rows if row.risk is not Risk.READ]


def outcome_words(row: Effect) -> str:
    """Return what became of a changing call, and whether its post-check says that it helped."""
    helped = {True: ", and it helped", False: ", and it did not help", None: ""}[row.verified]
    more = "; ".join(filter(None, (row.error, row.verification)))
    return f"{_ENDED[row.state]}{helped}{f': {more}' if more else ''}"


def _fit(story: list[Moment], alerts: list[Moment], most: int) -> list[Moment]:
    kept = _ends(story, most)
    return _in_order([*kept, *_ends(alerts, most - len(kept))])


def _ends(moments: list[Moment], most: int) -> list[Moment]:
    """Return the first and the last: how it began and how it ended tells more than the middle."""
    ordered = _in_order(moments)
    if len(ordered) <= most:
        return ordered
    first = most // 2
    return [*ordered[:first], *ordered[len(ordered) - (most - first) :]]


def _in_order(moments: list[Moment]) -> list[Moment]:
    """Return moments by time; those of one millisecond in the order in which they were written down."""
    return sorted(moments, key=lambda moment: (moment.at, moment.entry))


class _Told(dict[str, Any]):
    """Facts by name; one that an entry does not have is a dash."""

    def __missing__(self, key: str) -> str:
        return "–"


def _own(entry: Entry, about: str) -> Moment:
    return _entry(entry, "incident", f"{about}{_own_words(entry.kind, entry.body)}")


def _own_words(kind: str, body: Mapping[str, Any]) -> str:
    if kind == "incident.merged":
        return f"merged into {body['into']}" if body.get("into") else f"{body.get('incident', '–')} merged into it"
    if kind in _WORDS:
        return _WORDS[kind].format_map(_Told(body))
    return ": ".join(filter(None, (kind.partition(".")[2].replace("_", " "), str(body.get("reason") or ""))))


def _moved(entry: Entry, about: str, here: Mapping[str, str]) -> Moment:
    body = entry.body
    way = "joined" if entry.kind == "incident.joined" else f"left{_to(body)}"
    what = here.get(str(body.get("fingerprint"))) or of_alert(str(body.get("alert") or "alert"), body.get("service"))
    return _entry(entry, "alert", f"{about}{what} {way}{_reason(body)}")


def _to(body: Mapping[str, Any]) -> str:
    return f" for {body['to']}" if body.get("to") else ""


def _reason(body: Mapping[str, Any]) -> str:
    """Return why an alert moved; where it went to is said already, and the reason for that stands there."""
    reason = str(body.get("reason") or "")
    return f": {reason}" if reason and reason != f"it belongs to {body.get('to')}" else ""


def _entry(entry: Entry, kind: Kind, words: str) -> Moment:
    return Moment(entry.at, kind, _who(entry.actor), words, entry.evidence)


def _who(actor: str) -> str | None:
    return actor if person(actor) is not None else None


def _alerts(incident: Incident) -> list[Moment]:
    found = []
    for alert in incident.alerts:
        evidence, what = f"{alert.source}/{alert.fingerprint}", titled(alert)
        found.append(Moment(alert.starts_at, "alert", None, f"{what} started", evidence))
        if alert.ends_at is not None:
            found.append(Moment(alert.ends_at, "alert", None, f"{what} ended", evidence))
    return found


def _message(one: Turn) -> Moment:
    return Moment(one.at, "message", one.actor, f"said: {one.text}", f"{one.conversation}:{one.ts}")


def _of_runs(conn: Connection, whole: Sequence[str]) -> list[Moment]:
    """Return what runs did and asked people for; one that can only look has nothing to tell but its answer."""
    found = [run for run in records.runs_of(conn, whole) if not run.read_only]
    asked = records.approvals_of(conn, [run.id for run in found])
    return [moment for run in found for moment in _of_run(conn, run)] + [
        moment for one in asked for moment in _of_approval(conn, one)
    ]


def _of_run(conn: Connection, run: Run) -> list[Moment]:
    rows = changes(effects.of_run(conn, run.id))
    known = {row.call: call(row.action, row.target) for row in rows}
    found = [
        Moment(entry.at, "run", _who(entry.actor), _run_words(run, entry, known), entry.evidence)
        for entry in records.entries(conn, runs.chain(run.id), MOST, kinds=_RUN)
    ]
    return [*found, *(_change(row) for row in rows)]


def _run_words(run: Run, entry: Entry, calls: Mapping[str, str]) -> str:
    body = entry.body
    match entry.kind:
        case "run.started":
            return f"{run.id} looks into it" if is_triage(run) else f"asked {run.id} for: {_wish(run)}"
        case "run.finished":
            summary = (body.get("conclusion") or {}).get("summary")
            return f"{run.id} ended: {summary or body.get('state', run.state)}"
        case "effect.resolved":
            what = calls.get(str(body.get("call")), str(body.get("call")))
            return f"said that {what} is {body.get('state')}: {body.get('reason') or '–'}"
        case _:
            return f"asked {run.id} to stop: {body.get('reason') or '–'}"


def _wish(run: Run) -> str:
    return run.text or str(run.request.get("action") or "") or "a look"


def _change(row: Effect) -> Moment:
    at = row.finished_at or row.started_at or row.created_at
    words = f"{call(row.action, row.target)} {outcome_words(row)}"
    return Moment(at, "call", None, words, row.outcome().evidence)


def _of_approval(conn: Connection, approval: Approval) -> Sequence[Moment]:
    """Return what people and time did to an approval; that it was used shows in its call."""
    what = call(approval.action, approval.target)
    chain = approvals.chain(approval.id)
    told = records.entries(conn, chain, MOST, without=("approval.consumed",))
    return [_entry(entry, "approval", f"{_decided(entry)}: {what}{_why(entry.body)}") for entry in told]


def _decided(entry: Entry) -> str:
    if entry.kind != "approval.voted":
        return _DECIDED.get(entry.kind, entry.kind.partition(".")[2])
    vote = "voted yes" if entry.body.get("approve") else "voted no"
    return vote if entry.body.get("counted") else f"{vote}, which does not count ({entry.body.get('problem')})"


def _why(body: Mapping[str, Any]) -> str:
    return f" ({body['reason']})" if body.get("reason") else ""
