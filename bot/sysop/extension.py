"""What plugins hand in besides actions: alert sources, health checks, planners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sysop.actions import Http
from sysop.delivery import Delivery, Proof, bearer
from sysop.inventory import Inventory
from sysop.model import Alert, Change, Conclusion, Outcome, Risk, Run, RunState


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a plugin sees at start and in health checks: its settings, its folder, the inventory, the way out."""

    name: str
    settings: Any
    state: Path
    inventory: Inventory
    http: Http


@dataclass(frozen=True, slots=True)
class Pulled:
    """All that one place knew when it was asked.

    Whatever fired before and stays out of both has ended. What is `hushed`, as (fingerprint, start in milliseconds), is
    silenced or inhibited there: it fires on if it fired, and is no news if it did not.
    """

    firing: tuple[Alert, ...]
    hushed: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Pull:
    """A place that is asked for its alerts `every` so many seconds. The name tells it from others of its source.

    An alert has ended when two answers, and all of `gone_after` seconds, leave it out.
    `look` is given a way to read-scoped credentials by name. What it raises is logged; nothing ends then.
    """

    name: str
    every: float
    look: Callable[[PluginContext, Callable[[str], str]], Awaitable[Pulled]]
    gone_after: float = 0.0


@dataclass(frozen=True, slots=True)
class AlertSource:
    """What takes deliveries at `/webhooks/NAME`. Its token is in the settings, under `webhooks.tokens.NAME`.

    `proves` checks the sender before anything in the body is looked at. `accept` comes next and may ask others, such
    as for a certificate; it raises NotGenuine or ValueError. `parse` is pure: it raises ValueError naming each wrong
    field, and returns nothing for a delivery that tells of no alert. `pulls` are places that are asked, for those who
    cannot send. The host fills in `plugin`.

    The same delivery may tell of changes, and of builds and the like that have moved on, by the names under which
    post-checks await them. `changes` and `moved` are pure as `parse` is; what `moved` says is never believed, it has
    the post-check look.
    """

    name: str
    parse: Callable[[Delivery], Iterable[Alert]]
    proves: Proof = bearer
    accept: Callable[[Delivery, PluginContext], Awaitable[None]] | None = None
    plugin: str = ""
    pulls: tuple[Pull, ...] = ()
    changes: Callable[[Delivery], Iterable[Change]] | None = None
    moved: Callable[[Delivery], Iterable[str]] | None = None


@dataclass(frozen=True, slots=True)
class ChangeSource:
    """A place that is asked `every` so many seconds what was changed, for what no webhook tells.

    `look` is given a way to read-scoped credentials by name and a time in milliseconds, and returns the changes since
    then and, if it likes, earlier ones: what is known already costs nothing. The host fills in `plugin`.
    """

    name: str
    look: Callable[[PluginContext, Callable[[str], str], int], Awaitable[Iterable[Change]]]
    every: float = 60.0
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """What a watch asks: the values of `text` from `start` to `end`, both among them, `step` apart; in seconds."""

    text: str
    start: int
    end: int
    step: int


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One series over time: points are (seconds since the epoch, value), NaN where there is no finite value."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class MetricSource:
    """Where watches get numbers from; a watch names it under `source`.

    `read` is given a way to read-scoped credentials by name. It raises InvalidCall for a wrong query and ActionFailed
    where there is no answer. The host fills in `plugin`.
    """

    name: str
    read: Callable[[PluginContext, Callable[[str], str], MetricQuery], Awaitable[Sequence[MetricSeries]]]
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class SilenceMirror:
    """Another place where the silences people set in Sysop hold, by two of the plugin's own changes.

    `silence` takes `conditions`, each with `label`, `operator` and `value`, `starts_at`, `ends_at`, `comment`, and the
    `mark` by which `unsilence` finds it again under `silence`. `connected` tells from the plugin's settings whether
    there is such a place. The host fills in the full names of both actions.
    """

    name: str
    silence: str
    unsilence: str
    connected: Callable[[Any], bool]


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


RECALLED: Final = "recalled."
"""How the ids begin under which a run tells people of past incidents."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A past incident that is like what a run works on. `text` says in a sentence what it teaches."""

    incident: str
    text: str

    @property
    def citation(self) -> str:
        """Return how it is cited."""
        return f"incident/{self.incident}"

    @property
    def said_as(self) -> str:
        """Return the id under which people are told of it: surfaces show more of what has such an id."""
        return f"{RECALLED}{self.incident}"


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

    async def recalled(self) -> Sequence[Remembered]:
        """Return past incidents much like the run's, or like what it was asked, the likest first; for people to read.

        It changes as incidents end, so no call of a run may depend on it.
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
    (
        "ask",
        "status",
        "incident",
        "silence",
        "run",
        "approve",
        "deny",
        "runbook",
        "report",
        "audit",
        "cost",
        "pause",
        "resume",
    )
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
