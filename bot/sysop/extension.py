"""What plugins hand in besides actions: alert sources, health checks, planners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sysop.actions import Http
from sysop.inventory import Inventory
from sysop.model import Alert, Conclusion, Outcome, Risk, Run, RunState


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a plugin sees at start and in health checks: its settings, its folder, the inventory, the way out."""

    name: str
    settings: Any
    state: Path
    inventory: Inventory
    http: Http


@dataclass(frozen=True, slots=True)
class AlertSource:
    """A parser for `POST /webhooks/NAME`. `parse` gets the decoded JSON; it raises ValueError naming the field."""

    name: str
    parse: Callable[[Any], Iterable[Alert]]


@dataclass(frozen=True, slots=True)
class Health:
    """A check's answer: ok, not ok, or None for a part that nobody has set up. `fix` says what to do then."""

    ok: bool | None
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One line of `sysop doctor`."""

    name: str
    check: Callable[[PluginContext], Awaitable[Health]]


@dataclass(frozen=True, slots=True)
class Tool:
    """An action as a planner sees it: name, schema and risk, never code."""

    name: str
    summary: str
    risk: Risk
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run of the same conversation that a run's history starts from: what was asked by whom, and what came of it.

    `changes` says of each change what became of it. All have ended but the one that a run which only looks answers
    questions beside; what is known of that one so far stands in its place. A `reply` only told again what was known.
    """

    run: str
    state: RunState
    requesters: tuple[str, ...]
    text: str
    summary: str
    cause: str
    resolved: bool
    at: int
    changes: tuple[str, ...] = ()
    runbook: str | None = None
    reply: bool = False


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that is not resolved. `run` is the run that works on it now, if one does."""

    id: str
    title: str
    severity: str
    state: str
    services: tuple[str, ...]
    firing: int
    run: str | None = None


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """What people are asked to approve: which action on what, and the run that asks."""

    id: str
    action: str
    target: str
    reason: str
    run: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand as the database has it, the newest first and not all of very many."""

    incidents: tuple[OpenIncident, ...] = ()
    approvals: tuple[OpenApproval, ...] = ()


class Toolbox(Protocol):
    """A planner's only door. Everything it yields is durable before it takes effect."""

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Return the actions by name."""
        ...

    async def call(self, id: str, action: str, args: Mapping[str, Any], *, reason: str = "") -> Outcome:
        """Make a call; the same id gives the stored outcome, and a failed action is an outcome too.

        Raises InvalidCall or ActionRefused where nothing ran. Let Parked and RunStopped pass.
        """
        ...

    async def say(self, id: str, text: str) -> None:
        """Tell people what is going on; the same id is said once."""
        ...

    async def remember(self, plan: Mapping[str, Any]) -> None:
        """Store the plan in the run row before acting on it."""
        ...

    async def now(self) -> int:
        """Return the database's time in milliseconds."""
        ...

    async def earlier(self) -> Sequence[Earlier]:
        """Return what the conversation holds from before this run, oldest first; nothing outside a conversation.

        Whoever asked then asks for what this run does, too: they become requesters, unless the run only looks.
        """
        ...

    async def standing(self) -> Standing:
        """Return what is open now. It changes from call to call, so no call of a run may depend on it."""
        ...


class Planner(Protocol):
    """A brain: sees a run, makes calls, ends in a conclusion. Called again after every park, so it must replay."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Work until there is a conclusion. Parked passes through untouched."""
        ...


@dataclass(frozen=True, slots=True)
class PlannerFactory:
    """A planner by name, built when first used."""

    name: str
    build: Callable[[], Planner]


BUILT_IN_COMMANDS = frozenset(
    ("ask", "status", "incident", "run", "approve", "deny", "runbook", "report", "audit", "cost", "pause", "resume")
) | {"help"}
"""Words behind `/sysop` that are ours; a plugin's command has another name."""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """`/sysop NAME …` in the chat: a run of one of the plugin's own actions, through the gate like any other.

    `action` is the name of its function. `parse` turns the words behind the name into arguments; it raises ValueError
    saying what is wrong with them.
    """

    name: str
    summary: str
    usage: str
    action: str
    parse: Callable[[str], Mapping[str, Any]]
