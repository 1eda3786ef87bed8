"""The words of the domain as frozen data. Times are integers: milliseconds since the epoch, by the database clock."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no letters that read like digits


def new_id(kind: str) -> str:
    """Return a new opaque id such as `run-7k2m9qxd4w`, 50 random bits."""
    return f"{kind}-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


class Risk(StrEnum):
    """What an action may do to the world."""

    READ = "read"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"


class Origin(StrEnum):
    """What made a run start."""

    ASKED = "asked"
    ALERT = "alert"
    SCHEDULE = "schedule"


class RunState(StrEnum):
    """Where a run is. `waiting` has a reason in `waiting_for`; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EffectState(StrEnum):
    """Where a ledger row is. `executing` after a crash means: it may have happened."""

    INTENT = "intent"
    EXECUTING = "executing"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ApprovalState(StrEnum):
    """Where an approval is. All but the first two are final."""

    PENDING = "pending"
    APPROVED = "approved"
    CONSUMED = "consumed"
    DENIED = "denied"
    EXPIRED = "expired"
    REVOKED = "revoked"
    VOID = "void"


class IncidentState(StrEnum):
    """Where an incident is. Mitigated: no alert fires any more, not yet confirmed over the quiet time."""

    OPEN = "open"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"


class ChangeKind(StrEnum):
    """What was changed."""

    DEPLOY = "deploy"
    CONFIG = "config"
    SCALE = "scale"
    RESTART = "restart"
    FLAG = "flag"
    OTHER = "other"


class ChangeState(StrEnum):
    """How far a change is, as far as was told."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """What policy says of a call, from lenient to strict."""

    ALLOW = "allow"
    APPROVE = "approve"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. `id` is `person:NAME` for people in settings, else `os:UID` or `service:NAME`.

    Who writes in a chat and is nobody in the settings is `slack:TEAM.USER`. `accounts` are the ids by which a chat
    surface knows the same person.
    """

    id: str
    roles: frozenset[str] = frozenset()
    human: bool = False
    uid: int | None = None
    accounts: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Return every id this actor is known by: who was nobody yesterday may be a person in the settings today."""
        return tuple(dict.fromkeys((self.id, *(() if self.uid is None else (f"os:{self.uid}",)), *self.accounts)))

    @property
    def name(self) -> str:
        """Return the id without its kind, for showing to people."""
        return self.id.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Request:
    """A wish from any surface. `action` and `args` name one call; otherwise a planner works on `text` or `incident`.

    A `read_only` run can look and never change anything.
    """

    actor: Actor
    origin: Origin
    place: str
    text: str = ""
    incident: str | None = None
    action: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    planner: str | None = None
    runbook: str | None = None
    conversation: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to answer a request. `fence` grows with every claim; a worker with an older one has lost the run.

    `attempt` counts the claims since the last step forward; every one but the newest ended in a crash.
    """

    id: str
    state: RunState
    origin: Origin
    place: str
    text: str
    requesters: tuple[str, ...]
    roles: tuple[str, ...]
    incident: str | None
    planner: str
    request: Mapping[str, Any]
    fence: int
    attempt: int
    waiting_for: str | None
    wake_at: int | None
    plan: Mapping[str, Any]
    conclusion: Mapping[str, Any] | None
    created_at: int
    finished_at: int | None
    conversation: str | None = None

    @property
    def over(self) -> bool:
        """Tell whether the run has ended."""
        return self.state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)

    @property
    def read_only(self) -> bool:
        """Tell whether the run may look only."""
        return bool(self.request.get("read_only"))


@dataclass(frozen=True, slots=True)
class Call:
    """A wish to perform one action. `id` is ours and unique in the run; the ledger is keyed by (run, id)."""

    id: str
    action: str
    args: Mapping[str, Any]
    reason: str = ""
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call. `result` is a JSON value; `verified` is None where no post-check is declared."""

    run: str
    call: str
    action: str
    risk: Risk
    state: EffectState
    result: Any = None
    error: str | None = None
    verified: bool | None = None
    verification: str | None = None
    at: int = 0

    @property
    def evidence(self) -> str:
        """Return the id by which a conclusion cites this outcome."""
        return f"{self.run}:{self.call}"

    @property
    def ok(self) -> bool:
        """Tell whether the action ran to its end and no post-check says otherwise."""
        return self.state is EffectState.DONE and self.verified is not False


@dataclass(frozen=True, slots=True)
class Decision:
    """Policy's answer for one call: the verdict, the rule that gave it and, for `approve`, by whom.

    `notes` are what whoever approves must have been shown.
    """

    verdict: Verdict
    rule: str
    reason: str
    roles: tuple[str, ...] = ()
    count: int = 0
    approve_within: int = 30 * 60_000
    execute_within: int = 10 * 60_000
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer to an approval."""

    approver: str
    approve: bool
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for people to allow exactly one call. `args`, `preview` and `precondition` are the bound bytes."""

    id: str
    run: str
    call: str
    state: ApprovalState
    digest: str
    action: str
    risk: Risk
    args: str
    target: str
    environment: str
    requesters: tuple[str, ...]
    roles: tuple[str, ...]
    count: int
    preview: str
    precondition: str
    reason: str
    approve_by: int
    execute_by: int | None
    execute_within: int
    created_at: int
    votes: tuple[Vote, ...] = ()
    closed_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One occurrence of an alert, keyed by the source's own fingerprint and start.

    An `ending` is none: its source did not say which occurrence ended. All of its fingerprint that did not start later
    than `starts_at` have ended, at `ends_at`; but what a source says of the end of one counts for more.
    """

    source: str
    fingerprint: str
    starts_at: int
    ends_at: int | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    url: str = ""
    ending: bool = False

    @property
    def name(self) -> str:
        """Return the alert rule's name."""
        return self.labels.get("alertname", "alert")

    @property
    def service(self) -> str | None:
        """Return the service the alert names, None where it names none."""
        return self.labels.get("service")

    @property
    def firing(self) -> bool:
        """Tell whether the occurrence has not ended."""
        return self.ends_at is None


