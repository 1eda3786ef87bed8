"""Roles from a chat surface: they count while the surface has just said so, for people only, and never longer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gate.kit import ANN, BOB, Attack
from sysop.model import Actor, Approval, ApprovalState, EffectState
from sysop.store import members
from sysop.store.members import Member
from sysop.store.store import Store

ROB = "slack:T1.ROB"
SLACK = {"bot_token": "env:BOT", "app_token": "env:APP"}


@pytest.fixture
def gate(attack: Callable[..., Attack]) -> Attack:
    return attack(slack=SLACK)


async def knows(store: Store, id: str = ROB, *, actor: str | None = None, human: bool = True, age_s: int = 0) -> Member:
    roles = ("approver",)
    await store.write(lambda tx: members.save(tx, id, actor=actor or id, name="rob", human=human, roles=roles))
    if age_s:
        await store.write(lambda tx: _older(tx, id, age_s * 1000))
    found = await store.read(lambda conn: members.get(conn, id))
    assert found is not None
    return found


def _older(tx: object, id: str, by_ms: int) -> None:
    from sqlalchemy import update

    from sysop.store import tables as t

    tx.conn.execute(  # type: ignore[attr-defined]
        update(t.member).where(t.member.c.id == id).values(checked_at=t.member.c.checked_at - by_ms)
    )


async def click(gate: Attack, approval: Approval, member: Member) -> tuple[bool, str]:
    await gate.app.people.refresh()
    counted = await gate.vote(approval, by=gate.app.people.by_member(member))
    return counted.counted, counted.message


async def test_a_member_of_a_group_with_the_role_approves(gate: Attack) -> None:
    member = await knows(gate.app.store)
    approval = await gate.ask("append")
    assert await click(gate, approval, member) == (True, "approved")
    await gate.advance(approval.run)
    assert await gate.state(approval.run) == EffectState.DONE


async def test_a_guest_or_a_bot_never_counts(gate: Attack) -> None:
    member = await knows(gate.app.store, human=False)
    approval = await gate.ask("append")
    assert await click(gate, approval, member) == (
        False,
        "this account is not known as a person; only people can approve, no guests and no bots",
    )


async def test_what_the_surface_said_more_than_a_minute_ago_gives_no_role(gate: Attack) -> None:
    member = await knows(gate.app.store, age_s=61)
    approval = await gate.ask("append")
    assert await click(gate, approval, member) == (False, "this needs the role approver")


async def test_an_old_row_is_asked_about_before_it_decides(gate: Attack) -> None:
    asked: list[Sequence[str]] = []

    async def lookup(ids: Sequence[str]) -> None:
        asked.append(ids)
        await knows(gate.app.store)

    gate.app.people.ask(lookup)
    member = await knows(gate.app.store, age_s=45)
    approval = await gate.ask("append")
    assert (await gate.vote(approval, by=gate.app.people.by_member(member))).counted
    assert asked == [[ROB]]


async def test_a_role_taken_away_between_vote_and_effect_voids_the_approval(gate: Attack) -> None:
    member = await knows(gate.app.store)
    approval = await gate.ask("append")
    assert (await click(gate, approval, member))[0]
    await gate.app.store.write(lambda tx: members.save(tx, ROB, actor=ROB, name="rob", human=True, roles=()))
    await gate.advance(approval.run)
    assert (await gate.load(approval.id)).state is ApprovalState.VOID
    assert gate.begun == []


async def test_one_person_by_two_names_cannot_approve_an_own_wish(gate: Attack) -> None:
    account = Actor(ROB, frozenset({"approver"}), human=True)
    approval = await gate.ask("append", by=account)
    mapped = await knows(gate.app.store, actor="person:bob")
    assert await click(gate, approval, mapped) == (False, "who asks for a change cannot approve it")


async def test_a_mapped_person_is_one_voter_wherever_the_click_comes_from(gate: Attack) -> None:
    mapped = await knows(gate.app.store, actor=BOB.id)
    approval = await gate.ask("wipe", {"name": "web"})
    assert (await gate.vote(approval, by=BOB)).counted
    assert await click(gate, approval, mapped) == (False, "you have voted already")


async def test_a_read_only_run_changes_nothing_whoever_asks(gate: Attack) -> None:
    run = await gate.submit("append", {"name": "web"}, by=ANN, read_only=True)
    await gate.advance(run)
    assert "may look only" in await gate.told(run)
    look = await gate.submit("look", by=ANN, read_only=True)
    await gate.advance(look)
    assert await gate.state(look) == EffectState.DONE
    assert gate.begun == []


async def test_without_a_surface_no_row_gives_a_role(attack: Callable[..., Attack], tmp_path: Path) -> None:
    gate = attack()
    member = await knows(gate.app.store)
    approval = await gate.ask("append")
    assert await click(gate, approval, member) == (False, "this needs the role approver")
