"""Who people are and which roles they hold right now."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from sysop.errors import SettingsError
from sysop.model import Actor
from sysop.sections import Person
from sysop.store import members
from sysop.store.members import Member
from sysop.store.store import Store
from sysop.store.writer import Tx

FRESH_S = 60.0
STALE_S = 300.0
AGAIN_S = 10.0
"""A surface that does not answer is not asked again at every call of every run."""
MEMBER_MS = 60_000
"""So long what a chat surface said of an account counts."""

Lookup = Callable[[Sequence[str]], Awaitable[None]]
"""Asks a chat surface about accounts and stores what it says; an account it cannot ask about stays as it is."""

log = logging.getLogger(__name__)


class People:
    """The `people:` of the settings, read again at most a minute later, so that a role taken away counts.

    While the file cannot be read, half saved say, the last good people count for five minutes; then nobody does.
    Accounts of a chat surface come beside them, as `refresh` has read them last; what the surface said of one more
    than a minute ago gives no role.
    """

    def __init__(
        self, load: Callable[[], Mapping[str, Person]], store: Store | None = None, *, fresh_s: float = FRESH_S
    ) -> None:
        self._load = load
        self._store = store
        self._fresh_s = fresh_s
        self._read_at = float("-inf")
        self._people: Mapping[str, Person] = {}
        self._members: Sequence[Member] = ()
        self._members_now = 0.0  # the database's time at the last refresh, less the monotonic clock's
        self._lookup: Lookup | None = None
        self._looked_up: dict[str, float] = {}

    def ask(self, lookup: Lookup) -> None:
        """Let a chat surface be asked about accounts whose rows are old."""
        self._lookup = lookup

    async def refresh(self, actors: Iterable[str] = ()) -> None:
        """Read the accounts again, before roles decide something; old ones of these actors are asked about first."""
        if self._store is None:
            return
        await self._read_members()
        wanted = set(actors)
        old = [one.id for one in self._members if one.actor in wanted and not self._counts(one, MEMBER_MS / 2)]
        known = {one.actor for one in self._members}
        old += [actor for actor in wanted if actor.startswith("slack:") and actor not in known]
        now = time.monotonic()
        due = sorted(id for id in old if now - self._looked_up.get(id, float("-inf")) > AGAIN_S)
        if due and self._lookup is not None:
            self._looked_up |= dict.fromkeys(due, now)
            await self._lookup(due)
            await self._read_members()

    async def _read_members(self) -> None:
        assert self._store is not None
        self._members, now = await self._store.read(lambda conn: (members.everybody(conn), Tx(conn).now()))
        self._members_now = now - time.monotonic() * 1000

    def _counts(self, member: Member, within_ms: float = MEMBER_MS) -> bool:
        return self._members_now + time.monotonic() * 1000 - member.checked_at < within_ms

    def _current(self) -> Mapping[str, Person]:
        age = time.monotonic() - self._read_at
        if age > self._fresh_s:
            try:
                self._people, self._read_at = self._load(), time.monotonic()
            except SettingsError:
                if self._read_at == float("-inf"):
                    raise
                log.exception("the people in the settings cannot be read again")
                if age > self._fresh_s + STALE_S:
                    return {}
        return self._people

    def by_uid(self, uid: int) -> Actor:
        """Return the person an operating-system user is; an unmapped one has no roles and is nobody's approver."""
        for name, person in self._current().items():
            if person.uid == uid:
                return replace(self.by_name(name), uid=uid)
        return Actor(f"os:{uid}", uid=uid)

    def by_name(self, name: str) -> Actor:
        """Return a person by name, without roles if unknown."""
        person, id = self._current().get(name), f"person:{name}"
        if person is None:
            return Actor(id)
        mine = [
            one.id for one in self._members if id == one.actor or (person.slack and one.id.endswith(f".{person.slack}"))
        ]
        return Actor(id, frozenset(person.roles), human=True, accounts=tuple(mine))

    def by_member(self, member: Member) -> Actor:
        """Return who an account acts as; guests, bots and strangers are nobody's approver."""
        roles = self.roles_of(member.actor) if member.human else frozenset()
        return Actor(member.actor, roles, human=member.human, accounts=(member.id,))

    def called(self, actor: str) -> str:
        """Return an actor's name for showing to people."""
        account = next((one for one in self._members if one.actor == actor and actor.startswith("slack:")), None)
        return account.name if account else actor.partition(":")[2]

    def by_slack(self, user: str) -> str | None:
        """Return the name of the person the settings say a Slack user is."""
        return next((name for name, person in self._current().items() if person.slack == user), None)

    def slack_users(self) -> tuple[str, ...]:
        """Return the Slack users to whom the settings give a role by name."""
        return tuple(one.slack for one in self._current().values() if one.slack and one.roles)

    def roles_of(self, actor: str) -> frozenset[str]:
        """Return the roles an actor id holds now; only people hold any."""
        account = next((one for one in self._members if one.id == actor), None)
        if account is not None and account.actor != actor:
            return self.roles_of(account.actor)
        kind, _, name = actor.partition(":")
        given = [one.roles for one in self._members if one.actor == actor and one.human and self._counts(one)]
        return frozenset().union(self.by_name(name).roles if kind == "person" else (), *given)

    def holding(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the actor ids of everybody who could be asked, as last known: nothing is decided by this."""
        wanted = set(roles)
        people = {f"person:{name}" for name, person in self._current().items() if set(person.roles) & wanted}
        return tuple(sorted(people | {one.actor for one in self._members if one.human and set(one.roles) & wanted}))
