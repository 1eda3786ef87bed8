"""Safety promise 9: a change runs only under a live approval of exactly this call."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from gate.kit import ANN, BOB, Attack, Calls
from lab import Lab, LabPlugin
from sysop.canonical import canonical, digest
from sysop.errors import InvalidCall
from sysop.gate.bind import bind
from sysop.inventory import Inventory
from sysop.model import ApprovalState, Call
from sysop.store import approvals, audit

FORGED: dict[str, tuple[str, Any]] = {
    "the arguments": ("args", '{"name":"prod"}'),
    "the target": ("target", "thing:prod"),
    "the environment": ("environment", "staging"),
    "the requesters": ("requesters", '["person:zoe"]'),
    "no requesters": ("requesters", "[]"),
    "the call": ("call", "other"),
    "the action": ("action", "lab.shout"),
    "the preview": ("preview", '{"summary":"harmless"}'),
    "the precondition": ("precondition", '"9"'),
    "the digest": ("digest", "0" * 64),
    "fewer people": ("count", 0),
    "other roles": ("roles", '["anybody"]'),
}


@pytest.mark.parametrize("what", FORGED)
async def test_an_approved_approval_with_a_forged_field_runs_nothing(gate: Attack, what: str) -> None:
    old = await gate.approved("guarded")
    await gate.sql(f"UPDATE approval SET {FORGED[what][0]} = :value WHERE id = :id", value=FORGED[what][1], id=old.id)
    await gate.advance(old.run)
    assert gate.begun == []
    new = await gate.approval(old.run)
    assert (new.state, new.digest) == (ApprovalState.PENDING, old.digest)
    assert new.id != old.id, "a person was not asked again"
    if FORGED[what][0] != "call":
        assert (await gate.load(old.id)).state is ApprovalState.VOID


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", FORGED)
async def test_a_pending_approval_with_a_forged_field_runs_nothing_when_voted_on(gate: Attack, what: str) -> None:
    old = await gate.ask("guarded")
    await gate.sql(f"UPDATE approval SET {FORGED[what][0]} = :value WHERE id = :id", value=FORGED[what][1], id=old.id)
    await gate.vote(old)
    await gate.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=old.run)
    await gate.advance(old.run)
    assert gate.begun == []


async def test_the_deadlines_of_an_approval_are_in_the_log_where_an_edit_shows(gate: Attack) -> None:
    given = await gate.approved("append")
    await gate.sql("UPDATE approval SET approve_by = approve_by + 1, execute_by = execute_by + 1")
    entries = await gate.app.store.read(lambda conn: audit.entries(conn, chain=approvals.chain(given.id)))
    logged = {entry.kind: json.loads(entry.body) for entry in entries}
    asked, allowed = logged["approval.requested"], logged["approval.approved"]
    assert (asked["approve_by"], asked["execute_within"]) == (given.approve_by, 10 * 60_000)
    assert allowed["execute_by"] == given.execute_by
    edited = await gate.load(given.id)
    assert (edited.approve_by, edited.execute_by) != (asked["approve_by"], allowed["execute_by"])


async def test_an_approval_moved_to_another_run_runs_nothing(gate: Attack) -> None:
    given = await gate.approved("append", {"name": "staging"})
    wanted = await gate.ask("append", {"name": "prod"})
    await gate.sql("UPDATE approval SET state = 'void' WHERE id = :id", id=wanted.id)
    await gate.sql("UPDATE approval SET run = :run WHERE id = :id", run=wanted.run, id=given.id)
    await gate.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=wanted.run)
    await gate.advance(wanted.run)
    assert gate.begun == []


async def test_an_approval_set_to_approved_without_votes_runs_nothing(gate: Attack) -> None:
    asked = await gate.ask("append")
    late = await gate.app.store.now() + 600_000
    await gate.sql("UPDATE approval SET state = 'approved', execute_by = :t WHERE id = :id", t=late, id=asked.id)
    await gate.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=asked.run)
    await gate.advance(asked.run)
    assert gate.begun == []
    assert (await gate.approval(asked.run)).id != asked.id


@pytest.mark.parametrize(
    "changed",
    [
        {"policy": {"rules": [{"name": "new", "match": {"action": ["other.*"]}, "then": "forbid"}]}},
        {"policy": {"rules": [{"name": "two", "match": {"risk": ["change"]}, "then": "approve", "count": 2}]}},
        {"environment": "staging"},
    ],
    ids=["another rule", "two people", "another environment"],
)
async def test_settings_changed_after_the_approval_run_nothing(
    attack: Callable[..., Attack], changed: dict[str, Any]
) -> None:
    given = await attack().approved("append")
    later = attack(**changed)
    await later.advance(given.run)
    assert later.begun == []
    if "policy" in changed:
        new = await later.approval(given.run)
        assert (await later.load(given.id)).state is ApprovalState.VOID
        assert new.digest != given.digest


async def test_a_new_version_of_the_plugin_needs_a_new_approval(attack: Callable[..., Attack]) -> None:
    given = await attack().approved("append")
    later = attack()
    for name, action in list(later.app.host.actions.items()):
        later.app.host.actions[name] = action.owned("lab", "2.0")
        object.__setattr__(later.app.host.actions[name], "name", name)
    await later.advance(given.run)
    assert later.begun == []
    assert (await later.load(given.id)).state is ApprovalState.VOID


async def test_somebody_who_joins_the_request_voids_the_approval_and_cannot_approve(gate: Attack) -> None:
    given = await gate.approved("append")
    await gate.sql("UPDATE run SET requesters = :who WHERE id = :id", who=json.dumps([ANN.id, BOB.id]), id=given.run)
    await gate.advance(given.run)
    assert gate.begun == []
    new = await gate.approval(given.run)
    assert set(new.requesters) == {ANN.id, BOB.id}
    assert not (await gate.vote(new, BOB)).counted


async def test_an_approval_is_used_once(gate: Attack) -> None:
    given = await gate.approved("append")
    await gate.advance(given.run)
    assert len(gate.begun) == 1
    assert (await gate.load(given.id)).state is ApprovalState.CONSUMED
    await gate.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=given.run)
    await gate.advance(given.run)
    assert len(gate.begun) == 1
    await gate.sql("UPDATE approval SET state = 'approved' WHERE id = :id", id=given.id)
    await gate.sql("DELETE FROM effect WHERE run = :id", id=given.run)
    await gate.sql("UPDATE run SET state = 'queued' WHERE id = :id", id=given.run)
    assert (await gate.approval(given.run)).id == given.id


async def test_the_same_call_with_other_arguments_stops_the_run(attack: Callable[..., Attack]) -> None:
    twice = Calls(("a", "lab.append", {"name": "one-free"}), ("a", "lab.append", {"name": "two-free"}))
    free = {"rules": [{"name": "free", "match": {"target": ["thing:*-free"]}, "then": "allow"}]}
    gate = attack(planners=twice.named(), policy=free)
    run = await gate.submit("", planner="calls")
    await gate.advance(run)
    assert len(gate.begun) == 1
    assert "other arguments" in await gate.told(run)
    assert (await gate.run(run)).state == "failed"


@pytest.mark.parametrize(
    "args",
    [
        {"name": "x", "count": 2**53 + 1},
        {"name": "x", "count": -(2**53) - 1},
        {"name": "x", "count": 10**400},
        {"name": "x", "ratio": math.nan},
        {"name": "x", "ratio": math.inf},
        {"name": "x", "ratio": -math.inf},
        {"name": "\ud800"},
        {"name": "a\0b"},
        {"name": "x", "more": 1},
        {"name": ["x"]},
        {"name": "x", "count": 1.5},
        {},
        {"name": "AKIAABCDEFGHIJKLMNOP"},
    ],
    ids=repr,
)
def test_arguments_that_cannot_be_bound_are_refused_before_anybody_is_asked(
    args: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InvalidCall):
        bind(bench.lab_host(tmp_path), Inventory(), "run-1", Call("call", "lab.wipe", args))


async def test_what_cannot_be_bound_ends_the_run_with_a_reason(attack: Callable[..., Attack]) -> None:
    bad = Calls(("a", "lab.wipe", {"name": "a\0b", "count": 1}))
    gate = attack(planners=bad.named())
    run = await gate.submit("", planner="calls")
    await gate.advance(run)
    assert (await gate.run(run)).state == "failed"
    assert gate.begun == []


CONFUSABLE = [
    ("\u00e9", "e\u0301"),
    ("web", "w\u0435b"),
    ("a", "a\u200b"),
    ("\ufb01", "fi"),
    ("web", "web\u00a0"),
    ("a", "\uff41"),
    ("K", "\u212a"),
]


@pytest.mark.parametrize(("one", "other"), CONFUSABLE, ids=ascii)
def test_texts_that_look_alike_have_different_digests(one: str, other: str) -> None:
    assert digest("t", {"name": one}) != digest("t", {"name": other})


def test_numbers_with_one_canonical_form_have_one_digest() -> None:
    assert canonical({"r": 0.0}) == canonical({"r": -0.0}) == b'{"r":0}'
    assert canonical({"r": 1.0}) == canonical({"r": 1}) == b'{"r":1}'


@pytest.mark.parametrize(("ratio", "bound"), [(-0.0, '"ratio":0'), (1, '"ratio":1'), (1.0, '"ratio":1')])
async def test_what_is_bound_is_what_is_performed(attack: Callable[..., Attack], ratio: float, bound: str) -> None:
    seen: list[float] = []

    class Watching(Lab):
        async def preview(self, ctx: Any, args: Any) -> Any:
            seen.append(math.copysign(1.0, args.ratio))
            return await super().preview(ctx, args)

    gate = attack(
        lab=Watching(), policy={"rules": [{"name": "f", "match": {"risk": ["destructive"]}, "then": "approve"}]}
    )
    given = await gate.approved("wipe", {"name": "x", "ratio": ratio})
    assert bound in given.args
    assert seen == [1.0], "the preview saw other bytes than were bound"
    await gate.advance(given.run)
    row = await gate.row(given.run)
    assert row is not None
    assert row.args == given.args
    assert len(gate.begun) == 1


def test_the_lab_has_no_action_without_a_risk() -> None:
    assert all(action.risk for action in LabPlugin().register_actions())
