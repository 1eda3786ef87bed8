"""Cards that say whether a pause holds them back, so that they change with it."""

from __future__ import annotations

from typing import Final

from sysop.store import approvals, conversations, outbox
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys, seconds

MOST: Final = 100


def mark(tx: Tx) -> None:
    """Note that the cards of approvals that were given and not used yet are out of date."""
    unused = approvals.unused(tx.conn, MOST)
    cards = [(keys.approval(one.id), one.run) for one in unused]
    found = [(conversations.of_run(tx.conn, run), key) for key, run in cards if outbox.known(tx.conn, key)]
    told = [(talk, key) for talk, key in found if talk is not None]
    for talk, key in sorted(told, key=lambda one: one[0].id):  # in one order, so that no two such units block another
        outbox.mark(tx, talk, key)
    for one in sorted(unused, key=lambda one: one.run):
        seconds.again(tx, one.id, one.run)
