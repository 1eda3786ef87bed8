"""Policy: denied unless a rule says otherwise, forbid wins wherever it stands, plugins only ever tighten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.kit import ANN, Attack
from scale import size
from sysop.api import hookimpl
from sysop.gate.policy import DEFAULT_RULES, Policy, tighten
from sysop.gate.question import Question
from sysop.gate.windows import in_window
from sysop.model import Actor, Call, Decision, Origin, Risk, Verdict
from sysop.policy_sections import DAYS, Match, PolicySettings, Rule, Window
from sysop.sections import Person

EXAMPLES = size(5000, 200)
STRICT = [Verdict.ALLOW, Verdict.APPROVE, Verdict.FORBID]

some = st.sampled_from
matches = st.builds(
    Match,
    risk=st.lists(some(list(Risk)), max_size=2).map(tuple),
    action=st.lists(some(["lab.*", "lab.append", "*", "other.*"]), max_size=2).map(tuple),
    environment=st.lists(some(["production", "staging"]), max_size=1).map(tuple),
    target=st.lists(some(["thing:*", "thing:web", "*"]), max_size=1).map(tuple),
    role=st.lists(some(["lead", "approver"]), max_size=1).map(tuple),
    origin=st.lists(some(list(Origin)), max_size=2).map(tuple),
)
rules = st.builds(
    Rule,
    name=some(["a", "b", "c"]),
    match=matches,
    then=some(STRICT),
    roles=st.lists(some(["approver", "lead"]), min_size=1, max_size=2, unique=True).map(tuple),
    count=st.integers(1, 3),
)
questions = st.builds(
    Question,
    action=some(["lab.append", "lab.wipe", "cicd.deploy"]),
    risk=some(list(Risk)),
    environment=some(["production", "staging"]),
    target=some(["thing:web", "thing:db"]),
    roles=st.frozensets(some(["lead", "approver"])),
    origin=some(list(Origin)),
    now=st.integers(0, 2_000_000_000_000),
)
decisions = st.builds(
    Decision,
    verdict=some(STRICT),
    rule=some(["r", "s"]),
    reason=some(["x", "y"]),
    roles=st.lists(some(["approver", "lead", "dba"]), max_size=2, unique=True).map(tuple),
    count=st.integers(0, 3),
    approve_within=st.integers(1, 9),
    execute_within=st.integers(1, 9),
)


def policy(*rules_: Rule, defaults: bool = False) -> Policy:
    return Policy(PolicySettings(rules=rules_, defaults=defaults))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(rules, max_size=6), questions)
def test_forbid_wins_then_the_first_that_matches_else_it_is_denied(given_rules: list[Rule], question: Question) -> None:
    decision, considered = policy(*given_rules).explain(question)
    matching = [rule for rule, seen in zip(given_rules, considered, strict=True) if seen.matched]
    if any(rule.then is Verdict.FORBID for rule in matching):
        assert decision.verdict is Verdict.FORBID
    elif matching:
        assert (decision.verdict, decision.rule) == (matching[0].then, matching[0].name)
    else:
        assert (decision.verdict, decision.rule) == (Verdict.FORBID, "default deny")
    assert all(seen.matched or seen.why for seen in considered)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(rules, max_size=5), rules, questions)
def test_one_more_forbidding_rule_never_loosens(given_rules: list[Rule], more: Rule, question: Question) -> None:
    more = more.model_copy(update={"then": Verdict.FORBID})
    before = policy(*given_rules).decide(question).verdict
    for place in (0, len(given_rules)):
        after = policy(*given_rules[:place], more, *given_rules[place:]).decide(question).verdict
        assert STRICT.index(after) >= STRICT.index(before)


@settings(max_examples=EXAMPLES, deadline=None)
@given(decisions, st.lists(decisions, max_size=4))
def test_a_plugin_never_loosens_any_part_of_an_answer(first: Decision, answers: list[Decision]) -> None:
    if first.verdict is Verdict.APPROVE:
        first = Decision(first.verdict, "r", "x", first.roles or ("approver",), max(1, first.count), 5, 5)
    found = tighten(first, answers)
    strictest = max(STRICT.index(d.verdict) for d in (first, *answers))
    assert STRICT.index(found.verdict) >= strictest
    if found.verdict is not Verdict.APPROVE:
        return
    asking = [d for d in (first, *answers) if d.verdict is Verdict.APPROVE]
    assert found.count >= max(1, *(d.count for d in asking))
    assert found.roles
    assert all(set(found.roles) <= set(d.roles) for d in asking if d.roles)
    assert found.approve_within <= min(d.approve_within for d in asking)
    assert found.execute_within <= min(d.execute_within for d in asking)


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


NIGHT = Window.model_validate({"days": ["fri"], "from": "22:00", "to": "06:00"})
SPRING = Window.model_validate({"from": "02:30", "to": "03:30", "timezone": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("window", "now", "inside"),
    [
        (NIGHT, at("2026-11-20T21:59:59"), False),  # a Friday
        (NIGHT, at("2026-11-20T22:00:00"), True),
        (NIGHT, at("2026-11-20T23:59:59"), True),
        (NIGHT, at("2026-11-21T05:59:59"), True),
        (NIGHT, at("2026-11-21T06:00:00"), False),
        (NIGHT, at("2026-11-20T05:00:00"), False),  # the night that began on Thursday
        (NIGHT, at("2026-11-21T22:30:00"), False),
        (Window(), at("2026-11-20T00:00:00"), True),
        (Window(days=("mon",)), at("2026-11-20T12:00:00"), False),
        (Window.model_validate({"days": ["fri"], "from": "09:00", "to": "00:00"}), at("2026-11-20T23:59:00"), True),
        (Window.model_validate({"days": ["fri"], "from": "09:00", "to": "00:00"}), at("2026-11-21T00:00:00"), False),
        # Berlin, 29 March 2026: 02:00 becomes 03:00; 25 October: 03:00 becomes 02:00.
        (SPRING, at("2026-03-29T00:59:59"), False),
        (SPRING, at("2026-03-29T01:00:00"), True),
        (SPRING, at("2026-03-29T01:29:59"), True),
        (SPRING, at("2026-03-29T01:30:00"), False),
        (SPRING, at("2026-10-25T00:30:00"), True),
        (SPRING, at("2026-10-25T01:15:00"), False),  # 02:15 again
        (SPRING, at("2026-10-25T01:30:00"), True),  # 02:30 again
        (SPRING, at("2026-10-25T02:30:00"), False),
    ],
)
def test_windows_follow_the_clock_on_the_wall(window: Window, now: int, inside: bool) -> None:
    assert in_window(window, now) is inside


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),
)
def test_a_window_and_its_opposite_fill_the_day(start: Any, end: Any, when: datetime) -> None:
    now = int(when.replace(tzinfo=UTC).timestamp() * 1000)
    one, other = Window(start=start, end=end), Window(start=end, end=start)
    if start == end:
        assert in_window(one, now)
    else:
        assert in_window(one, now) != in_window(other, now)


@pytest.mark.parametrize(
    "changed",
    [
        {"then": "forbid"},
        {"count": 3},
        {"roles": ["lead"]},
        {"approve_within_minutes": 31},
        {"execute_within_minutes": 11},
        {"name": "other"},
        *({"match": {key: [value]}} for key, value in (("risk", "read"), ("action", "x"), ("target", "x"))),
        *({"match": {key: [value]}} for key, value in (("environment", "x"), ("role", "x"), ("origin", "alert"))),
        {"match": {"window": {"from": "01:00"}}},
        {"match": {"window": {"timezone": "Europe/Berlin"}}},
        {"match": {"window": {"days": list(DAYS[:-1])}}},
    ],
    ids=str,
)
def test_the_digest_changes_with_any_change_of_a_rule(changed: dict[str, Any]) -> None:
    base: dict[str, Any] = {"name": "r", "then": "approve", "match": {"window": {}}}
    one, other = Rule.model_validate(base), Rule.model_validate({**base, **changed})
    assert policy(one).digest != policy(other).digest
    assert policy(one).digest == policy(Rule.model_validate(base)).digest


def test_the_digest_changes_with_the_order_and_with_the_defaults() -> None:
    one, other = Rule(name="1", then=Verdict.ALLOW), Rule(name="2", then=Verdict.FORBID)
    assert policy(one, other).digest != policy(other, one).digest
    assert policy(one).digest != policy(one, defaults=True).digest
    assert Policy(PolicySettings()).rules == DEFAULT_RULES


class Judge:
    """A plugin that judges, in whatever way."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def judge(self, call: Call, action: Any, actor: Actor) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("answer", [RuntimeError("bug"), "allow", True, Verdict.ALLOW, {"verdict": "allow"}], ids=repr)
