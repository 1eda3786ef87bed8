import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysop.agent.runbook_planner import RunbookPlanner
from sysop.errors import ActionRefused, ApprovalRequired, CallError, InvalidCall, Parked, ReplayMismatch, WaitUntil
from sysop.extension import Tool
from sysop.inventory import Inventory, Service
from sysop.knowledge.index import Index
from sysop.knowledge.lint import lint
from sysop.knowledge.runbook import parse
from sysop.model import EffectState, Origin, Outcome, Risk, Run, RunState
from sysop_plugins import cicd, inventory, metrics

START = 1_800_000_000_000
SHIPPED = Path(__file__).parents[2] / "runbooks"
ACTIONS = {
    owned.name: owned
    for plugin in (cicd, inventory, metrics)
    for action in plugin.register_actions()
    for owned in [action.owned(plugin.__name__.rpartition(".")[2], "1")]
}
INVENTORY = Inventory({n: Service(n) for n in ("gateway", "checkout", "payments")})
TOOLS = {a.name: Tool(a.name, a.summary, a.risk, a.schema(INVENTORY)) for a in ACTIONS.values()}


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

    def run(self, text: str = "", request: Mapping[str, Any] | None = None) -> Run:
        asked = {"action": None, "args": {}, "runbook": None, **(request or {})}
        return Run(
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


async def test_a_poll_is_a_call_of_its_own_and_the_limit_counts_from_the_first_row():
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 20s\nevery: 5s"]
    desk = Desk(Answers(metrics__query=[samples(9), samples(3), samples(0)]))
    end = await finish(desk, index_of(steps), incident("A"))
    assert end.resolved
    assert desk.asked == ["ask#1", "ask#2", "ask#3"]
    assert [(w.waiting_for, w.wake_at) for w in desk.waits] == [
        ("until:ask", START + 100 + 5_000),
        ("until:ask", START + 5_200 + 5_000),
    ]
    assert end.claims[-1].evidence == ("run-1:ask#3",)


async def test_a_condition_that_never_holds_escalates_with_the_values():
    found = "\nfound: ${'it is ' + show(steps.ask.result.value)}"
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 10s\nevery: 5s" + found]
    desk = Desk(Answers(metrics__query=[samples(9)]))
    end = await finish(desk, index_of([*steps, CHANGE]), incident("A"))
    assert desk.asked == ["ask#1", "ask#2", "ask#3"]
    assert not end.resolved
    assert "stopped at step ask: `steps.ask.result.value < 1.0` did not hold within 10 s" in end.escalate
    assert "(steps.ask.result.value = 9.0)" in end.escalate
    assert "See runbooks/t.md#step." in end.escalate
    assert [(c.text, c.evidence) for c in end.claims] == [("it is 9", ("run-1:ask#3",))]
    assert end.not_checked == ["change: Go back. (not reached)"]


async def test_a_look_long_after_the_limit_still_counts_if_it_is_good():
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 10s\nevery: 5s"]
    desk = Desk(Answers(metrics__query=[samples(9), samples(0)]))
    with pytest.raises(WaitUntil):
        await RunbookPlanner(index_of(steps), ACTIONS, INVENTORY).plan(desk.run(), incident("A"), desk)
    desk.time += 3_600_000  # nobody was there for an hour
    assert (await finish(desk, index_of(steps), incident("A"))).resolved
    assert desk.asked == ["ask#1", "ask#2"]


async def test_a_look_that_fails_shows_nothing_and_the_next_one_may():
    steps = [ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 20s\nevery: 5s"]
    desk = Desk(Answers(metrics__query=[failed("no answer"), samples(0)]))
    assert (await finish(desk, index_of(steps), incident("A"))).resolved
    desk = Desk(Answers(metrics__query=[failed("no answer")]))
    end = await finish(desk, index_of(steps), incident("A"))
    assert "stopped at step ask: metrics.query failed: no answer" in end.summary


WAYS = {
    "refused": ActionRefused("policy forbids it"),
    "invalid": InvalidCall("service: unknown"),
    "failed": failed("build broke"),
    "did not help": done({"service": "checkout"}, verified=False, verification="still 50 %"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("otherwise", "asked"), [("escalate", []), ("continue", ["b", "c"]), ("c", ["c"])])
async def test_what_goes_wrong_follows_otherwise(way, otherwise, asked):
    steps = [CHANGE + f"\notherwise: {otherwise}", ASK.replace("id: ask", "id: b"), ASK.replace("id: ask", "id: c")]
    desk = Desk(Answers(cicd__rollback=[way], metrics__query=[samples(0)]))
    end = await finish(desk, index_of(steps, "resolved: ${steps.change.ok}\nsummary: over"), incident("A"))
    assert desk.asked == ["change", *asked]
    assert not end.resolved
    assert end.escalate


async def test_a_refusal_proposes_the_call_to_a_person_and_says_who_refused():
    desk = Desk(Answers(cicd__rollback=[ActionRefused("ann denied it: not now")]))
    end = await finish(desk, index_of([CHANGE]), incident("A"))
    assert end.proposed == ["cicd.rollback(service=checkout)"]
    assert "cicd.rollback(service=checkout) was not done: ann denied it: not now" in end.escalate
    assert "ann denied" in desk.said["change.failed"]


async def test_a_refusal_stays_one_on_replay_whatever_policy_says_by_then():
    steps = [CHANGE + "\notherwise: continue", ASK + "\nuntil: ${steps.ask.result.value < 1.0}\nwithin: 20s"]
    desk = Desk(Answers(cicd__rollback=[ActionRefused("no"), {}], metrics__query=[samples(9), samples(0)]))
    end = await finish(desk, index_of(steps, "resolved: false\nsummary: ${steps.change.state}"), incident("A"))
    assert desk.asked == ["change", "ask#1", "ask#2"]
    assert end.summary == "refused"


async def test_parked_for_approval_passes_through_and_the_call_is_made_once_afterwards():
    desk = Desk(Answers(cicd__rollback=[{"service": "checkout"}]), approved=False)
    end = await finish(desk, index_of([CHANGE]), incident("A"))
    assert end.resolved
    assert [w.waiting_for for w in desk.waits] == ["approval:apr-1"]
    assert desk.asked == ["change", "change"]
    assert list(desk.rows) == ["change"]


ERRORS = {
    "when": ASK + "\nwhen: ${steps.none.ok}",
    "with": ASK.replace("query: q", 'query: "${alert.labels.zone}"'),
    "until": ASK + "\nuntil: ${steps.ask.result.series[0].value > 1.0}\nwithin: 10s",
    "not a truth": ASK + "\nwhen: ${1 + 1}",
}


@pytest.mark.parametrize("step", ERRORS.values(), ids=ERRORS)
async def test_an_expression_that_fails_escalates_even_where_otherwise_says_continue(step):
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([step + "\notherwise: continue", ASK.replace("id: ask", "id: b")]), incident("A"))
    assert not end.resolved
    assert "stopped at step ask: `" in end.escalate
    assert "b" not in desk.asked


async def test_an_ending_that_fails_or_is_missing_escalates():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([ASK], "resolved: true\nsummary: ${steps.none.ok}"), incident("A"))
    assert "stopped at its end: `steps.none.ok` failed: there is no 'none'" in end.escalate
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([ASK], "when: ${!steps.ask.ok}\nresolved: true\nsummary: s"), incident("A"))
    assert "none of its endings fits what was found" in end.escalate


