"""What the planner without a model does when it follows no runbook: it looks, tells what is known, and hands over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sysop import expression
from sysop.agent.question import told
from sysop.agent.quoted import Pages
from sysop.errors import ActionRefused, InvalidCall
from sysop.extension import Earlier, Toolbox
from sysop.model import Claim, Conclusion, Outcome, Risk, Run

MAX_SERVICES: Final = 3
LOOK_BACK_MINUTES: Final = 60
_CHANGES: Final = "changes.recent"
_TOLD: Final = 3
_PAGE: Final = 700
_QUOTED: Final = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step did not do what it is for; `otherwise` says what now."""

    state: str
    reason: str


@dataclass(slots=True)
class Memory:
    """The toolbox, with refusals remembered: a policy or budget may say otherwise on replay."""

    toolbox: Toolbox
    plan: dict[str, Any]

    async def call(self, id: str, action: str, args: Mapping[str, Any], reason: str) -> Outcome | Failure:
        """Make a call. One that never ran is a failure without a row."""
        refused: dict[str, dict[str, str]] = self.plan.setdefault("refused", {})
        if id not in refused:
            try:
                return await self.toolbox.call(id, action, args, reason=reason)
            except (InvalidCall, ActionRefused) as no:
                state = "refused" if isinstance(no, ActionRefused) else "invalid"
                refused[id] = {"state": state, "reason": f"{call_text(action, args)} was not done: {no}"}
            await self.toolbox.remember(self.plan)
        return Failure(**refused[id])


def call_text(action: str, args: Mapping[str, Any]) -> str:
    """Return a call on one line for people to read."""
    return expression.short(f"{action}({', '.join(f'{k}={as_text(v)}' for k, v in args.items())})")


def as_text(value: Any) -> str:
    """Return a value as people read it, cut where it is long."""
    return value if isinstance(value, str) else expression.short(json.dumps(value, ensure_ascii=False), 240)


def named(text: str, services: Iterable[str]) -> list[str]:
    """Return the services a text names, as whole words."""
    return [name for name in services if re.search(rf"(?i)(?<![\w-]){re.escape(name)}(?![\w-])", text)]


@dataclass(slots=True)
class Facts:
    """Reads that are at hand about some services, as claims, and what could not be read.

    What was changed is looked at first: before `begin`, in milliseconds, or before now.
    """

    memory: Memory
    begin: int | None = None
    claims: list[Claim] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    async def gather(self, services: Sequence[str]) -> None:
        """Look at the first few services."""
        for number, service in enumerate(services[:MAX_SERVICES], 1):
            await self._look(f"changes_{number}", _CHANGES, _changes_of(service, self.begin))
            await self._look(f"service_{number}", "inventory.service", {"service": service})
            await self._look(f"deploys_{number}", "cicd.recent_deploys", _deploys_of(service))

    async def _look(self, id: str, action: str, args: Mapping[str, Any]) -> None:
        tool = self.memory.toolbox.tools.get(action)
        if tool is None or tool.risk is not Risk.READ:
            self.missed.append(f"{call_text(action, args)}: there is no such action")
            return
        outcome = await self.memory.call(id, action, args, "collecting facts, as no runbook is followed")
        if isinstance(outcome, Failure):
            self.missed.append(outcome.reason)
            return
        answer = _answer(action, outcome.result) if outcome.ok else outcome.error or str(outcome.state)
        self.claims.append(Claim(f"{call_text(action, args)}: {answer}", (outcome.evidence,)))


def _answer(action: str, result: Any) -> str:
    """Return an answer for people; of many changes the newest, each in its words."""
    if action != _CHANGES or not isinstance(result, Mapping):
        return as_text(result)
    found = [f"{one['words']}, {one['minutes_before']:g} min before{_by(one)}" for one in result.get("changes", ())]
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return expression.short("; ".join(found[:_TOLD]), _PAGE) + more if found else "nothing that is known was changed"


def _by(change: Mapping[str, Any]) -> str:
    return f" by {change['by']}" if change.get("by") else ""


def _changes_of(service: str, begin: int | None) -> dict[str, Any]:
    when = {} if begin is None else {"before": begin}
    return {"service": service, "minutes": LOOK_BACK_MINUTES, **when}


def _deploys_of(service: str) -> dict[str, Any]:
    return {"service": service, "minutes": LOOK_BACK_MINUTES}


@dataclass(frozen=True, slots=True)
class Collect:
    """What can be said without a runbook: facts from reads that are at hand, and that a person must go on.

    `pages` are those that have something to what somebody wrote.
    """

    run: Run
    incident: Mapping[str, Any]
    services: Sequence[str]
    memory: Memory
    why: str
    pages: Pages | None = None

    async def conclude(self) -> Conclusion:
        """Look, and hand over."""
        facts = Facts(self.memory, self.incident["opened_at"] or None)
        await facts.gather(self.services)
        about = self.incident["title"] or self.run.text or "this"
        text = f"No runbook was followed for {about!r}: {self.why}. A person must look into it; nothing was changed."
        lines = [text, *(self.pages.lines() if self.pages is not None and self.pages.found else ())]
        if not self.incident["id"]:
            lines += told(await self.memory.toolbox.standing())
        return Conclusion(
            summary="\n".join(lines),
            resolved=False,
            basis="facts from read-only calls, no diagnosis was made" if facts.claims else "nothing was measured",
            claims=facts.claims,
            not_checked=["the cause", *facts.missed],
            escalate=text,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that only tells: what earlier runs found and did, what is open, what the pages say, how services are.

    `earlier` is without replies: an answer that quoted answers would double with each question. `why` is told where
    there is more to say than that it is a question. `runbook` is the citation of the one that fits.
    `searched` tells that nothing on record answers, so that even what comes near in the pages is shown.
    """

    services: Sequence[str]
    memory: Memory
    earlier: Sequence[Earlier]
    pages: Pages
    runbook: str | None
    incident: str
    why: str
    searched: bool

    async def conclude(self) -> Conclusion:
        """Look, and tell what is known; nothing is changed."""
        facts = Facts(self.memory)
        await facts.gather(self.services)
        newest = self.earlier[-1] if self.earlier else None
        standing = [] if self.incident and newest else told(await self.memory.toolbox.standing())
        known = [_known(one) for one in self.earlier[-_TOLD:]]
        why = [f"{self.why}."] if self.why else []
        return Conclusion(
            summary="\n".join([*why, *known, *standing, *self._pages(), self._how()]),
            resolved=newest is not None and newest.resolved,
            cause=expression.short(newest.cause, _QUOTED) if newest else "undetermined",
            basis="what Sysop has on record, runbooks and read-only calls; no diagnosis was made",
            claims=facts.claims,
            not_checked=[*(["whether what was found earlier still holds"] if newest else []), *facts.missed],
        )

    def _how(self) -> str:
        what = "start the triage again" if self.incident else "open an incident"
        return f"This answer only looked. To have something done, {what} or name the action to run."

    def _pages(self) -> list[str]:
        """Return what the pages say, unless another source has answered or no page is asked for."""
        if self.pages.lead:
            return self.pages.lines()
        if self.runbook:
            return [f"The runbook that fits is {self.runbook}."]
        return self.pages.lines() if self.searched else []


def _known(one: Earlier) -> str:
    cause = "" if one.cause == "undetermined" else f" Cause: {expression.short(one.cause, _QUOTED)}."
    changes = f" Changes: {expression.short('; '.join(one.changes), 2 * _QUOTED)}." if one.changes else ""
    return f"{one.run} ({one.state}): {expression.short(one.summary, _QUOTED)}{cause}{changes}"
