"""Nouns for tests of what people see: typical ones, and strategies over hostile and very long ones."""

from __future__ import annotations

import json
from typing import Any

import slack_hostile as hostile
import slack_reader as reader
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from scale import size
from sysop.canonical import canonical
from sysop.model import (
    Alert,
    Approval,
    ApprovalState,
    EffectState,
    Incident,
    IncidentState,
    Origin,
    Outcome,
    Risk,
    Run,
    RunState,
    Vote,
)
from sysop.store.effects import Effect
from sysop.store.incidents import Brief
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.links import Links

SOME = settings(
    max_examples=size(300, 30),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
"""Many parts in every noun: what would be explained is explained by the assertion itself."""

NOW = 1_790_000_000_000
LINKS = Links(reader.HOSTS)
NAMES = Names("T1", {"person:lead": "U0LEAD", "person:oncall": "U0ONCALL", "slack:T1.U0ASKER": "U0ASKER"})
ACTORS = ("person:lead", "person:oncall", "slack:T1.U0ASKER", "os:1000", "service:alerts", "slack:T2.U0OTHER")


def approval(**changes: Any) -> Approval:
    """Return a typical approval."""
    values: dict[str, Any] = {
        "id": "apr-7k2m9qxd4w",
        "run": "run-3c8v1tz0pa",
        "call": "rollback",
        "state": ApprovalState.PENDING,
        "digest": "9f2c4a1b7d3e5f60" * 4,
        "action": "cicd.rollback",
        "risk": Risk.CHANGE,
        "args": canonical({"service": "checkout", "to": None}).decode(),
        "target": "service:checkout",
        "environment": "production",
        "requesters": ("slack:T1.U0ASKER",),
        "roles": ("approver",),
        "count": 1,
        "preview": canonical(
            {
                "summary": "Roll back checkout from 1.4.2 to 1.4.1",
                "changes": ["- version 1.4.2 (broken payment timeout)", "+ version 1.4.1"],
                "affects": ["gateway"],
            }
        ).decode(),
        "precondition": '"1.4.2"',
        "reason": "The error ratio rose right after the deploy of 1.4.2.",
        "approve_by": NOW + 1_800_000,
        "execute_by": None,
        "execute_within": 600_000,
        "created_at": NOW,
    }
    return Approval(**{**values, **changes})


def outcome(state: EffectState = EffectState.DONE, **changes: Any) -> Outcome:
    """Return what a rollback came to."""
    values: dict[str, Any] = {"result": {"version": "1.4.1"}, "verified": True, "verification": "error ratio 0.2 %"}
    return Outcome("run-3c8v1tz0pa", "rollback", "cicd.rollback", Risk.CHANGE, state, **{**values, **changes})


def effect(call: str, action: str = "metrics.query", **changes: Any) -> Effect:
    """Return a ledger row."""
    values: dict[str, Any] = {
        "run": "run-3c8v1tz0pa",
        "call": call,
        "action": action,
        "risk": Risk.READ,
        "plugin_version": "1",
        "args": canonical({"expr": "service:error_ratio:rate1m", "service": "checkout"}).decode(),
        "call_digest": "d" * 64,
        "target": action.rpartition(".")[2],
        "environment": "production",
        "state": EffectState.DONE,
        "idem_key": f"run-3c8v1tz0pa:{call}",
        "approval": None,
        "precondition": None,
        "result": '{"value": 0.31}',
        "error": None,
        "verified": None,
        "verification": None,
        "created_at": NOW,
        "started_at": NOW,
        "finished_at": NOW,
    }
    return Effect(**{**values, **changes})


def alert(name: str = "ServiceErrorRatioHigh", service: str = "checkout", **changes: Any) -> Alert:
    """Return a firing alert."""
    labels = {"alertname": name, "service": service, "severity": "critical"}
    values: dict[str, Any] = {"ends_at": None, "annotations": {}, "url": "https://example.com/alerts/1"}
    return Alert("alertmanager", f"{name}-{service}", NOW - 60_000, labels=labels, **{**values, **changes})


def brief(it: Incident) -> Brief:
    """Return an incident as lists show it."""
    return Brief(it, len(it.alerts), it.firing)


def incident(**changes: Any) -> Incident:
    """Return a typical open incident."""
    values: dict[str, Any] = {
        "id": "inc-5n0y6w2kqe",
        "state": IncidentState.OPEN,
        "title": "ServiceErrorRatioHigh on checkout",
        "severity": "critical",
        "services": ("checkout", "gateway"),
        "opened_at": NOW - 60_000,
        "mitigated_at": None,
        "resolved_at": None,
        "run": "run-3c8v1tz0pa",
        "alerts": (alert(), alert("ServiceErrorRatioHigh", "gateway")),
        "reasons": ("first alert", "gateway calls checkout, 12 s apart"),
    }
    return Incident(**{**values, **changes})


CONCLUSION: dict[str, Any] = {
    "summary": "Version 1.4.2 of checkout broke payments. It was rolled back and the error ratio is back to normal.",
    "resolved": True,
    "cause": "a timeout introduced in 1.4.2",
    "confidence": "high",
    "basis": "followed runbooks/service-error-ratio.md, every value is in the ledger",
    "claims": [
        {"text": "31 % of requests failed after the deploy", "evidence": ["run-3c8v1tz0pa:ratio"]},
        {"text": "0.2 % fail now", "evidence": ["run-3c8v1tz0pa:after#3", "run-3c8v1tz0pa:rollback"]},
    ],
    "proposed": ["fix the timeout and deploy 1.4.3"],
    "not_checked": ["whether orders were lost"],
    "escalate": None,
    "degraded": None,
}


def run(**changes: Any) -> Run:
    """Return a typical run that has ended."""
    values: dict[str, Any] = {
        "id": "run-3c8v1tz0pa",
        "state": RunState.DONE,
        "origin": Origin.ALERT,
        "place": "incident:inc-5n0y6w2kqe",
        "text": "",
        "requesters": ("service:alerts",),
        "roles": (),
        "incident": "inc-5n0y6w2kqe",
        "planner": "runbook",
        "request": {},
        "fence": 1,
        "attempt": 0,
        "waiting_for": None,
        "wake_at": None,
        "plan": {"runbook": "runbooks/service-error-ratio.md"},
        "conclusion": CONCLUSION,
        "created_at": NOW,
        "finished_at": NOW + 60_000,
    }
    return Run(**{**values, **changes})


# -- strategies: words are hostile, numbers are what rows may hold ----------------------------------------------------

words = hostile.some
times = st.integers(0, 4_000_000_000_000)
actors = st.one_of(st.sampled_from(ACTORS), hostile.some)
scalars = st.one_of(
    words,
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(hostile.some, scalars, max_size=3))


def _storable(value: Any) -> Any:
    """Return a JSON value as the database holds it: without lone surrogates."""
    return json.loads(json.dumps(value).encode("ascii", "replace")) if value is not None else None


canonical_args = st.dictionaries(st.one_of(st.sampled_from(["service", "to"]), hostile.some), values, max_size=6).map(
    lambda found: canonical(_storable(found)).decode()
)
previews = st.fixed_dictionaries(
    {"summary": words, "changes": st.lists(words, max_size=6), "affects": st.lists(hostile.some, max_size=12)}
).map(lambda found: canonical(_storable(found)).decode())
votes = st.lists(st.builds(Vote, actors, st.booleans(), words, times), max_size=6).map(tuple)
approvals = st.builds(
    approval,
    state=st.sampled_from(ApprovalState),
    action=st.one_of(st.just("cicd.rollback"), words),
    risk=st.sampled_from(Risk),
    args=canonical_args,
    target=st.one_of(st.just("service:checkout"), words),
    environment=st.one_of(st.just("production"), words),
    requesters=st.lists(actors, max_size=8).map(tuple),
    roles=st.lists(hostile.some, max_size=8).map(tuple),
    count=st.integers(1, 10),
    preview=previews,
    precondition=st.one_of(st.just("null"), words.map(lambda text: canonical(_storable(text)).decode())),
    reason=words,
    approve_by=times,
    votes=votes,
    closed_reason=st.one_of(st.none(), words),
)
outcomes = st.builds(
    outcome,
    st.sampled_from(EffectState),
    error=st.one_of(st.none(), words),
    verified=st.sampled_from([True, False, None]),
    verification=st.one_of(st.none(), words),
)
urls = st.one_of(st.sampled_from(["https://example.com/a", "https://docs.corp.example/b?c=d"]), hostile.some)
alerts = st.builds(alert, hostile.some, hostile.some, url=urls, ends_at=st.one_of(st.none(), times))
origins = st.fixed_dictionaries({"alert": hostile.some, "service": st.one_of(st.none(), hostile.some), "reason": words})
incidents = st.integers(0, 25).flatmap(
    lambda count: st.builds(
        incident,
        state=st.sampled_from(IncidentState),
        title=words,
        severity=hostile.some,
        services=st.lists(hostile.some, max_size=12).map(tuple),
        opened_at=times,
        resolved_at=st.one_of(st.none(), times),
        run=st.one_of(st.none(), st.just("run-3c8v1tz0pa")),
        alerts=st.lists(alerts, min_size=count, max_size=count).map(tuple),
        reasons=st.lists(words, min_size=count, max_size=count).map(tuple),
        opened_by=st.one_of(st.none(), actors),
        acknowledged_by=st.one_of(st.none(), actors),
        origins=st.lists(origins, max_size=5).map(tuple),
    )
)
claims = st.fixed_dictionaries({"text": words, "evidence": st.lists(hostile.some, max_size=8)})
conclusions = st.fixed_dictionaries(
    {
        "summary": words,
        "resolved": st.booleans(),
        "cause": words,
        "confidence": hostile.some,
        "basis": words,
        "claims": st.lists(claims, max_size=12),
        "proposed": st.lists(words, max_size=12),
        "not_checked": st.lists(words, max_size=12),
        "escalate": st.one_of(st.none(), words),
        "degraded": st.one_of(st.none(), words),
    }
)
runs = st.builds(
    run,
    state=st.sampled_from(RunState),
    text=words,
    conclusion=st.one_of(st.none(), conclusions),
    incident=st.one_of(st.none(), st.just("inc-5n0y6w2kqe")),
    created_at=times,
)
effects = st.builds(
    effect,
    st.one_of(
        st.sampled_from(["ratio", "a1.0", "look#1", "look#2", "rollback.verify-1", "x.preview-ab12cd.1"]),
        st.text("abc", min_size=1, max_size=3),
    ),
    st.one_of(st.just("metrics.query"), words),
    args=canonical_args,
    target=st.one_of(st.just("query"), words),
    state=st.sampled_from(EffectState),
    result=st.one_of(st.none(), words.map(json.dumps)),
    error=st.one_of(st.none(), words),
    verified=st.sampled_from([True, False, None]),
    verification=st.one_of(st.none(), words),
)