async def test_found_text_that_fails_costs_only_the_sentence():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    end = await finish(desk, index_of([ASK + "\nfound: ${steps.ask.result.series[0].value}"]), incident("A"))
    assert end.resolved
    assert end.claims[0].text.startswith("ask: what it found could not be told: ")


async def test_a_condition_that_does_not_hold_skips_the_step_and_says_so():
    steps = [ASK, CHANGE + "\nwhen: ${steps.ask.result.value > 1.0}"]
    end = "resolved: ${steps.change.skipped && !steps.change.ok}\nsummary: ${show(steps.change.result)}\n"
    claims = "claims: [{text: it was changed, evidence: [change]}, {text: it was asked, evidence: [ask, change]}]"
    desk = Desk(Answers(metrics__query=[samples(0)]))
    told = await finish(desk, index_of(steps, end + claims), incident("A"))
    assert told.resolved
    assert told.summary == "unknown"
    assert told.not_checked == ["change: Go back. (skipped: `steps.ask.result.value > 1.0` does not hold)"]
    assert [(c.text, c.evidence) for c in told.claims][1:] == [("it was asked", ("run-1:ask",))]


async def test_a_change_is_never_repeated_by_until():
    step = CHANGE + "\nuntil: ${steps.change.ok}\nwithin: 10s"
    desk = Desk(Answers(cicd__rollback=[{}]))
    end = await finish(desk, index_of([step]), incident("A"))
    assert desk.asked == []
    assert "`until` would repeat cicd.rollback, which changes things" in end.escalate


