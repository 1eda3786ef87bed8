"""Votes from Slack. Every check is made here and in the gate; what Slack sends along is never believed."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from sysop.errors import InvalidRequest
from sysop.gate.approvals import Counted
from sysop.model import Approval, ApprovalState
from sysop.store import approvals, members, mode, outbox
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk
from sysop.surfaces.slack.directory import member_id
from sysop.surfaces.slack.incoming import Incoming, table, words
from sysop.surfaces.slack.project import SEEN_MS

SHOWN_DIGITS = 12
"""So many characters of the digest every card shows."""
NOT_THE_CARD = (
    "this is not the card that Sysop posted for this approval; nothing was decided. Look for it in the thread"
)


async def cast(
    desk: Desk, asking: Asking, id: str, approve: bool, reason: str = "", *, digest: str | None = None
) -> Counted:
    """Count one person's answer; `digest` is what they were shown, where they were shown something.

    Their own Home follows at once, so that it offers nothing they have answered; the Homes of others have time.
    """
    counted = await desk.service.decide(id, asking.actor, approve, reason, delivery=asking.key, digest=digest)
    await desk.store.write(lambda tx: _own_home(tx, asking.it))
    return counted


def _own_home(tx: Tx, it: Incoming) -> None:
    member = members.get(tx.conn, member_id(it.team, it.user))
    if member is not None and member.seen_at is not None and member.seen_at >= tx.now() - SEEN_MS:
        outbox.home(tx, keys.home(it.team, it.user))


async def told(desk: Desk, asking: Asking, id: str, counted: Counted, approve: bool) -> Shown:
    """Return what to tell whoever answered. An answer that counts already is not said to change nothing."""
    approval, pause = await desk.store.read(lambda conn: (approvals.load(conn, id), mode.read(conn)))
    if counted.counted:
        what = f"It was asked for {approval.action} on {approval.target}."
        held = f" Changes are paused ({pause.reason}): it runs after /sysop resume." if approve and pause.paused else ""
        return notice(f"Your {'yes' if approve else 'no'} counts: {counted.message}. {what}{held}")
    if any(vote.approver == asking.actor.id for vote in approval.votes):
        return notice(f"You have answered already; the approval is {approval.state}.")
    return notice(f"Your answer changes nothing: {counted.message}.")


async def refusal(desk: Desk, asking: Asking, id: str) -> Shown | None:
    """Return why this person need not be asked for a reason; None where the form has opened."""
    why = objection(await desk.store.read(lambda conn: approvals.load(conn, id)), asking)
    return notice(f"Your answer changes nothing: {why}.") if why else None


def objection(approval: Approval, asking: Asking) -> str | None:
    """Return what the gate would surely say, told before anybody types a reason. The gate itself decides later."""
    actor = asking.actor
    if approval.state is not ApprovalState.PENDING:
        return f"the approval is {approval.state} already"
    if set(actor.ids) & set(approval.requesters):
        return "who asks for a change cannot decide on it; to take it back, write “revoke” in its thread"
    if not actor.human or not actor.roles & set(approval.roles):
        return f"this needs the role {' or '.join(approval.roles)}"
    return None


async def on_card(desk: Desk, it: Incoming) -> Approval:
    """Return the approval whose card was clicked. Raises InvalidRequest for any other message.

    The message must be the one we stored for this approval, and what it shows must name the digest that is bound.
    """

    def read(conn: Connection) -> Approval:
        approval = approvals.load(conn, it.value)
        if not words(it.pressed.get("block_id")).startswith(f"approval:{approval.id}:"):
            raise InvalidRequest(NOT_THE_CARD)
        if it.view.get("type") == "home":
            return approval  # built for this person from the rows; its button names the approval and nothing else
        ts = words(table(it.body.get("container")).get("message_ts"))
        stored = outbox.find_message(conn, it.channel, ts)
        if stored is None or stored.key not in (keys.approval(approval.id), keys.second(approval.id)):
            raise InvalidRequest(NOT_THE_CARD)
        if approval.digest[:SHOWN_DIGITS] not in json.dumps(table(it.body.get("message")).get("blocks")):
            raise InvalidRequest("this is not what you were shown; look at the approval again")
        return approval

    return await desk.store.read(read)
