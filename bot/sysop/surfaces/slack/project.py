"""What Slack must hear of a change: written into the outbox by the transaction that makes the change.

Every process does this, also one that never talks to Slack. A message is only marked as out of date; what it shows is
read when it is sent.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import DBAPIError

from sysop.errors import InvalidRequest
from sysop.model import Approval, ApprovalState, AuditEntry, Incident, IncidentState, Run, new_id
from sysop.store import approvals, conversations, incidents, members, outbox, runs
from sysop.store import tables as t
from sysop.store.conversations import Conversation
from sysop.store.writer import Savepoint, Tx, refused
from sysop.surfaces.slack import held, keys, seconds
from sysop.surfaces.slack.blocks import answer
from sysop.surfaces.slack.blocks.incident import Moment, entry
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.look import names
from sysop.surfaces.slack.stretches import current
from sysop.surfaces.slack.text import one_line, times

SURFACE: Final = "slack"
SEEN_MS: Final = 15 * 60_000
HOME_DELAY_MS: Final = 5_000
MOST_HOMES: Final = 100
JOINED_EVERY_MS: Final = 15_000
"""The card names every alert at once; the thread says so often that there are more."""
_TITLE: Final = 150
_LINES: Final = {
    "incident.acknowledged": "looks after this",
    "incident.mitigated": "🟡 Mitigated: {reason}",
    "incident.reopened": "🔴 Open again: {reason}",
    "incident.resolved": "🟢 Resolved: {reason}",
    "incident.merged": "🔗 made {incident} part of this",
    "incident.split": "split off alerts of this, {alerts} in number: {into}",
    "incident.triaged_again": "Looking into it again: {reason}",
}
_COMES_TO: Final = ("effect.done", "effect.failed", "effect.unknown", "effect.verified", "effect.resolved")

T = TypeVar("T")
Summary = Callable[[Connection, str], Shown]
"""Returns the last message of an incident's thread."""

log = logging.getLogger(__name__)


