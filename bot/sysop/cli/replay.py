"""What another policy would have decided over the calls the audit log holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from sysop.cli.judge import Judge, sentence
from sysop.errors import InvalidRequest
from sysop.gate import failures
from sysop.gate.question import Question
from sysop.model import Actor, AuditEntry, Call, Decision, Origin, Risk, Run, Verdict
from sysop.store import audit as log
from sysop.store import effects, runs

KINDS = ("effect.intent", "effect.done", "effect.failed", "approval.requested", "call.judged")
_RANK = {Verdict.ALLOW: 0, Verdict.APPROVE: 1, Verdict.FORBID: 2}
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call as it was judged. `was` holds roles and count only where the log says them."""

    question: Question
    call: Call
    run: Run
    was: Decision


@dataclass(frozen=True, slots=True)
class Difference:
    """A call on which the two policies part. `looser` means: less is asked than was."""

    recorded: Recorded
    now: Decision
    looser: bool

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        question = self.recorded.question
        return {
            "run": self.recorded.run.id,
            "call": self.recorded.call.id,
            "action": question.action,
            "risk": question.risk,
            "target": question.target,
            "environment": question.environment,
            "at": question.now,
            "was": {"decision": sentence(self.recorded.was), "rule": self.recorded.was.rule},
            "now": {"decision": sentence(self.now), "rule": self.now.rule},
            "looser": self.looser,
        }


def differences(recorded: Iterable[Recorded], judge: Judge) -> list[Difference]:
    """Return every call that would be decided otherwise."""
    found = []
    for one in recorded:
        asker = Actor(one.run.requesters[0], one.question.roles)
        now = judge.decide(one.question, one.call, judge.host.find(one.call.action), asker)
        if looser := _looser(one.was, now):
            found.append(Difference(one, now, True))
        elif looser is None:
            found.append(Difference(one, now, False))
    return found


def _looser(was: Decision, now: Decision) -> bool | None:
    """Return True for looser, None for stricter or other people, False for the same."""
    if was.verdict is not now.verdict:
        return True if _RANK[now.verdict] < _RANK[was.verdict] else None
    if was.verdict is not Verdict.APPROVE or not was.count:
        return False
    more_may = bool(set(now.roles) - set(was.roles))
    if now.count < was.count or more_may:
        return True
    return None if now.count > was.count or set(now.roles) != set(was.roles) else False


def read(conn: Connection, limit: int) -> tuple[list[Recorded], int]:
    """Return the newest recorded decisions, each call once, oldest first; and how many cannot be judged again.

    Refusals count as well: their entries say all that policy looks at. The latter are calls whose run or ledger row is
    gone. What repeated failure asked of people says nothing about policy and is left out.
    """
    found: dict[tuple[str, str], Recorded] = {}
    unclear: set[tuple[str, str]] = set()
    known: dict[str, Run] = {}
    tripped: set[tuple[str, str]] = set()
    for entry in _entries(conn):
        body = json.loads(entry.body)
        key = (str(body.get("run") or entry.chain), str(body.get("call")))
        tripped |= {key} if body.get("rule") == failures.RULE else set()
        if not _says_a_decision(entry.kind, body) or (key in found and found[key].was.count):
            continue
        recorded = _recorded(conn, entry, body, key, known)
        if recorded is None:
            unclear.add(key)
        else:
            found[key] = recorded
    told = (one for key, one in found.items() if key not in tripped)
    newest = sorted(told, key=lambda one: one.question.now)[-limit:]
    return newest, len(unclear - found.keys())


def _says_a_decision(kind: str, body: Mapping[str, Any]) -> bool:
    """Tell whether an entry holds policy's own answer; what a budget or a plugin refused says nothing about policy."""
    if kind == "call.judged":
        return body.get("verdict") == Verdict.FORBID
    return kind in ("effect.intent", "approval.requested") or body.get("risk") == Risk.READ


def _entries(conn: Connection) -> Iterable[AuditEntry]:
    """Yield the entries of our kinds in the order they were written."""
    after = 0
    while page := log.entries(conn, after=after, limit=_PAGE):
        yield from (entry for entry in page if entry.kind in KINDS)
        after = page[-1].id


def _recorded(
    conn: Connection, entry: AuditEntry, body: Mapping[str, Any], key: tuple[str, str], known: dict[str, Run]
) -> Recorded | None:
    try:
        run = known.get(key[0]) or known.setdefault(key[0], runs.load(conn, key[0]))
    except InvalidRequest:
        return None
    facts = _facts(conn, body, key, run)
    if facts is None:
        return None
    risk, target, environment, args = facts
    action = str(body["action"])
    question = Question(action, risk, environment, target, frozenset(run.roles), Origin(run.origin), entry.ts)
    return Recorded(question, Call(key[1], action, args), run, _was(entry.kind, body))


def _facts(
    conn: Connection, body: Mapping[str, Any], key: tuple[str, str], run: Run
) -> tuple[Risk, str, str, dict[str, Any]] | None:
    """Return risk, target, environment and arguments: from the entry, else from the ledger's row."""
    if "target" in body and "risk" in body:
        return Risk(body["risk"]), body["target"], body["environment"], json.loads(body.get("args") or "{}")
    row = effects.find(conn, *key)
    return (row.risk, row.target, row.environment, json.loads(row.args)) if row else None


def _was(kind: str, body: Mapping[str, Any]) -> Decision:
    rule = str(body.get("rule", ""))
    if kind == "approval.requested":
        return Decision(Verdict.APPROVE, rule, "", tuple(body["roles"]), int(body["count"]))
    if kind == "call.judged":
        return Decision(Verdict.FORBID, rule, "")
    if kind == "effect.intent" and body.get("approval"):
        return Decision(Verdict.APPROVE, rule, "")
    return Decision(Verdict.ALLOW, rule, "")
