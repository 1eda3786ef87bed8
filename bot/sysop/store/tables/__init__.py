"""The tables, named as the nouns of `sysop.model`. Times are milliseconds since the epoch."""

from __future__ import annotations

from sysop.store.tables.changes import change, news
from sysop.store.tables.columns import metadata
from sysop.store.tables.incidents import alert, correction, ending, incident, silence
from sysop.store.tables.runs import approval, audit, budget, effect, feedback, lease, mode, run, said, vote
from sysop.store.tables.talk import conversation, delivery, inbox, member, message, outbox, turn

__all__ = [
    "alert",
    "approval",
    "audit",
    "budget",
    "change",
    "conversation",
    "correction",
    "delivery",
    "effect",
    "ending",
    "feedback",
    "inbox",
    "incident",
    "lease",
    "member",
    "message",
    "metadata",
    "mode",
    "news",
    "outbox",
    "run",
    "said",
    "silence",
    "turn",
    "vote",
]
