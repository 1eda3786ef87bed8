"""Policy's answer for one call without a run, a trace or a database: rules, then plugins, then whether anybody can."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sysop.actions import Action
from sysop.gate.people import People
from sysop.gate.policy import Considered, Policy, tighten
from sysop.gate.question import Question
from sysop.host import Host
from sysop.model import Actor, Call, Decision, Verdict
from sysop.policy_sections import Rule, Window
from sysop.settings import Settings


@dataclass(frozen=True)
class Judge:
    """The gate's three questions in its order. A test holds this against the gate itself."""

    policy: Policy
    people: People
    host: Host

    @classmethod
    def of(cls, settings: Settings, host: Host) -> Judge:
        """Return the judge that some settings make."""
        return cls(Policy(settings.policy), People(lambda: settings.people), host)

    def decide(self, question: Question, call: Call, action: Action | None, asker: Actor) -> Decision:
        """Return the answer; plugins are asked only about an action that still exists."""
        decision = self.policy.decide(question)
        if action is not None:
            decision = tighten(decision, self.host.judge(call, action, asker))
        if decision.verdict is Verdict.APPROVE and len(self.others(decision, asker)) < decision.count:
            roles = " or ".join(decision.roles)
            short = f"and fewer than {decision.count} other people hold it (role {roles}, see people: in the settings)"
            return Decision(Verdict.FORBID, decision.rule, f"{decision.reason}, {short}")
        return decision

    def others(self, decision: Decision, asker: Actor) -> list[str]:
        """Return who can approve what this actor asks for."""
        return [other.partition(":")[2] for other in self.people.holding(decision.roles) if other != asker.id]


def why_not(rule: Rule, considered: Considered, question: Question, decision: Decision) -> str:
    """Return why a rule did not decide: what it wants and what the call is."""
    if considered.rule == decision.rule and considered.matched:
        return "decides"
    if considered.matched:
        forbids = decision.verdict is Verdict.FORBID and rule.then is not Verdict.FORBID
        return "matches, but a forbid wins" if forbids else "matches, but an earlier rule or a plugin decided"
    key = considered.why.partition(" ")[0]
    if key == "window":
        at = datetime.fromtimestamp(question.now / 1000, UTC).strftime("%a %H:%M UTC")
        return f"wants {_window(rule.match.window)}; it is {at}"
    wanted = ", ".join(map(str, getattr(rule.match, key)))
    given = {"role": ", ".join(sorted(question.roles)) or "none"}.get(key) or getattr(question, key)
    return f"wants {key} {wanted}; this is {given}"


def _window(window: Window | None) -> str:
    if window is None:
        return "a time window"
    return f"{','.join(window.days)} {window.start:%H:%M}-{window.end:%H:%M} {window.timezone}"


def sentence(decision: Decision) -> str:
    """Return a decision in a few words."""
    if decision.verdict is Verdict.APPROVE:
        return f"approve: {decision.count} of role {' or '.join(decision.roles)}"
    return str(decision.verdict)


def conditions(rule: Rule) -> str:
    """Return when a rule applies, on one line."""
    keys: Iterable[str] = ("risk", "action", "environment", "target", "role", "origin")
    parts = [f"{key} {', '.join(map(str, wanted))}" for key in keys if (wanted := getattr(rule.match, key))]
    if rule.match.window is not None:
        parts.append(_window(rule.match.window))
    return "; ".join(parts) or "always"
