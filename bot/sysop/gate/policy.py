"""Policy: rules in order, forbid wins, denied unless a rule says otherwise; plugins may only tighten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

from sysop.canonical import digest
from sysop.gate import freeze as freezing
from sysop.gate.question import Question
from sysop.gate.windows import in_window
from sysop.model import Decision, Risk, Verdict
from sysop.policy_sections import Match, PolicySettings, Rule

_ANYBODY = ("approver",)
_STRICTNESS = {Verdict.ALLOW: 0, Verdict.APPROVE: 1, Verdict.FORBID: 2}
DEFAULT_RULES = (
    Rule(name="default: reads", match=Match(risk=(Risk.READ,)), then=Verdict.ALLOW),
    Rule(name="default: changes", match=Match(risk=(Risk.CHANGE,)), then=Verdict.APPROVE, count=1),
    Rule(
        name="default: destructive actions",
        match=Match(risk=(Risk.DESTRUCTIVE,)),
        then=Verdict.APPROVE,
        count=2,
        approve_within_minutes=15,
    ),
)


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule and whether it matched; `why` names the first key that did not."""

    rule: str
    matched: bool
    why: str


class Policy:
    """The rules of one start. Their digest goes into every approval and audit entry."""

    def __init__(self, settings: PolicySettings) -> None:
        self.rules: tuple[Rule, ...] = settings.rules + (DEFAULT_RULES if settings.defaults else ())
        self.freezes = settings.freezes

    @cached_property
    def digest(self) -> str:
        """Return the digest of all rules in force."""
        return digest(
            "sysop/policy/1", [one.model_dump(mode="json", by_alias=True) for one in (*self.rules, *self.freezes)]
        )

    def decide(self, question: Question) -> Decision:
        """Return the answer for one call, before plugins tighten it. A freeze only ever makes it stricter."""
        decision = self._by_rules(question)
        answers = (freezing.answer(freeze, question, decision) for freeze in self.freezes)
        return tighten(decision, [answer for answer in answers if answer is not None])

    def _by_rules(self, question: Question) -> Decision:
        matching = [rule for rule in self.rules if not _mismatch(rule.match, question)]
        forbidding = [rule for rule in matching if rule.then is Verdict.FORBID]
        if forbidding:
            return _decision(forbidding[0])
        if matching:
            return _decision(matching[0])
        return Decision(Verdict.FORBID, "default deny", "no policy rule allows this")

    def explain(self, question: Question) -> tuple[Decision, list[Considered]]:
        """Return the answer and what each rule said."""
        found = [(rule.name, _mismatch(rule.match, question)) for rule in self.rules]
        return self.decide(question), [Considered(name, not why, why) for name, why in found]


def tighten(decision: Decision, answers: Iterable[Decision]) -> Decision:
    """Return an answer at least as strict as policy's and every plugin's, in each of its parts."""
    for answer in answers:
        decision = _stricter(decision, answer)
    return decision


def _stricter(one: Decision, other: Decision) -> Decision:
    if _STRICTNESS[one.verdict] > _STRICTNESS[other.verdict] or one.verdict is other.verdict is not Verdict.APPROVE:
        return one
    if other.verdict is not Verdict.APPROVE:
        return other
    notes = tuple(dict.fromkeys((*one.notes, *other.notes)))
    if one.verdict is not Verdict.APPROVE:
        return replace(other, roles=other.roles or _ANYBODY, count=max(other.count, 1), notes=notes)
    roles = tuple(role for role in one.roles if not other.roles or role in other.roles)
    if not roles:
        return Decision(Verdict.FORBID, other.rule, f"{one.reason}, {other.reason}: no role may do both")
    asked = replace(
        one,
        roles=roles,
        count=max(one.count, other.count),
        approve_within=min(one.approve_within, other.approve_within),
        execute_within=min(one.execute_within, other.execute_within),
        notes=notes,
    )
    return one if asked == one else replace(asked, rule=other.rule, reason=other.reason)


def _decision(rule: Rule) -> Decision:
    if rule.then is not Verdict.APPROVE:
        return Decision(rule.then, rule.name, f"rule {rule.name!r} says {rule.then}")
    who = " or ".join(rule.roles)
    people = "one person" if rule.count == 1 else f"{rule.count} different people"
    return Decision(
        Verdict.APPROVE,
        rule.name,
        f"rule {rule.name!r} asks {people} with role {who}",
        roles=rule.roles,
        count=rule.count,
        approve_within=rule.approve_within_minutes * 60_000,
        execute_within=rule.execute_within_minutes * 60_000,
    )


def _mismatch(match: Match, question: Question) -> str:
    """Return the first key that keeps a rule from matching, empty if it matches."""
    checks: Sequence[tuple[str, bool]] = (
        ("risk", not match.risk or question.risk in match.risk),
        ("action", not match.action or _any_glob(match.action, question.action)),
        ("environment", not match.environment or question.environment in match.environment),
        ("target", not match.target or _any_glob(match.target, question.target)),
        ("role", not match.role or bool(question.roles & set(match.role))),
        ("origin", not match.origin or question.origin in match.origin),
        ("window", match.window is None or in_window(match.window, question.now)),
    )
    return next((f"{key} does not match" for key, fits in checks if not fits), "")


def _any_glob(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
