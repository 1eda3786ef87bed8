"""Freezes: changes are forbidden, taking back needs an approval, and no approval outlives a freeze's beginning."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gate.kit import BOB, CAT, Attack, dies_at
from gate.test_policy import questions, rules
from scale import size
from sysop.gate import freeze as freezing
from sysop.gate.policy import Policy
from sysop.gate.question import Question
from sysop.model import ApprovalState, Origin, Risk, Verdict
from sysop.policy_sections import DAYS, Freeze, PolicySettings, Rule

EXAMPLES = size(3000, 150)
STRICT = [Verdict.ALLOW, Verdict.APPROVE, Verdict.FORBID]
FREE: dict[str, Any] = {"name": "free", "match": {"risk": ["change"]}, "then": "allow"}
DECEMBER: dict[str, Any] = {
    "name": "year end",
    "reason": "the tills must not stop",
    "from": "2026-12-20 18:00",
    "to": "2027-01-04 08:00",
    "timezone": "Europe/Berlin",
}
ALWAYS: dict[str, Any] = {"name": "always", "from": "2000-01-01", "to": "2999-01-01"}


def at(text: str, zone: str = "Europe/Berlin") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def question(now: int, action: str = "cicd.deploy", **changes: Any) -> Question:
    values: dict[str, Any] = {
        "risk": Risk.CHANGE,
        "environment": "production",
        "target": "service:checkout",
        "roles": frozenset(),
        "origin": Origin.ASKED,
    }
    return Question(action, now=now, **{**values, **changes})


def policy(*freezes: dict[str, Any], rules_: tuple[dict[str, Any], ...] = ()) -> Policy:
    return Policy(PolicySettings.model_validate({"rules": rules_, "freezes": freezes}))


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-12-20T17:59:59", False),
        ("2026-12-20T18:00:00", True),
        ("2027-01-04T07:59:59", True),
        ("2027-01-04T08:00:00", False),
    ],
)
def test_a_freeze_holds_from_its_first_minute_to_its_last_in_its_time_zone(now: str, frozen: bool) -> None:
    decision = policy(DECEMBER).decide(question(at(now)))
    assert decision.verdict is (Verdict.FORBID if frozen else Verdict.APPROVE)
    if frozen:
        assert decision.rule == "freeze: year end"
        assert decision.reason == (
            "freeze 'year end' (the tills must not stop) holds until 2027-01-04 08:00 Europe/Berlin"
        )


def test_reads_go_on_in_a_freeze() -> None:
    assert policy(ALWAYS).decide(question(at("2026-12-24T12:00"), risk=Risk.READ)).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "action",
    ["cicd.rollback", "kubernetes.rollout_undo", "kubernetes.uncordon", "cicd.cancel", "alertmanager.unsilence"],
)
def test_taking_back_needs_one_approval_even_where_it_needs_none_else(action: str) -> None:
    found = policy(ALWAYS, rules_=(FREE,)).decide(question(at("2026-12-24T12:00"), action))
    assert (found.verdict, found.count, found.roles) == (Verdict.APPROVE, 1, ("approver",))
    assert found.notes == ("freeze 'always' holds until 2999-01-01 00:00 UTC",)


def test_taking_back_can_be_forbidden_as_well() -> None:
    found = policy({**ALWAYS, "approve": []}).decide(question(at("2026-12-24T12:00"), "cicd.rollback"))
    assert found.verdict is Verdict.FORBID


def test_a_role_may_be_exempt_with_more_people_to_approve() -> None:
    exempt = {**ALWAYS, "exempt": ["release-manager"], "count": 2}
    asked = policy(exempt).decide(question(at("2026-12-24T12:00"), roles=frozenset({"release-manager"})))
    assert (asked.verdict, asked.count) == (Verdict.APPROVE, 2)
    other = policy(exempt).decide(question(at("2026-12-24T12:00"), roles=frozenset({"approver"})))
    assert other.verdict is Verdict.FORBID
    assert "people with role release-manager may ask, and 2 people must approve" in other.reason


@pytest.mark.parametrize(
    ("only", "frozen"),
    [
        ({"service": ["checkout"]}, True),
        ({"service": ["check*"]}, True),
        ({"service": ["payments"]}, False),
        ({"environment": ["production"]}, True),
        ({"environment": ["staging"]}, False),
        ({"action": ["cicd.*"]}, True),
        ({"action": ["kubernetes.*"]}, False),
        ({"service": ["checkout"], "environment": ["staging"]}, False),
    ],
    ids=str,
)
def test_a_freeze_holds_for_what_it_names(only: dict[str, Any], frozen: bool) -> None:
    decision = policy({**ALWAYS, **only}).decide(question(at("2026-12-24T12:00")))
    assert (decision.verdict is Verdict.FORBID) is frozen


freezes = st.builds(
    lambda window, moments, **more: Freeze.model_validate({"name": "f", **window, **moments, **more}),
    window=st.sampled_from([{}, {"window": {"days": ["fri", "sat"], "from": "16:00", "to": "08:00"}}]),
    moments=st.just({"from": "1990-01-01", "to": "2020-01-01"}),
    action=st.lists(st.sampled_from(["lab.*", "*.wipe"]), max_size=1),
    approve=st.lists(st.sampled_from(["lab.append", "*"]), max_size=1),
    exempt=st.lists(st.sampled_from(["lead", "approver"]), max_size=1),
    count=st.integers(1, 3),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(rules, max_size=4), st.lists(freezes, min_size=1, max_size=3), questions)
def test_a_freeze_never_loosens_any_part_of_an_answer(
    given_rules: list[Rule], given_freezes: list[Freeze], asked: Question
) -> None:
    before = Policy(PolicySettings(rules=tuple(given_rules))).decide(asked)
    after = Policy(PolicySettings(rules=tuple(given_rules), freezes=tuple(given_freezes))).decide(asked)
    assert STRICT.index(after.verdict) >= STRICT.index(before.verdict)
    if before.verdict is after.verdict is Verdict.APPROVE:
        assert after.count >= before.count
        assert set(after.roles) <= set(before.roles)
        assert after.approve_within <= before.approve_within
        assert after.execute_within <= before.execute_within


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True),
    st.sampled_from(["00:00", "02:30", "09:00", "22:30"]),
    st.sampled_from(["00:00", "02:15", "06:00", "18:15"]),
    st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York"]),
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1))
    | st.datetimes(min_value=datetime(2026, 3, 28), max_value=datetime(2026, 3, 30))
    | st.datetimes(min_value=datetime(2026, 10, 24), max_value=datetime(2026, 10, 26)),
)
def test_what_is_said_of_the_end_and_the_next_beginning_is_what_happens(
    days: list[str], start: str, end: str, zone: str, when: datetime
) -> None:
    window = {"days": days, "from": start, "to": end, "timezone": zone}
    freeze = Freeze.model_validate({"name": "f", "window": window})
    now = int(when.replace(tzinfo=UTC).timestamp() * 1000)
    holds = freezing.holds(freeze, now)
    edge = freezing.ends(freeze, now) if holds else freezing.begins(freeze, now)
    if edge is None:  # a window that fills the week
        assert holds
        return
    assert freezing.holds(freeze, edge) is not holds
    assert freezing.holds(freeze, edge - 1) is holds
    assert all(freezing.holds(freeze, now + (edge - 1 - now) * n // 20) is holds for n in range(20))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "say when"),
        ({"from": "2026-01-01"}, "say when"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "is not after"),
        ({"from": "1700000000", "to": "2026-01-01"}, "such as 2026-12-20 18:00"),
        ({"from": "2026-01-01", "to": "2026-01-02", "timezone": "Mars"}, "is not a time zone"),
    ],
    ids=str,
)
def test_a_freeze_that_makes_no_sense_is_refused_with_the_fix(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Freeze.model_validate({"name": "f", **wrong})


def test_the_digest_changes_with_any_change_of_a_freeze() -> None:
    seen = {policy().digest, policy(ALWAYS).digest, policy(DECEMBER).digest, policy(DECEMBER, ALWAYS).digest}
    for change in ({"reason": "x"}, {"approve": []}, {"exempt": ["x"]}, {"count": 3}, {"service": ["x"]}):
        seen.add(policy({**ALWAYS, **change}).digest)
    assert len(seen) == 9


# -- through the gate ------------------------------------------------------------------------------------------


def soon(seconds: float, **more: Any) -> tuple[dict[str, Any], float]:
    """Return a freeze of all that is asked, which begins in a moment, and when that is."""
    begin = datetime.now(UTC) + timedelta(seconds=seconds)
    freeze = {"name": "soon", "from": begin.isoformat(), "to": "2999-01-01", "approve": [], **more}
    return {"freezes": [freeze]}, begin.timestamp()


async def until(begin: float) -> None:
    while time.time() <= begin + 0.05:
        await asyncio.sleep(0.02)


async def approved_before(attack: Callable[..., Attack], **more: Any) -> tuple[Attack, Any]:
    """Return an approval given before its freeze began, which it has by now; a slow machine gets more time."""
    for seconds in (1.0, 4.0, 16.0):
        freezes, begin = soon(seconds, **more)
        gate = attack(policy=freezes)
        given = await gate.approved("append", {"name": f"t{seconds}"}) if time.time() < begin else None
        if given is not None and given.state is ApprovalState.APPROVED and time.time() < begin:
            await until(begin)
            return gate, given
    raise AssertionError("the machine is too slow for this test")


async def test_what_is_frozen_is_refused_by_name_and_nothing_runs(attack: Callable[..., Attack]) -> None:
    gate = attack(policy={"freezes": [{**ALWAYS, "reason": "stock-taking", "approve": []}]})
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert "lab.append on thing:x is forbidden: freeze 'always' (stock-taking) holds until 2999-01-01" in (
        await gate.told(run)
    )
    assert gate.begun == []


async def test_an_approval_does_not_outlive_the_beginning_of_a_freeze(attack: Callable[..., Attack]) -> None:
    gate, given = await approved_before(attack)
    await gate.advance(given.run)
    assert gate.begun == []
    assert "freeze 'soon'" in await gate.told(given.run)


async def test_an_approval_from_before_is_void_even_where_the_freeze_asks_for_one(
    attack: Callable[..., Attack],
) -> None:
    gate, given = await approved_before(attack, approve=["lab.append"])
    await gate.advance(given.run)
    assert gate.begun == []
    assert (await gate.load(given.id)).state is ApprovalState.VOID
    new = await gate.approval(given.run)
    assert json.loads(new.preview)["changes"][0] == "freeze 'soon' holds until 2999-01-01 00:00 UTC"
    assert (await gate.vote(new, BOB)).counted
    await gate.advance(given.run)
    assert len(gate.begun) == 1


async def test_a_freeze_that_begins_right_before_the_effect_still_holds_it_back(attack: Callable[..., Attack]) -> None:
    freezes, begin = soon(1.0)
    reached: list[float] = []

    def wait(point: str) -> None:
        if point == "checked":
            reached.append(time.time())
            time.sleep(max(0.0, begin + 0.05 - time.time()))

    gate = attack(policy={"rules": [FREE], **freezes}, probe=wait)
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert gate.begun == []
    told = await gate.told(run)
    assert "freeze 'soon'" in told
    if reached:  # else the machine was so slow that it never came so far
        assert await gate.state(run) == "failed"
        assert "nothing was run" in told


async def test_an_effect_intended_before_a_crash_does_not_begin_in_a_freeze(attack: Callable[..., Attack]) -> None:
    freezes, begin = soon(1.0)
    crashed = attack(policy={"rules": [FREE], **freezes}, probe=dies_at("intent"))
    run = await crashed.submit("append", {"name": "x"})
    if time.time() < begin:
        await crashed.die(run)
    await until(begin)
    after = attack(policy={"rules": [FREE], **freezes})
    await after.work()
    assert after.begun == []
    assert "freeze 'soon'" in await after.told(run)


async def test_an_exempt_role_asks_and_two_people_approve(attack: Callable[..., Attack]) -> None:
    gate = attack(policy={"freezes": [{**ALWAYS, "approve": [], "exempt": ["lead"], "count": 2}]})
    asked = await gate.ask("append", by=CAT)
    assert asked.count == 2
    other = await gate.submit("append", {"name": "x"}, by=BOB)
    await gate.advance(other)
    assert "people with role lead may ask" in await gate.told(other)
