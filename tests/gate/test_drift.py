"""Safety promise 12: what was approved on one state of the world does not run on another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gate.kit import Attack, dies_at
from lab import Lab
from scale import size
from sysop.model import ApprovalState, RunState

STALE = size(200)


async def test_every_stale_approval_is_refused_and_asked_for_again(gate: Attack) -> None:
    level = gate.folder / "level"
    for number in range(STALE):
        level.write_text(f"{number}")
        old = await gate.approved("guarded", {"name": f"t{number}"})
        level.write_text(f"{number} and more")
        await gate.advance(old.run)
        new = await gate.approval(old.run)
        gone = await gate.load(old.id)
        assert (gone.state, new.state) == (ApprovalState.VOID, ApprovalState.PENDING)
        assert new.precondition == f'"{number} and more"'
        assert new.digest != old.digest
        assert old.precondition in str(gone.closed_reason)
        assert new.precondition in str(gone.closed_reason)
    assert gate.begun == []


async def test_a_drift_between_the_intent_and_the_call_runs_nothing(attack: Callable[..., Attack]) -> None:
    gate = attack(probe=dies_at("intent"))
    given = await gate.approved("guarded")
    await gate.die(given.run)
    (gate.folder / "level").write_text("7")
    after = attack()
    await after.work()
    row = await after.row(given.run)
    assert row is not None
    assert (row.state, row.error) == ("failed", "the state changed right before; nothing was run")
    assert after.begun == []


async def test_a_world_that_comes_back_to_what_was_approved_is_no_drift(gate: Attack) -> None:
    given = await gate.approved("guarded")
    (gate.folder / "level").write_text("7")
    (gate.folder / "level").write_text("0")
    await gate.advance(given.run)
    assert len(gate.begun) == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("reading", ["raises", "not json", "nan"])
async def test_a_precondition_that_cannot_be_read_refuses_the_call(attack: Callable[..., Attack], reading: str) -> None:
    class Blind(Lab):
        async def level(self, ctx: object, args: object) -> object:  # type: ignore[override]
            if reading == "raises":
                raise OSError("the level cannot be read; token=abcdefgh12345678")
            return object() if reading == "not json" else float("nan")

    gate = attack(lab=Blind())
    run = await gate.submit("guarded", {"name": "x"})
    await gate.advance(run)
    told = await gate.told(run)
    assert (await gate.run(run)).state is RunState.DONE
    assert told.startswith("lab.guarded was not tried: ")
    assert "abcdefgh12345678" not in told
    assert gate.begun == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("shown", ["raises", "nothing", "text"])
async def test_a_preview_that_cannot_be_shown_refuses_the_call(attack: Callable[..., Attack], shown: str) -> None:
    class Blind(Lab):
        async def preview(self, ctx: object, args: object) -> object:  # type: ignore[override]
            if shown == "raises":
                raise OSError("no preview")
            return None if shown == "nothing" else "looks fine to me"

    gate = attack(lab=Blind())
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert (await gate.told(run)).startswith("lab.append was not tried: ")
    assert gate.begun == []
