"""Policy's answer for a run: for everybody who has a say in it, at one moment."""

from __future__ import annotations

from collections.abc import Sequence

from sysop.gate.bind import Bound
from sysop.gate.people import People
from sysop.gate.policy import Policy, tighten
from sysop.gate.question import Question
from sysop.host import Host
from sysop.model import Actor, Decision, Origin, Run, Verdict


class Judging:
    """Asks policy, plugins, and whether anybody could approve."""

    def __init__(self, policy: Policy, people: People, host: Host) -> None:
        self._policy = policy
        self._people = people
        self._host = host

    def of_actor(self, bound: Bound, actor: Actor, origin: Origin, now: int) -> Decision:
        """Return the answer for one actor without a run."""
        return self.possible(self._answer(bound, actor, origin, now), (actor.id,))

    def of_run(self, run: Run, bound: Bound, now: int) -> Decision:
        """Return the strictest answer for anybody who asks, and for all of them together.

        Together they have the rights that each has had from the start and has still: nobody lends another a right, and
        what one of them may not do is not done. A run that people have a say in is theirs as well, whatever made it
        start: a few words to an alert's run must not do what their author may not do alone.
        """
        first, *more = [
            self._answer(bound, actor, origin, now) for origin in _origins(run) for actor in self._asking(run)
        ]
        return self.possible(tighten(first, more), run.requesters)

    def of_clock(self, run: Run, bound: Bound, now: int) -> Decision:
        """Return what the rules and freezes of this moment say, without plugins: inside a transaction, right before."""
        first, *more = [
            self._policy.decide(_question(bound, actor, origin, now))
            for origin in _origins(run)
            for actor in self._asking(run)
        ]
        return tighten(first, more)

    def possible(self, decision: Decision, requesters: Sequence[str]) -> Decision:
        """Forbid where too few people other than who asks could approve."""
        others = [other for other in self._people.holding(decision.roles) if other not in requesters]
        if decision.verdict is Verdict.APPROVE and len(others) < decision.count:
            return Decision(Verdict.FORBID, decision.rule, _nobody_can(decision))
        return decision

    def _answer(self, bound: Bound, actor: Actor, origin: Origin, now: int) -> Decision:
        decision = self._policy.decide(_question(bound, actor, origin, now))
        return tighten(decision, self._host.judge(bound.call, bound.action, actor))

    def _asking(self, run: Run) -> list[Actor]:
        named = [who for who in run.requesters if not who.startswith("os:")]  # os:UID has no roles of its own
        roles = frozenset(run.roles).intersection(*map(self._people.roles_of, named))
        people = [who for who in named if not who.startswith("service:")]
        return [
            Actor(run.requesters[0], roles),
            *(Actor(who, self._people.roles_of(who), human=True) for who in people),
        ]


def _origins(run: Run) -> list[Origin]:
    by_people = any(not who.startswith("service:") for who in run.requesters)
    return list(dict.fromkeys((run.origin, *((Origin.ASKED,) if by_people else ()))))


def _question(bound: Bound, actor: Actor, origin: Origin, now: int) -> Question:
    action = bound.action
    return Question(action.name, action.risk, bound.environment, bound.target, actor.roles, origin, now)


def _nobody_can(decision: Decision) -> str:
    roles = " or ".join(decision.roles)
    return (
        f"{decision.reason}, and fewer than {decision.count} other people hold it. Add to sysop.yaml:\n"
        "people:\n  NAME:\n    uid: UID  # what `id -u` prints for that person\n"
        f"    roles: [{decision.roles[0]}]\n"
        f"(anybody with role {roles}; who asks can never approve)"
    )
