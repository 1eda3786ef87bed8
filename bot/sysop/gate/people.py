"""Who people are and which roles they hold right now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sysop.model import Actor
from sysop.settings import Person

FRESH_S = 60.0


class People:
    """The `people:` of the settings, read again at most a minute later, so that a role taken away counts."""

    def __init__(self, load: Callable[[], Mapping[str, Person]], *, fresh_s: float = FRESH_S) -> None:
        self._load = load
        self._fresh_s = fresh_s
        self._read_at = float("-inf")
        self._people: Mapping[str, Person] = {}

    def _current(self) -> Mapping[str, Person]:
        if time.monotonic() - self._read_at > self._fresh_s:
            self._people = self._load()
            self._read_at = time.monotonic()
        return self._people

    def by_uid(self, uid: int) -> Actor:
        """Return the person an operating-system user is; an unmapped one has no roles and is nobody's approver."""
        for name, person in self._current().items():
            if person.uid == uid:
                return self.by_name(name)
        return Actor(f"os:{uid}")

    def by_name(self, name: str) -> Actor:
        """Return a person by name, without roles if unknown."""
        person = self._current().get(name)
        return Actor(f"person:{name}", frozenset(person.roles), human=True) if person else Actor(f"person:{name}")

    def roles_of(self, actor: str) -> frozenset[str]:
        """Return the roles an actor id holds now; only people hold any."""
        kind, _, name = actor.partition(":")
        return self.by_name(name).roles if kind == "person" else frozenset()

    def holding(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of everybody who holds one of these roles."""
        return tuple(sorted(name for name, person in self._current().items() if set(person.roles) & set(roles)))
