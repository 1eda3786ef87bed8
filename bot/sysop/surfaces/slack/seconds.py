"""Second cards: what is asked for in a direct message is shown in the channel too, where those are who may decide."""

from __future__ import annotations

from typing import Any, Final

from sysop.model import Approval, ApprovalState
from sysop.store import conversations, outbox
from sysop.store.conversations import Conversation
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.text import one_line

_OF: Final = "conv-"
_TITLE: Final = 120


def thread(run: str) -> str:
    """Return the id of the conversation that holds the second cards of a run."""
    return f"{_OF}{run}"


def holds(conversation: str) -> bool:
    """Tell whether a conversation is one for second cards."""
    return conversation.startswith(f"{_OF}run-")


def again(tx: Tx, approval: str, run: str) -> None:
    """Note that the second card of an approval is out of date, where there is one."""
    key = keys.second(approval)
    if outbox.known(tx.conn, key):
        outbox.again(tx, thread(run), key)


def ask(tx: Tx, talk: Conversation, approval: Approval, place: dict[str, Any]) -> None:
    """Ask in the channel about what is asked for in a direct message, and say there that this was done.

    `place` is the channel; without one only Homes show the approval to whoever may decide. What was written in the
    direct message is not repeated: the card shows the call.
    """
    said = f"asked:{approval.id}"
    private = talk.channel.startswith("D") and approval.state is ApprovalState.PENDING
    if not private or outbox.told(tx.conn, said) is not None:
        again(tx, approval.id, approval.run)
        return
    if place["channel"]:
        title = one_line(f"{approval.action} on {approval.target}, in a direct message", _TITLE)
        wanted = {**place, "root": None, "owner": talk.owner, "title": title}
        there = conversations.ensure(tx, thread(approval.run), **wanted)
        outbox.mark(tx, there, keys.root(there.id))
        outbox.mark(tx, there, keys.second(approval.id))
        words = f"Whoever asked cannot approve, so the same card stands in <#{place['channel']}> for those who may."
    else:
        words = "Whoever asked cannot approve. Those who may see this in Sysop's Home; tell them, no channel is set."
    outbox.post(tx, talk, {"text": words}, tag=said)
