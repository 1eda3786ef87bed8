"""What the audit log says of a call that went no further: enough to judge it again under another policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gate.kit import Attack, Calls
from lab import Lab
from sysop.store import audit

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}


async def judged(gate: Attack, run: str) -> dict[str, Any]:
    """Return the one entry that says why a call went no further."""
    entries = await gate.app.store.read(lambda conn: audit.entries(conn, chain=run, kind="call.judged"))
    (entry,) = entries
    return dict(json.loads(entry.body))


async def test_a_refusal_is_recorded_with_all_that_policy_looked_at(attack: Callable[..., Attack]) -> None:
    never = {"rules": [{"name": "never", "match": {"target": ["thing:web"]}, "then": "forbid"}, *FREE["rules"]]}
    gate = attack(policy=never, budgets={"change": 0})
    forbidden, over = await gate.submit("append", {"name": "web"}), await gate.submit("append", {"name": "db"})
    await gate.advance(forbidden)
    await gate.advance(over)
    about = {"action": "lab.append", "risk": "change", "environment": "production", "policy": gate.app.policy.digest}
    entry = await judged(gate, forbidden)
    assert entry.items() >= {**about, "verdict": "forbid", "target": "thing:web", "args": '{"name":"web"}'}.items()
    entry = await judged(gate, over)
    assert entry.items() >= {**about, "verdict": "refused", "target": "thing:db", "args": '{"name":"db"}'}.items()
    assert gate.begun == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_failing_precondition_is_recorded_with_the_call_it_belongs_to(attack: Callable[..., Attack]) -> None:
    class Blind(Lab):
        async def level(self, ctx: Any, args: Any) -> str:
            raise ConnectionError("nobody answers")

    gate = attack(lab=Blind(), policy=FREE)
    run = await gate.submit("guarded", {"name": "web"})
    await gate.advance(run)
    entry = await judged(gate, run)
    facts = (entry["verdict"], entry["rule"], entry["target"], entry["args"])
    assert facts == ("refused", "precondition", "thing:web", '{"name":"web"}')


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("action", "args", "risk"),
    [
        ("lab.append", {"nme": "web", "password": "hunter2hunter2"}, "change"),
        ("lab.dance", {"step": 1}, None),
        ("lab.append", {"name": "x" * 9000, "far": "too much"}, "change"),
        ("lab.append", {"name": "\ud800", "far": float("nan")}, "change"),
    ],
    ids=["wrong name", "no such action", "long", "odd"],
)
async def test_a_call_that_makes_no_sense_is_recorded_as_far_as_it_is_known(
    attack: Callable[..., Attack], action: str, args: dict[str, Any], risk: str | None
) -> None:
    gate = attack(planners=Calls(("c", action, args)).named())
    run = await gate.submit("", planner="calls")
    await gate.advance(run)
    entry = await judged(gate, run)
    assert (entry["verdict"], entry["action"], entry.get("risk")) == ("invalid", action, risk)
    assert "target" not in entry
    assert "hunter2" not in entry["args"]
    assert next(iter(args)) in entry["args"]
    assert len(entry["args"]) <= 4000
