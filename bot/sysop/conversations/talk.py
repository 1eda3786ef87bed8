"""Each thread is one conversation with memory. What a message does is decided in one transaction, under its lock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal

from sysop.conversations.fate import GREETINGS, Fate, Words, bare, fate, words_of
from sysop.conversations.stopping import NOTHING, Stopped, stop_all, withdraw
from sysop.conversations.under_way import HOW, elsewhere, still
from sysop.errors import InvalidRequest
from sysop.gate.people import People
from sysop.model import Actor, Origin, Request, Run
from sysop.redact import redact_value
from sysop.store import conversations, incidents, runs
from sysop.store.conversations import Conversation
from sysop.store.store import Store
from sysop.store.writer import Tx

MAX_TEXT: Final = 8000
MAX_FOLLOW_UP: Final = 24_000
LOOKS: Final = 3
"""So many questions are looked into at once beside a run that waits for people."""

Kind = Literal["run", "queued", "looking", "revoked", "stopped", "repeat", "refused", "thanks"]

_NEVER = (
    "Words never decide on a change: use the buttons of its card, or `/sysop approve ID` or `/sysop deny ID REASON`."
)
_NONE = "Nothing here waits for a decision, and words never decide on a change. Say in a sentence what you want."
_BUSY = f"{LOOKS} questions are being looked into already; ask again once one is answered."
_LOOKING = "I look into this and change nothing for it."
_HELLO = "Hello. Say what is wrong, or what I should look at."


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a message. `run` is the run it started or belongs to; `text` is for who wrote it, if not empty."""

    kind: Kind
    run: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A conversation and the run of its first message, None where that started none: then `heard` says why."""

    conversation: Conversation
    run: str | None
    heard: Heard


@dataclass(frozen=True, slots=True)
class _Message:
    """What somebody said. `looks_only`: whatever it asks for, it can change nothing. `wish` names one call instead.

    `also` are those whose words it quotes.
    """

    ts: str
    actor: Actor
    text: str
    looks_only: bool = False
    wish: Mapping[str, Any] = field(default_factory=dict)
    also: Sequence[str] = ()


class Conversations:
    """Begins conversations and hears what is said in them. It knows no surface; every method is durable on return."""

    def __init__(self, store: Store, people: People, planner_of: Callable[[Request], str]) -> None:
        self._store = store
        self._people = people
        self._planner_of = planner_of

    async def begin(
        self,
        *,
        surface: str,
        team: str,
        channel: str,
        root: str | None,
        actor: Actor,
        text: str,
        title: str,
        delivery: str,
        incident: str | None = None,
        ts: str | None = None,
        action: str | None = None,
        args: Mapping[str, Any] | None = None,
        read_only: bool = False,
        also: Sequence[str] = (),
    ) -> Begun:
        """Begin a conversation with its first run; the same `delivery` or message again gives what it gave first.

        A thread that is one of ours, and an incident that has a conversation, go on with it instead. With `action` the
        run is that one call. `also` are the ids of those whose words the text quotes. Raises InvalidRequest for an
        unknown incident, and for a call while a run is under way.
        """
        wish = {"action": action, "args": dict(args or {})} if action else {}
        if redact_value(wish) != wish:
            raise InvalidRequest("the arguments hold what looks like a credential; name a secret instead")
        quoted = [who for who in also if who not in actor.ids]
        message = _Message(ts or root or delivery, actor, cut(text), read_only, wish, quoted)
        place = {"surface": surface, "team": team, "channel": channel, "root": root, "incident": incident}

        def unit(tx: Tx) -> Begun:
            if incident is not None:
                incidents.load(tx.conn, incident)
            known = conversations.ensure(tx, _id(delivery), owner=actor.id, title=title, **place)  # type: ignore[arg-type]
            talk = conversations.lock(tx, known.id)
            heard = self._take_in(tx, talk, message)
            return Begun(conversations.load(tx.conn, talk.id), heard.run, heard)

        await self._know(message)
        return await self._store.write(unit)

    async def hear(self, conversation: str, ts: str, actor: Actor, text: str, *, read_only: bool = False) -> Heard:
        """Take in a message of a thread, once per `ts`. With `read_only` it can ask and never steer or change."""
        message = _Message(ts, actor, cut(text), read_only)
        await self._know(message)
        return await self._store.write(lambda tx: self._take_in(tx, conversations.lock(tx, conversation), message))

    async def stop(self, conversation: str, actor: Actor) -> Stopped:
        """Stop everything the conversation has under way, at the next safe point. Asked again, it changes nothing."""
        await self._people.refresh((actor.id,))
        return await self._store.write(
            lambda tx: stop_all(tx, conversations.lock(tx, conversation), actor, self._people.roles_of)
        )

    async def tick(self) -> None:
        """Make one run of all that was said to each run that has ended without taking it up."""
        for id in await self._store.read(conversations.waiting):
            turns = await self._store.read(partial(conversations.queued, conversation=id))
            await self._people.refresh({turn.actor for turn in turns})
            await self._store.write(partial(self._follow_up, id=id))

    async def _know(self, message: _Message) -> None:
        if words_of(message.text) in (Words.STOP, Words.STOP_WORK):
            await self._people.refresh((message.actor.id,))

    # -- under the conversation's lock ------------------------------------------------------------------------------

    def _take_in(self, tx: Tx, talk: Conversation, said: _Message) -> Heard:
        if not conversations.add_turn(tx, talk.id, said.ts, said.actor.id, said.text):
            turn = conversations.turn(tx.conn, talk.id, said.ts)
            return Heard("repeat", turn.run if turn else None)
        main = runs.lock(tx, talk.run) if talk.run else None
        if said.wish:
            return self._call(tx, talk, said, main)
        awaited = main is not None and bool(runs.awaited(tx.conn, main.id))
        what = fate(main.state if main else None, awaited, words_of(said.text))
        if what in (Fate.RUN, Fate.QUEUE) and said.looks_only:
            what = Fate.LOOK
        if what is Fate.QUEUE:
            assert main is not None
            if said.also:
                runs.join(tx, main.id, said.also, said.text)
            heard = f"Heard. {main.id} takes it up as soon as it can. {still(tx.conn, main)}"
            return Heard("queued", main.id, heard)
        if what in (Fate.RUN, Fate.LOOK):
            return self._ask(tx, talk, said, what, still(tx.conn, main))
        run = main.id if main is not None and not main.over else None
        conversations.settle(tx, talk.id, [said.ts], "answered", run)
        return self._answer(tx, talk, said, what, main)

    def _call(self, tx: Tx, talk: Conversation, said: _Message, main: Run | None) -> Heard:
        if main is not None and not main.over:
            raise InvalidRequest(f"{main.id} is under way here; wait for its end, or ask for this in another thread")
        return self._ask(tx, talk, said, Fate.RUN)

    def _ask(self, tx: Tx, talk: Conversation, said: _Message, what: Fate, beside: str = "") -> Heard:
        looks = what is Fate.LOOK
        if looks and sum(run.read_only for run in conversations.under_way(tx.conn, talk.id)) >= LOOKS:
            conversations.settle(tx, talk.id, [said.ts], "answered", None)
            return Heard("refused", None, f"{_BUSY} {beside}".strip())
        run = self._start(tx, talk, said.actor, said.text, read_only=looks, **said.wish)
        if said.also:
            runs.join(tx, run, said.also, said.text)
        conversations.settle(tx, talk.id, [said.ts], "taken", run)
        about = _elsewhere(talk, _about(tx, talk))
        if not looks:
            return Heard("run", run, about)
        return Heard("looking", run, " ".join(filter(None, (f"{_LOOKING} {beside}" if beside else "", about))))

    def _answer(self, tx: Tx, talk: Conversation, said: _Message, what: Fate, main: Run | None) -> Heard:
        run = main.id if main is not None and not main.over else None
        if what is Fate.NOTHING:
            return Heard("thanks", None, _HELLO if bare(said.text) in GREETINGS else "")
        if what is Fate.REFUSE:
            return Heard("refused", run, f"{_NEVER} {HOW}" if run and runs.awaited(tx.conn, run) else _NONE)
        if what is Fate.REVOKE:
            assert main is not None
            done, refused = withdraw(tx, main, said.actor, self._people.roles_of)
            return Heard("revoked" if done else "refused", main.id, "\n".join([*done, *refused]))
        stopped = stop_all(tx, talk, said.actor, self._people.roles_of)
        text = stopped.text if stopped.text != NOTHING else f"{NOTHING} {elsewhere(tx.conn, talk, said.actor)}".strip()
        return Heard("stopped" if stopped.ended or stopped.stopping else "refused", run, text)

    def _start(self, tx: Tx, talk: Conversation, actor: Actor, text: str, **wish: Any) -> str:
        request = Request(
            actor=actor,
            origin=Origin.ASKED,
            place=f"{talk.surface}:{talk.team}/{talk.channel}",
            text=text,
            incident=_about(tx, talk),
            conversation=talk.id,
            **wish,
        )
        run = runs.create(tx, request, self._planner_of(request))
        if not request.read_only:
            conversations.set_run(tx, talk.id, run)
        return run

    def _follow_up(self, tx: Tx, id: str) -> None:
        talk = conversations.lock(tx, id)
        turns = conversations.queued(tx.conn, id)
        if not turns or (talk.run is not None and not runs.lock(tx, talk.run).over):
            return
        first = Actor(turns[0].actor, self._people.roles_of(turns[0].actor))
        run = self._start(tx, talk, first, cut("\n\n".join(turn.text for turn in turns), MAX_FOLLOW_UP))
        for turn in turns:
            runs.join(tx, run, conversations.ids_of(tx.conn, turn.actor), turn.text)
        conversations.settle(tx, id, [turn.ts for turn in turns], "taken", run)


def _about(tx: Tx, talk: Conversation) -> str | None:
    """Return the incident that a thread is about: of one that was merged away, the one it is part of."""
    return incidents.standing(tx.conn, talk.incident) if talk.incident is not None else None


def _elsewhere(talk: Conversation, about: str | None) -> str:
    return "" if about == talk.incident else f"{talk.incident} is part of {about} by now; I go by that one."


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text that is no longer than the limit, with a note of how much is missing."""
    text = text.strip()
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[… {len(text) - limit} more characters were left out …]"


def _id(delivery: str) -> str:
    """Return the id of the conversation that a delivery begins: the same delivery begins the same one."""
    return f"conv-{hashlib.sha256(delivery.encode()).hexdigest()[:20]}"