async def test_expressions_see_the_incident_the_request_and_the_time_of_the_newest_row():
    steps = [
        ASK,
        "id: b\naction: metrics.query\nwith:\n  query: >-\n"
        "    ${alert.name + incident.service + params.text + params.zone + string(now - steps.ask.at)}",
    ]
    desk = Desk(Answers(metrics__query=[samples(0)]))
    await finish(desk, index_of(steps), incident("A"), text="hi ", request={"args": {"zone": "eu"}})
    assert json.loads(desk.rows["b"][0])[1] == {"query": "Agatewayhi eu0"}


async def test_a_runbook_changed_while_the_run_waited_is_not_followed_any_further():
    desk = Desk(Answers(cicd__rollback=[{}]), approved=False)
    with pytest.raises(ApprovalRequired):
        await RunbookPlanner(index_of([CHANGE]), ACTIONS, INVENTORY).plan(desk.run(), incident("A"), desk)
    desk.approved = True
    end = await finish(desk, index_of([CHANGE, ASK]), incident("A"))
    assert not end.resolved
    assert "runbooks/t.md has changed (now " in end.escalate
    end = await finish(desk, Index({}), incident("A"))
    assert "runbooks/t.md is gone" in end.escalate
    assert desk.rows == {}


async def test_without_a_runbook_it_collects_facts_and_hands_over_honestly():
    desk = Desk(Answers(inventory__service=[{"owner": "shop"}], cicd__recent_deploys=[InvalidCall("not configured")]))
    end = await finish(desk, index_of([ASK]), incident("Other", services=("checkout",)))
    assert not end.resolved
    assert end.cause == "undetermined"
    assert "no runbook fits" in end.escalate
    assert [(c.text, c.evidence) for c in end.claims] == [
        ('inventory.service(service=checkout): {"owner": "shop"}', ("run-1:service_1",))
    ]
    assert end.not_checked[0] == "the cause"
    assert "not configured" in end.not_checked[1]


async def test_a_runbook_added_later_does_not_change_a_run_that_began_without_one():
    desk = Desk(Answers(inventory__service=[{}], cicd__recent_deploys=[{}]), crash_at=frozenset({4}))
    with pytest.raises(Crash):
        await RunbookPlanner(Index({}), ACTIONS, INVENTORY).plan(desk.run(), incident("A"), desk)
    end = await finish(desk, index_of([ASK]), incident("A"))
    assert "no runbook fits" in end.summary
    assert not [i for i in desk.rows if i.startswith("ask")]


async def test_a_runbook_that_was_asked_for_is_taken_whatever_fires():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    assert (await finish(desk, index_of([ASK]), None, request={"runbook": "t"})).resolved
    assert desk.plan["why"] == "it was asked for"
    end = await finish(Desk(Answers()), index_of([ASK]), None, request={"runbook": "tt"})
    assert "there is no runbook 'tt'; did you mean 't'?" in end.escalate


async def test_a_question_in_words_finds_its_runbook():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    assert (await finish(desk, index_of([ASK]), None, text="do the test step")).resolved
    desk = Desk(Answers(metrics__query=[samples(0)]))
    assert not (await finish(desk, index_of([ASK]), None, text="the printer is broken")).resolved


