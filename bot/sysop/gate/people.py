"""Who people are and which roles they hold right now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from sysop.errors import SettingsError
from sysop.model import Actor
from sysop.settings import Person

FRESH_S = 60.0
STALE_S = 300.0

log = logging.getLogger(__name__)


class People:
    """The `people:` of the settings, read again at most a minute later, so that a role taken away counts.

    While the file cannot be read, half saved say, the last good people count for five minutes; then nobody does.
    """

    def __init__(self, load: Callable[[], Mapping[str, Person]], *, fresh_s: float = FRESH_S) -> None:
        self._load = load
        self._fresh_s = fresh_s
        self._read_at = float("-inf")
        self._people: Mapping[str, Person] = {}

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
        person = self._current().get(name)
        return Actor(f"person:{name}", frozenset(person.roles), human=True) if person else Actor(f"person:{name}")

    def roles_of(self, actor: str) -> frozenset[str]:
        """Return the roles an actor id holds now; only people hold any."""
        kind, _, name = actor.partition(":")
        return self.by_name(name).roles if kind == "person" else frozenset()

    def holding(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of everybody who holds one of these roles."""
        return tuple(sorted(name for name, person in self._current().items() if set(person.roles) & set(roles)))
