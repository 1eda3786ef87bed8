"""What an action reads of its own goes through the gate: allowed it is evidence, and nobody is asked in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gate.kit import Attack
from sysop.api import Action, Context, Preview, Reconciled, Risk, Verification, Verify, action, hookimpl
from sysop.model import Call, Decision, Verdict
from sysop.store import approvals, effects


class Reader:
    """A plugin that reads the lab in every place where it may."""

    def __init__(self, folder: Path) -> None:
        self.done = folder / "done"

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        async def shown(ctx: Context, args: BaseModel) -> Preview:
            return Preview(f"after {await ctx.read('lab.look')}")

        async def state(ctx: Context, args: BaseModel) -> Any:
            return await ctx.read("lab.look")

        async def helped(ctx: Context, args: BaseModel, result: object) -> Verification:
            await ctx.read("lab.look")
            return Verification("passed", "looked")

        async def find(ctx: Context, args: BaseModel) -> Reconciled:
            return Reconciled("not_done", "never")

        @action(risk=Risk.READ)
        async def peek(ctx: Context) -> Any:
            """Look at the lab."""
            return await ctx.read("lab.look")

        @action(risk=Risk.CHANGE, target="thing:a", reconcile=find)
        async def act(ctx: Context) -> str:
            """Look, then do it."""
            await ctx.read("lab.look")
            self.done.write_text("done")
            return "done"

        @action(risk=Risk.CHANGE, target="thing:b", preview=shown, reconcile=find)
        async def previewed(ctx: Context) -> str:
            """Do it; its preview looks."""
            self.done.write_text("done")
            return "done"

        @action(risk=Risk.CHANGE, target="thing:c", precondition=state, reconcile=find)
        async def guarded(ctx: Context) -> str:
            """Do it; its precondition looks."""
            self.done.write_text("done")
            return "done"

        @action(risk=Risk.CHANGE, target="thing:d", reconcile=find, verify=Verify(helped))
        async def checked(ctx: Context) -> str:
            """Do it; its post-check looks."""
            self.done.write_text("done")
            return "done"

        return [peek, act, previewed, guarded, checked]


LOOKS_ASK = [{"name": "looks", "match": {"action": ["lab.look"]}, "then": "approve"}]
FREE = [{"name": "free", "match": {"action": ["reader.*"]}, "then": "allow"}]
REFUSED = "reads lab.look, which policy wants approved by people; a read inside an action cannot wait for them"


@pytest.mark.parametrize("name", ["peek", "act", "guarded"])
async def test_a_read_that_people_must_approve_is_refused_inside_an_action(
    attack: Callable[..., Attack], tmp_path: Path, name: str
) -> None:
    gate = attack(plugins={"reader": Reader(tmp_path)}, policy={"rules": [*LOOKS_ASK, *FREE]})
    run = await gate.submit(f"reader.{name}")
    await gate.advance(run)
    told = await gate.told(run)
    assert f"reader.{name} {REFUSED}, so let policy allow lab.look" in told
    assert not (tmp_path / "done").exists()
    await nobody_is_asked(gate, reader=f"reader.{name}")


async def test_a_preview_that_people_must_approve_is_refused_before_anybody_is_asked(
    attack: Callable[..., Attack], tmp_path: Path
) -> None:
    gate = attack(plugins={"reader": Reader(tmp_path)}, policy={"rules": LOOKS_ASK})
    run = await gate.submit("reader.previewed")
    await gate.advance(run)
    assert f"reader.previewed was not tried: reader.previewed {REFUSED}" in await gate.told(run)
    await nobody_is_asked(gate, reader="reader.previewed")


async def test_a_judge_that_wants_people_for_a_read_counts_the_same(
    attack: Callable[..., Attack], tmp_path: Path
) -> None:
    class Careful:
        @hookimpl
        def judge(self, call: Call, action: Any) -> Decision | None:
            return Decision(Verdict.APPROVE, "careful", "not now") if call.action == "lab.look" else None

    gate = attack(plugins={"reader": Reader(tmp_path), "careful": Careful()})
    run = await gate.submit("reader.peek")
    await gate.advance(run)
    assert REFUSED in await gate.told(run)
    await nobody_is_asked(gate, reader="reader.peek")


async def nobody_is_asked(gate: Attack, reader: str) -> None:
    """The approval of the inner read is void, with the reason, and no other is open."""
    found = await gate.app.store.read(lambda conn: approvals.listed(conn, pending_only=False))
    assert [(one.action, one.state) for one in found] == [("lab.look", "void")]
    assert str(found[0].closed_reason).startswith(f"{reader} reads lab.look")


async def test_a_post_check_that_cannot_read_is_told_and_the_change_stays_done(
    attack: Callable[..., Attack], tmp_path: Path
) -> None:
    """Not knowing is not failing: it is asked again until its time is up, and the reason stands in the ledger."""
    gate = attack(plugins={"reader": Reader(tmp_path)}, policy={"rules": [*LOOKS_ASK, *FREE]})
    run = await gate.submit("reader.checked")
    await gate.advance(run)
    assert await gate.state(run) == "done"
    poll = await gate.row(run, "call.verify-1")
    assert poll is not None
    assert REFUSED in str(poll.result)
    assert (await gate.run(run)).waiting_for == "verify:call"


@pytest.mark.parametrize("name", ["peek", "act", "guarded"])
async def test_an_allowed_read_inside_an_action_is_a_row_of_its_own(
    attack: Callable[..., Attack], tmp_path: Path, name: str
) -> None:
    """The control."""
    gate = attack(plugins={"reader": Reader(tmp_path)}, policy={"rules": FREE})
    run = await gate.submit(f"reader.{name}")
    await gate.advance(run)
    assert await gate.state(run) == "done"
    rows = await gate.app.store.read(lambda conn: effects.of_run(conn, run))
    assert {row.action for row in rows} == {"lab.look", f"reader.{name}"}
    assert all(row.call.startswith("call") for row in rows)
