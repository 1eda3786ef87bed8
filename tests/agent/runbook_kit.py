"""Runs that follow runbooks: a run's row and ledger without a database, and a world that answers by script."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sysop.agent.runbook_planner import RunbookPlanner
from sysop.errors import ApprovalRequired, CallError, Parked, ReplayMismatch, WaitUntil
from sysop.extension import Earlier, Remembered, Standing, Tool
from sysop.inventory import Inventory, Service
from sysop.knowledge.index import Index
from sysop.knowledge.runbook import parse
from sysop.model import EffectState, Origin, Outcome, Risk, Run, RunState
from sysop_plugins import changes, cicd, inventory, kubernetes, metrics

START = 1_800_000_000_000
ACTIONS = {
    owned.name: owned
    for plugin in (changes, cicd, inventory, kubernetes, metrics)
    for action in plugin.register_actions()
    for owned in [action.owned(plugin.__name__.rpartition(".")[2], "1")]
}
INVENTORY = Inventory({n: Service(n) for n in ("gateway", "checkout", "payments")})
EVERY_TOOL = {a.name: Tool(a.name, a.summary, a.risk, a.schema(INVENTORY)) for a in ACTIONS.values()}
TOOLS = {name: tool for name, tool in EVERY_TOOL.items() if name != "changes.recent"}
"""The tools where nothing is recorded of changes, as in most tests of one page."""


class Crash(Exception):
    """The process dies here."""


@dataclass
class Desk:
    """A run's row and ledger, kept over crashes: what the runner's toolbox does, without a database."""

    world: Any
    tools: Mapping[str, Tool] = field(default_factory=lambda: TOOLS)
    time: int = START
    plan: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, tuple[str, Outcome]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    approved: bool = True
    waits: list[Parked] = field(default_factory=list)
    refused: dict[str, CallError] = field(default_factory=dict)
    keeps_refusals: bool = False
    crash_at: frozenset[int] = frozenset()
    points: int = 0
    stands: Standing = field(default_factory=Standing)
    before: Sequence[Earlier] = ()

    async def call(self, id: str, action: str, args: Mapping[str, Any], *, reason: str = "") -> Outcome:
        digest = json.dumps([action, args], sort_keys=True)
        if id in self.refused:
            raise self.refused[id]
        if id in self.rows:
            known, outcome = self.rows[id]
            if known != digest:
                raise ReplayMismatch(id)
            return outcome
        assert self.plan, "the plan must be stored before the first call"
        self.asked.append(id)
        if self.tools[action].risk is not Risk.READ and not self.approved:
            raise ApprovalRequired("ask", approval="apr-1", digest="d", wake_at=self.time + 60_000)
        self._point()
        self.time += 100
        try:
            state, result, extra = await self.world(action, args, self.time)
        except CallError as no:
            if self.keeps_refusals:
                self.refused[id] = no
            raise
        row = Outcome("run-1", id, action, Risk.READ, state, result, at=self.time, **extra)
        self.rows[id] = (digest, row)
        self._point()
        return row

    async def say(self, id: str, text: str) -> None:
        self.said.setdefault(id, text)

    async def remember(self, plan: Mapping[str, Any]) -> None:
        self._point()
        self.plan = json.loads(json.dumps(plan))
        self._point()

    async def now(self) -> int:
        return self.time

    def sleep(self, wait: WaitUntil) -> None:
        assert wait.wake_at is not None
        assert wait.wake_at > self.time
        self.waits.append(wait)
        self.time = wait.wake_at

    def _point(self) -> None:
        self.points += 1
        if self.points in self.crash_at:
            raise Crash

    async def recalled(self) -> Sequence[Remembered]:
        return ()

    async def standing(self) -> Standing:
        return self.stands

    async def earlier(self) -> Sequence[Earlier]:
        return self.before

    def run(self, text: str = "", request: Mapping[str, Any] | None = None, **more: Any) -> Run:
        asked = {"action": None, "args": {}, "runbook": None, **(request or {})}
        run = Run(
            id="run-1",
            state=RunState.RUNNING,
            origin=Origin.ALERT,
            place="here",
            text=text,
            requesters=("service:alerts",),
            roles=(),
            incident="inc-1",
            planner="runbook",
            request=asked,
            fence=1,
            attempt=1,
            waiting_for=None,
            wake_at=None,
            plan=self.plan,
            conclusion=None,
            created_at=START,
            finished_at=None,
        )
        return replace(run, **more)


async def finish(desk, index, incident, **run):
    """Let a fresh planner have a go after every park and crash, as the runner does; return the conclusion."""
    for _ in range(200):
        planner = RunbookPlanner(index, ACTIONS, INVENTORY)
        try:
            return await planner.plan(desk.run(**run), incident, desk)
        except WaitUntil as wait:
            desk.sleep(wait)
        except ApprovalRequired as wait:
            desk.waits.append(wait)
            desk.time += 30_000
            desk.approved = True
        except Crash:
            desk.time += 7
    raise AssertionError("the run does not end")


def incident(*alerts, services=("gateway", "checkout")):
    return {
        "id": "inc-1",
        "title": "Errors",
        "severity": "critical",
        "services": list(services),
        "opened_at": START - 5_000,
        "alerts": [{"name": a, "service": services[0], "labels": {"alertname": a}, "firing": True} for a in alerts],
    }


def index_of(steps, end="resolved: true\nsummary: done"):
    blocks = "\n".join(f"## Step\n\n```step\n{s}\n```\n" for s in steps)
    text = f"---\ntitle: Test\nalerts: [A]\n---\n{blocks}\n```conclude\n{end}\n```\n"
    return Index({"runbooks/t.md": parse(text, "runbooks/t.md")})


class Answers:
    """Answers each action from a list, the last one for ever; a value, or an exception, or a state with an error."""

    def __init__(self, **answers):
        self.answers = {name.replace("__", "."): list(given) for name, given in answers.items()}

    async def __call__(self, action, args, at):
        given = self.answers[action]
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            return answer
        return EffectState.DONE, answer, {}


def done(result, **extra):
    return EffectState.DONE, result, extra


def failed(error):
    return EffectState.FAILED, None, {"error": error}


def samples(value):
    return {"query": "q", "series": [], "value": value, "count": 1}


ASK = "id: ask\naction: metrics.query\nwith: {query: q}"
CHANGE = "id: change\naction: cicd.rollback\nwith: {service: checkout}\nnote: Go back."
