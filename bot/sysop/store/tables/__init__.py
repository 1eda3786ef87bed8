"""The tables, named as the nouns of `sysop.model`. Times are milliseconds since the epoch."""

from __future__ import annotations

from sysop.store.tables.changes import change, news
from sysop.store.tables.columns import metadata
from sysop.store.tables.incidents import alert, correction, ending, incident, silence
from sysop.store.tables.knowledge import memory_note, question, rating
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
    "memory_note",
    "message",
    "metadata",
    "mode",
    "news",
    "outbox",
    "question",
    "rating",
    "run",
    "said",
    "silence",
    "turn",
    "vote",
]