@dataclass(frozen=True, slots=True)
class Incident:
    """What people work on: alerts that belong together, each with the reason why.

    `origins` are the probable ones, likeliest first, each with `alert`, `service`, `weight` and `reason`; none means
    undetermined. One that is `merged_into` another is resolved, and has given its alerts to that one. One that is
    `of_alerts` a person made of alerts, and it is about these as if they had opened it.
    """

    id: str
    state: IncidentState
    title: str
    severity: str
    services: tuple[str, ...]
    opened_at: int
    mitigated_at: int | None
    resolved_at: int | None
    run: str | None
    alerts: tuple[Alert, ...] = ()
    reasons: tuple[str, ...] = ()
    opened_by: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    merged_into: str | None = None
    of_alerts: bool = False
    origins: tuple[Mapping[str, Any], ...] = ()

    @property
    def firing(self) -> int:
        """Return how many of its alerts fire still."""
        return sum(alert.firing for alert in self.alerts)

    @property
    def in_words(self) -> bool:
        """Tell whether a person opened it in words of their own, and only people can say that it is over."""
        return self.opened_by is not None and not self.of_alerts


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of a conclusion with the ids of the outcomes that carry it."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a run ended. `resolved` False with `escalate` text means: a person must go on."""

    summary: str
    resolved: bool
    cause: str = "undetermined"
    confidence: str = "low"
    basis: str = ""
    claims: Sequence[Claim] = ()
    proposed: Sequence[str] = ()
    not_checked: Sequence[str] = ()
    escalate: str | None = None
    degraded: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log as it was committed."""

    id: int
    chain: str
    seq: int
    kind: str
    actor: str
    ts: int
    body: str
    hash: bytes


_CHANGED: Mapping[ChangeKind, str] = {
    ChangeKind.DEPLOY: "deployed",
    ChangeKind.CONFIG: "configured anew",
    ChangeKind.SCALE: "scaled",
    ChangeKind.RESTART: "restarted",
    ChangeKind.FLAG: "switched",
    ChangeKind.OTHER: "changed",
}
_SO_FAR: Mapping[ChangeState, str] = {
    ChangeState.STARTED: "is being {}",
    ChangeState.DONE: "was {}",
    ChangeState.FAILED: "could not be {}",
    ChangeState.CANCELLED: "was to be {}, which was cancelled",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed out there, by us or by others. `source` and `id` tell it from every other one.

    `at` is when it came to its `state` and `began_at` when it began, in milliseconds; 0 stands for `at`. `before` and
    `after` are versions, sizes or values, empty where nobody told. `run` and `call` name the effect, where it is ours.
    """

    kind: ChangeKind
    service: str | None
    source: str = ""
    id: str = ""
    at: int = 0
    began_at: int = 0
    state: ChangeState = ChangeState.DONE
    environment: str = ""
    before: str = ""
    after: str = ""
    by: str = ""
    title: str = ""
    url: str = ""
    run: str | None = None
    call: str | None = None

    @property
    def words(self) -> str:
        """Return what was done, such as `checkout 2.3.1 was deployed (before: 2.3.0)`, without when and by whom."""
        what = self.service or self.title or f"something at {self.source}"
        version = f" {self.after}" if self.kind is ChangeKind.DEPLOY and self.after else ""
        done = _SO_FAR[self.state].format(_CHANGED[self.kind])
        return f"{what}{version} {done}{self._from_to}"

    def when(self, then: int) -> str:
        """Return how long before a time it was done, or that it was under way then."""
        if self.at <= then:
            return f"{_length(then - self.at)} before"
        return f"which began {_length(then - self.began_at)} before and was still under way"

    @property
    def _from_to(self) -> str:
        if self.kind is ChangeKind.DEPLOY:
            return f" (before: {self.before})" if self.before else ""
        return f" ({self.before or '?'} -> {self.after})" if self.after else ""


def _length(ms: int) -> str:
    amount, unit = (ms // 1000, "second") if ms < 120_000 else (round(ms / 60_000), "minute")
    return f"{amount} {unit}{'' if amount == 1 else 's'}"