class Projector:
    """Turns touched runs, incidents and approvals into rows of the outbox.

    `channel` is where incidents are told, and approvals of runs nobody began in Slack; without it those are not told.
    `team` is its workspace, "" for the only one there is: the sender fills it in.
    """

    def __init__(self, channel: str | None, team: str = "", *, summary: Summary | None = None) -> None:
        self._channel = channel
        self._team = team
        self._summary = summary

    def __call__(self, tx: Tx, touched: frozenset[str]) -> None:
        """Note what is out of date now."""
        nouns = [tuple(noun.partition(":")[::2]) for noun in sorted(touched)]
        for kind, id in nouns:
            if kind == "incident":
                _apart(tx, f"incident {id} cannot be told", partial(self._incident, tx, id))
        for kind, id in nouns:
            if kind == "approval":
                _apart(tx, f"approval {id} cannot be told", partial(self._approval, tx, id))
        for kind, id in nouns:
            if kind.startswith("run-") and not id:
                _apart(tx, f"run {kind} cannot be told", partial(self._run, tx, kind))
        if _mode_changed(tx):
            _apart(tx, "cards that a pause holds back cannot be told", partial(held.mark, tx))
        if any(kind in ("incident", "approval") for kind, _ in nouns) or _mode_changed(tx):
            _apart(tx, "pages cannot be brought up to date", partial(_homes, tx))

    # -- incidents --------------------------------------------------------------------------------------------------

    def _incident(self, tx: Tx, id: str) -> None:
        talk = self._of_incident(tx, id)
        if talk is None:
            return
        outbox.mark(tx, talk, keys.incident(id))
        mine = [one for one in tx.entries if one.chain == incidents.chain(id)]
        if any(one.kind == "incident.opened" for one in mine):
            return  # the card says it all
        self._joined(tx, talk, id, mine)
        for one in mine:
            self._line(tx, talk, id, one)

    def _of_incident(self, tx: Tx, id: str) -> Conversation | None:
        """Return the conversation of an incident; begin it for one that is not over yet."""
        found = conversations.of_incident(tx.conn, id)
        if found is not None:
            return _ours(found)
        if self._channel is None:
            return None
        it = incidents.head(tx.conn, id)
        if it.state is IncidentState.RESOLVED:
            return None
        outbox.lock(tx, incidents.chain(id))
        found = conversations.of_incident(tx.conn, id)
        return _ours(found) if found is not None else self._begin_incident(tx, it)

    def _begin_incident(self, tx: Tx, it: Incident) -> Conversation | None:
        talk = _ours(self._begin(tx, it.title, owner="", incident=it.id))
        if talk is not None and it.run is not None and runs.load(tx.conn, it.run).conversation is None:
            conversations.set_run(tx, talk.id, it.run)
        return talk

    def _begin(self, tx: Tx, title: str, *, owner: str, incident: str | None = None) -> Conversation:
        place: dict[str, Any] = {**self._place(), "root": None}
        about: dict[str, Any] = {"owner": owner, "title": one_line(title, _TITLE), "incident": incident}
        return conversations.ensure(tx, new_id("conv"), **place, **about)  # somebody may be asking about it right now

    def _place(self) -> dict[str, Any]:
        return {"surface": SURFACE, "team": self._team, "channel": self._channel}

    def _joined(self, tx: Tx, talk: Conversation, id: str, entries: list[AuditEntry]) -> None:
        """Say that more alerts have joined; one line for all that came since the last one."""
        joined = [one for one in entries if one.kind == "incident.joined"]
        tag = f"joined:{id}"
        since = _joined_since(tx, id, tag) if joined else None
        if since is None:
            return
        newest = str(json.loads(joined[-1].body).get("alert") or "alert")
        text = f"{times(_count_joined(tx, id, since), 'more alert')} joined, the newest: {newest}"
        outbox.post(tx, talk, {**_said(tx, talk, text, None), "since": since}, tag=tag)

    def _line(self, tx: Tx, talk: Conversation, id: str, it: AuditEntry) -> None:
        words = _LINES.get(it.kind)
        if words is None:
            return
        facts = {"reason": "no reason given", **{k: v for k, v in json.loads(it.body).items() if v}}
        if it.kind == "incident.resolved":
            words = self._ended(tx, talk, id, words)
        if words and not (it.kind == "incident.merged" and "into" in facts):  # its end says so
            outbox.post(tx, talk, _said(tx, talk, words.format_map(facts), it.actor))

    def _ended(self, tx: Tx, talk: Conversation, id: str, words: str) -> str:
        """Sum an incident up; return what to say where that is not it."""
        if incidents.head(tx.conn, id).merged_into is not None:
            return "🔗 Ended here: {reason}"
        summary = self._summed_up(tx, id)
        if summary is None:
            return words
        outbox.post(tx, talk, summary)
        return ""

    def _summed_up(self, tx: Tx, id: str) -> dict[str, Any] | None:
        if self._summary is None:
            return None
        found = _apart(tx, f"incident {id} could not be summed up", partial(self._summary, tx.conn, id))
        return {"text": found.text, "blocks": found.blocks} if found is not None else None

    # -- approvals and runs -----------------------------------------------------------------------------------------

    def _approval(self, tx: Tx, id: str) -> None:
        approval = approvals.load(tx.conn, id)
        talk = _ours(conversations.of_run(tx.conn, approval.run)) or self._begin_approval(tx, approval)
        key = keys.approval(id)
        if talk is None or (approval.state not in approvals.OPEN and not outbox.known(tx.conn, key)):
            return
        stretch = current(tx.conn, approval.run)
        plans = [keys.plan(approval.run, stretch)]
        if approval.state is ApprovalState.PENDING:
            order = [*plans, key]
        else:  # whoever has clicked sees the answer first
            order = [key, *_posted_before(tx, approval.run, stretch), *plans]
        for one in order:
            outbox.mark(tx, talk, one)
        seconds.ask(tx, talk, approval, self._place())

    def _begin_approval(self, tx: Tx, approval: Approval) -> Conversation | None:
        """Begin a conversation for a run that nobody began in Slack, since people must be asked somewhere."""
        if self._channel is None or approval.state is not ApprovalState.PENDING:
            return None
        run = runs.load(tx.conn, approval.run)
        if run.incident is not None and incidents.head(tx.conn, run.incident).run == run.id:
            talk = self._of_incident(tx, run.incident)
            if talk is not None and conversations.of_run(tx.conn, run.id) is None:
                conversations.set_run(tx, talk.id, run.id)
            return talk
        outbox.lock(tx, run.id)
        found = conversations.of_run(tx.conn, run.id)
        return _ours(found) if found is not None else self._begin_run(tx, run, approval)

    def _begin_run(self, tx: Tx, run: Run, approval: Approval) -> Conversation:
        title = run.text or f"{approval.action} on {approval.target}"
        talk = self._begin(tx, title, owner=run.requesters[0] if run.requesters else "")
        conversations.set_run(tx, talk.id, run.id)
        outbox.mark(tx, talk, keys.root(talk.id))
        return talk

    def _run(self, tx: Tx, id: str) -> None:
        talk = _ours(conversations.of_run(tx.conn, id))
        if talk is None:
            return
        if talk.root is None and talk.incident is None and not outbox.known(tx.conn, keys.root(talk.id)):
            outbox.mark(tx, talk, keys.root(talk.id))
        for used in _used(tx, id):
            outbox.mark(tx, talk, keys.approval(used))
            seconds.again(tx, used, id)
        outbox.mark(tx, talk, keys.plan(id, current(tx.conn, id)))
        run = runs.load(tx.conn, id)
        if any(one.kind == "run.finished" and one.chain == runs.chain(id) for one in tx.entries):
            _whole(tx, talk, run)
        about = _ours(conversations.of_incident(tx.conn, run.incident)) if run.over and run.incident else None
        if about is not None and run.incident is not None:
            outbox.mark(tx, about, keys.incident(run.incident))


