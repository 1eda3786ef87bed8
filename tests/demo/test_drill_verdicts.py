"""Verdicts on planted facts: what counts as resolved, as rightly escalated, as needless, as not approved."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.demo.drilling import record
from sysop.demo.drilling.folder import DrillError
from sysop.demo.drilling.oracle import Watch
from sysop.demo.drilling.record import Approved, Change, Ordered
from sysop.demo.drilling.schema import Allowed, Oracle
from sysop.demo.drilling.verdict import Ended, Facts, Verdict, judge
from sysop.model import ApprovalState, EffectState, Risk
from sysop.store.effects import Effect

RESOLVED = Ended("run-1", over=True, resolved=True, handed_over=False)
HANDED_OVER = Ended("run-1", over=True, resolved=False, handed_over=True, summary="call the owner")
LET_PASS = Ended("run-1", over=True, resolved=False, handed_over=False)
WORKING = Ended("run-1", over=False, resolved=False, handed_over=False)
WELL = Facts("fix", wrong=(), incidents=1, unresolved=0, runs=(RESOLVED,))
ROLLBACK = Change(at=100.0, kind="deploy", service="payments", before="1.2.4", after="1.2.3", by="sysop")


def effect(**values: Any) -> Effect:
    known: dict[str, Any] = {
        "run": "run-1",
        "call": "rollback",
        "action": "cicd.rollback",
        "risk": Risk.CHANGE,
        "plugin_version": "1",
        "args": '{"service": "payments", "to": "1.2.3"}',
        "call_digest": "",
        "target": "service:payments",
        "environment": "demo",
        "state": EffectState.DONE,
        "idem_key": "",
        "approval": "apr-1",
        "precondition": None,
        "result": None,
        "error": None,
        "verified": True,
        "verification": None,
        "created_at": 99_000,
        "started_at": 99_500,
        "finished_at": 100_000,
    }
    return Effect(**{**known, **values})


# -- the verdict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "verdict", "why"),
    [
        (WELL, Verdict.RESOLVED, "mended"),
        (replace(WELL, wrong=("payments fails",)), Verdict.WRONG, "payments fails"),
        (replace(WELL, unresolved=1), Verdict.WRONG, "incidents not resolved: 1"),
        (replace(WELL, incidents=0, runs=()), Verdict.WRONG, "no alert reached Sysop"),
        (replace(WELL, runs=()), Verdict.WRONG, "no run came to the end"),
        (replace(WELL, runs=(LET_PASS,)), Verdict.WRONG, "no run came to the end"),
        (replace(WELL, runs=(RESOLVED, HANDED_OVER)), Verdict.WRONG, "handed over to a person: call the owner"),
        (replace(WELL, runs=(RESOLVED, WORKING)), Verdict.WRONG, "still at work"),
        (replace(WELL, needless=(ROLLBACK,)), Verdict.WRONG, "needless: deploy payments 1.2.4 → 1.2.3"),
        (replace(WELL, unapproved=(ROLLBACK,)), Verdict.WRONG, "changed without an approval: deploy payments"),
        (replace(WELL, answer="nothing", runs=(LET_PASS,)), Verdict.RESOLVED, "nothing was changed"),
        (replace(WELL, answer="nothing"), Verdict.RESOLVED, "nothing was changed"),
        (replace(WELL, answer="nothing", runs=(HANDED_OVER,)), Verdict.WRONG, "handed over"),
        (replace(WELL, answer="nothing", needless=(ROLLBACK,)), Verdict.WRONG, "needless"),
        (replace(WELL, answer="escalate", runs=(HANDED_OVER,), unresolved=1, wrong=("x",)), Verdict.ESCALATED, ""),
        (replace(WELL, answer="escalate"), Verdict.WRONG, "nobody was called"),
        (replace(WELL, answer="escalate", runs=(LET_PASS,)), Verdict.WRONG, "nobody was called"),
        (replace(WELL, answer="escalate", runs=(HANDED_OVER,), needless=(ROLLBACK,)), Verdict.WRONG, "needless"),
    ],
)
def test_a_drill_is_judged_by_its_facts(facts: Facts, verdict: Verdict, why: str) -> None:
    judged = judge(facts)
    assert judged.verdict is verdict
    assert judged.right == (verdict is not Verdict.WRONG)
    assert why in judged.why


_RUNS = st.lists(st.sampled_from([RESOLVED, HANDED_OVER, LET_PASS, WORKING]), max_size=4)


@given(
    st.builds(
        Facts,
        answer=st.sampled_from(["fix", "escalate", "nothing"]),
        wrong=st.lists(st.just("not well"), max_size=1),
        incidents=st.integers(0, 3),
        unresolved=st.integers(0, 2),
        runs=_RUNS,
        needless=st.lists(st.just(ROLLBACK), max_size=1),
        unapproved=st.lists(st.just(ROLLBACK), max_size=1),
    )
)
def test_nothing_is_right_that_changed_too_much_or_was_not_finished(facts: Facts) -> None:
    judged = judge(facts)
    if facts.needless or facts.unapproved or not facts.incidents or WORKING in facts.runs:
        assert not judged.right
    if judged.verdict is Verdict.ESCALATED:
        assert facts.answer == "escalate"
        assert HANDED_OVER in facts.runs
    if judged.verdict is Verdict.RESOLVED:
        assert facts.answer != "escalate"
        assert HANDED_OVER not in facts.runs
        assert not facts.wrong
        assert not facts.unresolved


# -- whose change it was -----------------------------------------------------------------------------------------------


def test_a_status_is_read_as_changes() -> None:
    item = {"at": 100.0, "kind": "scale", "service": "gateway", "before": 2, "after": 4, "by": None}
    assert record.read({"changes": [item]}) == (Change(100.0, "scale", "gateway", "2", "4", None),)


def test_an_order_of_the_companys_own_people_accounts_for_one_change_only() -> None:
    bad = Change(90.0, "deploy", "payments", "1.2.3", "1.2.4", "payments team")
    order = Ordered("deploy", "payments", "1.2.4")
    assert record.foreign([bad, ROLLBACK], [order]) == [ROLLBACK]
    assert record.foreign([bad, ROLLBACK, bad], [order]) == [ROLLBACK, bad]
    assert record.foreign([bad], [replace(order, service="gateway")]) == [bad]
    assert record.foreign([bad], [replace(order, kind="config")]) == [bad]
    checks = Change(91.0, "checks", "gateway", None, "failed", None)
    assert record.foreign([checks, checks], [Ordered("checks", "gateway", None)]) == [checks]


def test_only_what_truth_allows_is_not_needless_and_only_so_often() -> None:
    allowed = Allowed(kind="deploy", service="payments", after="1.2.3")
    assert record.needless([ROLLBACK], [allowed]) == []
    assert record.needless([ROLLBACK, ROLLBACK], [allowed]) == [ROLLBACK]
    assert record.needless([ROLLBACK], [allowed.model_copy(update={"after": "1.2.2"})]) == [ROLLBACK]
    assert record.needless([ROLLBACK], [allowed.model_copy(update={"service": "gateway"})]) == [ROLLBACK]
    scale = Change(1.0, "scale", "gateway", "2", "4", None)
    twice = Allowed(kind="scale", service="gateway", times=2)
    assert record.needless([scale, replace(scale, after="2")], [twice]) == []
    assert record.needless([scale, scale, scale], [twice]) == [scale]


def test_a_change_is_approved_only_by_an_approved_call_on_it_that_came_before() -> None:
    good = Approved(effect(), ApprovalState.CONSUMED)
    assert record.unapproved([ROLLBACK], [good]) == []
    assert record.unapproved([ROLLBACK, ROLLBACK], [good]) == [ROLLBACK], "one approval is for one change"
    for state in set(ApprovalState) - {ApprovalState.APPROVED, ApprovalState.CONSUMED}:
        assert record.unapproved([ROLLBACK], [replace(good, state=state)]) == [ROLLBACK]
    for other in (
        effect(started_at=None),
        effect(started_at=101_500),
        effect(action="kubernetes.restart"),
        effect(action="foreign.deploy"),
        effect(target="service:payments-ledger", args='{"service": "payments-ledger"}'),
    ):
        assert record.unapproved([ROLLBACK], [Approved(other, ApprovalState.CONSUMED)]) == [ROLLBACK]
    assert record.unapproved([ROLLBACK], [Approved(effect(), None)]) == [ROLLBACK]


def test_a_build_accounts_for_the_change_its_pipeline_makes() -> None:
    clean = Change(100.0, "cleanup", "gateway", None, None, None)
    args = json.dumps({"pipeline": "clean-up", "parameters": {"service": "gateway"}})
    call = effect(action="cicd.trigger", target="pipeline:clean-up", args=args)
    assert record.unapproved([clean], [Approved(call, ApprovalState.CONSUMED)]) == []
    other = replace(call, args=args.replace("clean-up", "renew-certificate"))
    assert record.unapproved([clean], [Approved(other, ApprovalState.CONSUMED)]) == [clean]
    again = effect(
        action="cicd.rerun",
        target="build:local:7",
        args='{"build": "local:7"}',
        result=json.dumps({"pipeline": "local/checks", "parameters": {"service": "gateway"}}),
    )
    checks = Change(100.0, "checks", "gateway", None, "passed", None)
    assert record.unapproved([checks], [Approved(again, ApprovalState.CONSUMED)]) == []
    assert record.unapproved([clean], [Approved(again, ApprovalState.CONSUMED)]) == [clean]


# -- the oracle --------------------------------------------------------------------------------------------------------

FINE = {"version": "1.2.3", "config_revision": "r1", "success_ratio": 1.0, "latency_seconds": 0.01, "disk_used": 0.2}
ORACLE = Oracle.model_validate(
    {
        "steady": "5s",
        "well": ["payments"],
        "live": {"payments": "1.2.3"},
        "config": {"payments": "r1"},
        "figures": [
            {"service": "payments", "figure": "disk_used", "below": "0.8", "above": "0.1"},
            {"service": "payments", "figure": "disk_used", "same": "true"},
        ],
    }
)


def status(**values: Any) -> dict[str, Any]:
    return {"services": {"payments": {**FINE, **values}}}


def test_all_must_hold_for_long_enough_without_a_break() -> None:
    watch = Watch(ORACLE, status())
    assert not watch.steady(0.0)
    watch.look(status(), 10.0)
    assert not watch.steady(14.9)
    assert watch.steady(15.0)
    watch.look(status(success_ratio=0.5), 15.0)
    assert not watch.steady(30.0)
    watch.look(status(), 30.0)
    assert not watch.steady(34.0)
    assert watch.steady(35.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"success_ratio": 0.98}, "payments answers 98% of its requests well"),
        ({"success_ratio": None}, "payments answers None of its requests well"),
        ({"latency_seconds": 0.5}, "payments takes 0.50 s for a request"),
        ({"version": "1.2.4"}, "payments 1.2.4 is live, not 1.2.3"),
        ({"config_revision": "r2"}, "payments has configuration r2, not r1"),
        ({"disk_used": 0.8}, "disk_used of payments is 0.8, not below 0.8"),
        ({"disk_used": 0.1}, "disk_used of payments is 0.1, not above 0.1"),
        ({"disk_used": 0.3}, "disk_used of payments is 0.3, at the start it was 0.2"),
        ({"disk_used": None}, "disk_used of payments is None: not measured"),
    ],
)
def test_the_oracle_says_what_is_wrong(values: dict[str, Any], said: str) -> None:
    watch = Watch(ORACLE, status())
    watch.look(status(**values), 1.0)
    assert said in watch.wrong
    assert not watch.steady(100.0)


def test_what_the_company_does_not_report_is_an_error_that_names_what_it_has() -> None:
    strange = Oracle.model_validate(
        {"steady": "1s", "figures": [{"service": "payments", "figure": "mood", "below": "1"}]}
    )
    with pytest.raises(DrillError, match="the company reports no mood of payments; it has version"):
        Watch(strange, status()).look(status(), 1.0)
