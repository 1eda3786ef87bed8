"""What is under way, told to whoever writes beside it: here, or in another thread of theirs."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from sysop.model import Actor, Run
from sysop.runner.memory import wish
from sysop.store import approvals, conversations, runs
from sysop.store.conversations import Conversation

MAX_ELSEWHERE: Final = 5
HOW: Final = "Who asked for it, or holds a role, ends it by writing just “stop”."
"""Fewer words are sure to be understood: no model is asked whether somebody wants to stop."""


def still(conn: Connection, run: Run | None) -> str:
    """Return that a run goes on whatever was said beside it, and how to end it; "" where none is under way."""
    return f"{_state(conn, run)}. {HOW}" if run is not None and not run.over else ""


def elsewhere(conn: Connection, talk: Conversation, actor: Actor) -> str:
    """Return what this person has asked for in other threads and can stop there, "" for nothing."""
    found = conversations.live_runs(conn, talk.surface, talk.team)
    theirs = [run for run in found if run.conversation != talk.id and not set(actor.ids).isdisjoint(run.requesters)]
    if not theirs:
        return ""
    told = [f"“{_title(conn, run)}” ({_state(conn, run)})" for run in theirs[:MAX_ELSEWHERE]]
    more = f", and {len(theirs) - MAX_ELSEWHERE} more" if len(theirs) > MAX_ELSEWHERE else ""
    return f"Elsewhere you have asked for {', '.join(told)}{more}. To stop one, write “stop” in its thread."


def _title(conn: Connection, run: Run) -> str:
    assert run.conversation is not None
    return conversations.load(conn, run.conversation).title


def _state(conn: Connection, run: Run) -> str:
    asked = [approvals.load(conn, id) for id in runs.awaited(conn, run.id)]
    waits = [f"{wish(one)} still waits for a decision, {one.id}" for one in asked]
    return "; ".join(waits) or f"{run.id} goes on"
