"""What people write into memory: a report, a correction, that it shall forget, and whether what was shown helped."""

from __future__ import annotations

from typing import Final, get_args

from sysop.errors import InvalidRequest, NotAllowed
from sysop.model import Actor
from sysop.store import bygone, incidents, notes, questions, ratings, runs
from sysop.store.notes import Kind, Notes
from sysop.store.questions import Question
from sysop.store.ratings import Verdict
from sysop.store.store import Store
from sysop.store.writer import Tx

MOST_BYTES: Final = 16_384
MOST_SHOWN: Final = 500
MOST_NOTE: Final = 1000


class Notebook:
    """Writes into memory for people. Every method is durable on return; nothing that was written is ever changed.

    What is written about an incident that was merged into another is about that one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def report(self, incident: str, actor: Actor, text: str) -> str:
        """Keep the post-incident report in place of an earlier one; return the incident that it is about."""
        return await self._note(incident, "report", actor, _checked(text))

    async def correct(self, incident: str, actor: Actor, text: str) -> str:
        """Keep what a person knows better than the rows, in place of what was said before; return the incident."""
        return await self._note(incident, "correction", actor, _checked(text))

    async def forget(self, incident: str, actor: Actor, reason: str = "") -> str:
        """Let an incident teach nothing from now on; return it. Raises InvalidRequest where it is forgotten already."""
        return await self._note(incident, "forget", actor, _fits(reason, "reason"))

    async def remember(self, incident: str, actor: Actor, reason: str = "") -> str:
        """Take `forget` back and return the incident. Raises InvalidRequest for one that nobody said to forget."""
        return await self._note(incident, "remember", actor, _fits(reason, "reason"))

    async def _note(self, incident: str, kind: Kind, actor: Actor, text: str) -> str:
        _check_role(actor)

        def unit(tx: Tx) -> str:
            incidents.lock(tx)
            whole = incidents.standing(tx.conn, incident)
            _check_follows(kind, whole, notes.of(tx.conn, whole))
            notes.add(tx, whole, kind, text, actor.id)
            return whole

        return await self._store.write(unit)

    async def rate(self, subject: str, shown: str, actor: Actor, verdict: Verdict, note: str = "") -> None:
        """Keep one person's word on what was shown for an incident or a run: a page's citation or a memory's.

        The newest word of each person on the same thing counts, and one that was said last already is not written
        again. Raises NoSuch for an unknown subject or memory.
        """
        if verdict not in get_args(Verdict):
            raise InvalidRequest(f"verdict: {verdict!r} is neither helpful nor wrong")
        if not shown.strip() or len(shown) > MOST_SHOWN:
            raise InvalidRequest(f"shown: name the page or incident that was shown, in at most {MOST_SHOWN} characters")
        note = _fits(note, "note", MOST_NOTE)

        def unit(tx: Tx) -> None:
            if shown.startswith(bygone.shown_as("")):
                incidents.head(tx.conn, shown.removeprefix(bygone.shown_as("")))
            chain = _chain(tx, subject)
            if ratings.newest(tx.conn, subject, shown, actor.id) == (verdict, note):
                return
            ratings.give(tx, chain, subject, shown, verdict, actor.id, note)

        await self._store.write(unit)

    async def unanswered(self, text: str, place: str, nearest: str = "") -> str | None:
        """Put a question that no page answers on the list of whoever owns the runbooks; None for one without a word.

        `nearest` is the citation of the page that came nearest.
        """
        return await self._store.write(lambda tx: questions.ask(tx, text, place[:MOST_SHOWN], nearest[:MOST_SHOWN]))

    async def answered(self, question: str, actor: Actor) -> Question:
        """Take a question off the list because a page answers it now. Asked in vain again, it comes back."""
        _check_role(actor)
        return await self._store.write(lambda tx: questions.decide(tx, question, "answered", actor.id))

    async def dismiss(self, question: str, actor: Actor) -> Question:
        """Take a question off the list for good."""
        _check_role(actor)
        return await self._store.write(lambda tx: questions.decide(tx, question, "dismissed", actor.id))


def _check_role(actor: Actor) -> None:
    if not actor.roles:
        raise NotAllowed("only a person with a role can say what is remembered; nothing was written")


def _check_follows(kind: Kind, incident: str, known: Notes) -> None:
    if kind == "forget" and known.forgotten is not None:
        raise InvalidRequest(f"{incident} is forgotten already")
    if kind == "remember" and known.forgotten is None:
        raise InvalidRequest(f"nobody said to forget {incident}")


def _checked(text: str) -> str:
    if not text.strip():
        raise InvalidRequest("text: there is nothing in it; write what others should know")
    return _fits(text.strip(), "text")


def _fits(text: str, field: str, most: int = MOST_BYTES) -> str:
    if len(text.encode(errors="replace")) > most:
        raise InvalidRequest(f"{field}: longer than {most:,} bytes; shorten it, or name where it can be read")
    return text


def _chain(tx: Tx, subject: str) -> str:
    """Return the audit chain of an incident or a run. Raises NoSuch where it is neither."""
    if incidents.heads(tx.conn, [subject]):
        return incidents.chain(subject)
    return runs.chain(runs.load(tx.conn, subject).id)