async def test_a_judge_that_fails_or_talks_nonsense_forbids(attack: Callable[..., Attack], answer: Any) -> None:
    gate = attack(policy=FREE, plugins={"judging": Judge(answer)})
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert "plugin failed to judge the call" in await gate.told(run)
    assert gate.begun == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_judge_without_an_opinion_changes_nothing(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, plugins={"judging": Judge(None), "lenient": Judge(Decision(Verdict.ALLOW, "l", ""))})
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert len(gate.begun) == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_judge_that_only_says_approve_asks_an_approver(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, plugins={"judging": Judge(Decision(Verdict.APPROVE, "careful", "it is Friday"))})
    asked = await gate.ask("append")
    assert (asked.roles, asked.count) == (("approver",), 1)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_judge_that_tightens_after_the_approval_voids_it(attack: Callable[..., Attack]) -> None:
    judge = Judge(None)
    gate = attack(plugins={"judging": judge})
    old = await gate.approved("append")
    judge.answer = Decision(Verdict.APPROVE, "careful", "an incident is open", ("approver",), 2)
    await gate.advance(old.run)
    assert gate.begun == []
    new = await gate.approval(old.run)
    assert (new.id != old.id, new.count) == (True, 2)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "people", [{}, {"ann": {"uid": 60001, "roles": ["approver"]}}], ids=["nobody", "only who asks"]
)
async def test_where_nobody_can_approve_the_refusal_says_what_to_add(
    attack: Callable[..., Attack], people: dict[str, Any]
) -> None:
    gate = attack(people=lambda: {name: Person(**person) for name, person in people.items()})
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    told = await gate.told(run)
    assert "Add to sysop.yaml:\npeople:\n  NAME:\n    uid: UID" in told
    assert "roles: [approver]" in told
    assert "who asks can never approve" in told


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_right_by_role_ends_with_the_role(attack: Callable[..., Attack]) -> None:
    by_role = {"rules": [{"name": "leads", "match": {"role": ["approver"], "risk": ["change"]}, "then": "allow"}]}
    gate = attack(policy=by_role)
    run = await gate.submit("append", {"name": "x"}, by=ANN)
    demoted = attack(policy=by_role, people=dict)
    await demoted.advance(run)
    assert gate.begun == []
    assert "fewer than 1 other people" in await demoted.told(run)