# ---- the shipped runbooks against a small company ----


@dataclass
class Company:
    """Three services and their signals; a rollback to a good version cures them after some seconds."""

    guilty: str = "payments"
    kind: str = "errors"
    deployed: bool = True
    previous: str | None = "1.0"
    state: str = "succeeded"
    heals: bool = True
    latest: str = "1.1"
    earlier: tuple[dict[str, Any], ...] = ()
    bad_version: str = "1.1"
    well_from: int | None = None

    async def __call__(self, action: str, args: Mapping[str, Any], at: int):
        if action == "metrics.query":
            return done(self._samples(args["query"], at))
        if action == "cicd.recent_deploys":
            mine = self.deployed and args["service"] == self.guilty
            deploys = [self._deploy(args["service"]), *self.earlier] if mine else []
            return done({"service": args["service"], "deploys": deploys, "latest": deploys[0] if deploys else None})
        assert action == "cicd.rollback"
        assert args == {"service": self.guilty, "to": self.previous}
        self.well_from = at + 8_000 if self.heals else None
        return done({"service": self.guilty, "version": args["to"], "previous": self.latest}, verified=self.heals)

    def _deploy(self, service: str) -> dict[str, Any]:
        known = {"service": service, "version": self.latest, "previous": self.previous, "state": self.state}
        return {**known, "at": START - 60_000, "build": "7", "by": "ann", "change": "New pool"}

    def _samples(self, query: str, at: int) -> dict[str, Any]:
        sick = self.well_from is None or at < self.well_from
        name, _, rest = query.partition("{")
        level = {"error": (0, 0.5), "latency": (0.01, 0.9)}["error" if "error_ratio" in name else "latency"]
        hit = sick and (self.kind == "errors") == ("error_ratio" in name)
        if name.startswith("version:"):
            service = rest.split("'")[1]
            versions = {self.bad_version: level[hit and service == self.guilty], "1.0": level[0]}
            series = [
                {"labels": {"version": v, "service": service}, "value": x, "at": at / 1000} for v, x in versions.items()
            ]
        else:
            order = ["payments", "checkout", "gateway"]
            callers = order[order.index(self.guilty) :] if "own" not in name else [self.guilty]
            series = [{"labels": {"service": s}, "value": level[hit and s in callers], "at": at / 1000} for s in order]
        return {"query": query, "series": series, "value": None, "count": len(series)}


@pytest.fixture(scope="module")
def shipped():
    return Index.load([SHIPPED])


def test_the_shipped_runbooks_have_no_findings(shipped):
    for runbook in shipped.runbooks.values():
        assert lint(runbook, ACTIONS, INVENTORY, today=runbook.reviewed) == []


ALERTS = {"errors": "ServiceErrorRatioHigh", "latency": "ServiceLatencyHigh"}


@pytest.mark.parametrize("guilty", ["gateway", "checkout", "payments"])
@pytest.mark.parametrize("alert", ALERTS.values())
@pytest.mark.parametrize("kind", ALERTS)
async def test_either_runbook_finds_the_guilty_service_and_cures_it(shipped, guilty, alert, kind):
    desk = Desk(Company(guilty, kind), approved=False)
    end = await finish(desk, shipped, incident(alert))
    assert end.resolved, end
    assert end.summary.startswith(f"{guilty} 1.1 was rolled back to 1.0;")
    assert end.cause == f"deploy of {guilty} 1.1 by ann: New pool"
    assert end.confidence == "high"
    assert end.not_checked == []
    assert all(claim.evidence for claim in end.claims)
    assert desk.rows["rollback"][1].action == "cicd.rollback"
    assert any(w.waiting_for == "until:errors_gone" for w in desk.waits) == (kind == "errors")