def _whole(tx: Tx, talk: Conversation, run: Run) -> None:
    """Share as a file the answer that no message can hold."""
    text = answer.whole(run)
    if text is not None:
        names = {"filename": "answer.md", "title": "The whole answer"}
        outbox.file(
            tx, talk, {**names, "content": text, "comment": "The answer in full, which is too long for a message."}
        )


def _apart(tx: Tx, what: str, note: Callable[[], T]) -> T | None:
    """Do something that may break by itself; None where it does, and the change it tells of stands all the same.

    What ends the transaction, or has it run again, is raised on.
    """
    point = Savepoint(tx)
    try:
        found = note()
    except InvalidRequest as odd:
        log.warning("in Slack %s: %s", what, odd)
    except Exception as bug:  # ours, while drawing: it must not undo a vote, an alert or an effect
        if isinstance(bug, DBAPIError) and not refused(bug):
            raise
        log.exception("in Slack %s, reference %s", what, new_id("err"))
    else:
        point.release()
        return found
    point.undo()
    return None


def _ours(talk: Conversation | None) -> Conversation | None:
    return talk if talk is not None and talk.surface == SURFACE else None


def _posted_before(tx: Tx, run: str, stretch: int) -> Iterator[str]:
    """Yield the plan that the approval has ended, if it is a message that can be changed without a trace."""
    key = keys.plan(run, stretch - 1)
    stands = outbox.message(tx.conn, key) if stretch > 1 else None
    if stands is not None and stands.kind == "post":
        yield key


def _used(tx: Tx, run: str) -> Iterator[str]:
    """Yield the approvals whose effect has come to something in this unit, which their cards say."""
    ended = [one for one in tx.entries if one.chain == runs.chain(run) and one.kind in _COMES_TO]
    for call in dict.fromkeys(str(json.loads(one.body)["call"]) for one in ended):
        approval = approvals.newest_for(tx.conn, run, call)
        if approval is not None and approval.state is ApprovalState.CONSUMED:
            yield approval.id


def _joined_since(tx: Tx, id: str, tag: str) -> int | None:
    """Return since when alerts are to be counted; None where the thread has told of some a moment ago."""
    last = outbox.told(tx.conn, tag)
    if last is not None and last.state == "pending" and last.payload is not None:
        return int(last.payload["since"])
    since = last.created_at if last is not None else _began(tx, id)
    return since if tx.now() - since >= JOINED_EVERY_MS else None


def _began(tx: Tx, id: str) -> int:
    """Return when an incident began: with the alert that opened it, which is not one more."""
    it = incidents.head(tx.conn, id)
    first = tx.conn.scalar(_joins(func.min(t.audit.c.ts), id)) if it.opened_by is None else None
    return int(first or it.opened_at)


def _count_joined(tx: Tx, id: str, since: int) -> int:
    return int(tx.conn.scalar(_joins(func.count(), id).where(t.audit.c.ts > since)) or 0)


def _joins(what: Any, id: str) -> Select[Any]:
    return select(what).where(t.audit.c.chain == incidents.chain(id), t.audit.c.kind == "incident.joined")


def _said(tx: Tx, talk: Conversation, text: str, actor: str | None) -> dict[str, Any]:
    """Return one line of an incident's thread."""
    person = actor if actor is not None and not actor.startswith("service:") else None
    shown = entry(Moment(tx.now(), text, person), names(tx.conn, talk.team), Links())
    return {"text": shown.text, "blocks": shown.blocks}


def _mode_changed(tx: Tx) -> bool:
    return any(one.kind.startswith("mode.") for one in tx.entries)


def _homes(tx: Tx) -> None:
    """Note the pages of everybody who has looked at theirs a moment ago."""
    seen = members.seen_since(tx.conn, tx.now() - SEEN_MS)[:MOST_HOMES]
    pages = [keys.home(*one.id.removeprefix("slack:").partition(".")[::2]) for one in seen]
    if pages:
        outbox.homes(tx, pages, delay_ms=HOME_DELAY_MS)