STOPS = {
    "no deploy": (Company(deployed=False), "It was not deployed in the last 30 minutes."),
    "first deploy": (Company(previous=None), "Its newest deploy is 1.1 (succeeded)"),
    "under way": (Company(state="running"), "Its newest deploy is 1.1 (running)"),
    "newest is a rollback": (
        Company(latest="1.0", previous="1.1", earlier=({"version": "1.1", "previous": "1.0", "state": "succeeded"},)),
        "Its newest deploy is 1.0 (succeeded)",
    ),
    "an old version is as bad": (Company(bad_version="0.9"), "a rollback would not help"),
    "nothing wrong": (Company(well_from=0), "neither own errors nor own latency are raised"),
    "rollback did not help": (Company(heals=False), "cicd.rollback was done but did not help"),
}


@pytest.mark.parametrize("alert", ALERTS.values())
@pytest.mark.parametrize("name", STOPS)
async def test_where_a_rollback_is_not_the_answer_a_person_is_called_with_the_facts(shipped, name, alert):
    company, text = STOPS[name]
    desk = Desk(replace(company))
    end = await finish(desk, shipped, incident(alert))
    assert not end.resolved
    assert text in end.escalate
    assert end.claims
    assert ("rollback" in desk.rows) == (name == "rollback did not help")


async def test_killed_at_any_point_the_run_makes_the_same_calls_and_comes_to_the_same_end(shipped):
    def company():
        return Desk(Company("checkout", "errors"), approved=False)

    whole = company()
    expected = await finish(whole, shipped, incident("ServiceErrorRatioHigh"))
    assert whole.points > 15
    for point in range(1, whole.points + 1):
        desk = company()
        desk.crash_at = frozenset({point})
        end = await finish(desk, shipped, incident("ServiceErrorRatioHigh"))
        assert list(desk.rows) == list(whole.rows)
        assert [digest for digest, _ in desk.rows.values()] == [digest for digest, _ in whole.rows.values()]
        assert end == expected
        assert desk.said == whole.said


EXTRAS = [
    "",
    "\nwhen: ${alert.firing}",
    "\nwhen: ${steps.s0.ok}",
    "\nwhen: ${!steps.s0.ok && steps.s0.state != 'refused'}",
]
POLLS = ["", "\nuntil: ${steps.ID.result.value < 1.0}\nwithin: 10s\nevery: 5s"]
OTHERWISE = ["", "\notherwise: continue", "\notherwise: last"]
READS = st.sampled_from([samples(0), samples(9), failed("down"), InvalidCall("no"), ActionRefused("no")])
CHANGES = st.sampled_from([done({}), failed("broke"), ActionRefused("no"), done({}, verified=False)])


@st.composite
def stories(draw):
    steps = []
    for number in range(draw(st.integers(1, 4))):
        id, read = f"s{number}", draw(st.booleans())
        step = (ASK if read else CHANGE).replace("id: ask", f"id: {id}").replace("id: change", f"id: {id}")
        extra = draw(st.sampled_from(EXTRAS)) if number else ""
        poll = draw(st.sampled_from(POLLS)).replace("ID", id) if read else ""
        steps.append(step + extra + poll + draw(st.sampled_from(OTHERWISE)))
    steps.append(ASK.replace("id: ask", "id: last"))
    answers = {"metrics__query": draw(st.lists(READS, min_size=1, max_size=6))}
    return steps, answers | {"cicd__rollback": draw(st.lists(CHANGES, min_size=1, max_size=3))}


@settings(deadline=None, max_examples=60)
@given(stories(), st.frozensets(st.integers(1, 40), max_size=6))
async def test_any_runbook_replays_to_the_same_calls_and_the_same_end(story, crashes):
    steps, answers = story
    index = index_of(steps, "resolved: ${steps.last.ok}\nsummary: over")
    # between a refusal and its being remembered the world may change its mind; here it does not
    whole, broken = (Desk(Answers(**answers), approved=False, keeps_refusals=True) for _ in range(2))
    broken.crash_at = crashes
    assert await finish(broken, index, incident("A")) == await finish(whole, index, incident("A"))
    assert [(i, d) for i, (d, _) in broken.rows.items()] == [(i, d) for i, (d, _) in whole.rows.items()]
