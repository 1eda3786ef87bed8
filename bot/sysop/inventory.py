"""What the company runs: services, environments, owners and dependencies. The closed domains of arguments."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `depends_on` names the services it calls."""

    name: str
    environment: str = "production"
    owner: str = ""
    description: str = ""
    depends_on: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inventory:
    """All services by name. Empty when nothing is declared, then any name is accepted."""

    services: Mapping[str, Service] = field(default_factory=dict)
    default_environment: str = "production"

    @property
    def environments(self) -> tuple[str, ...]:
        """Return every environment a service lives in, and the default one."""
        return tuple(sorted({s.environment for s in self.services.values()} | {self.default_environment}))

    def domain(self, name: str) -> tuple[str, ...]:
        """Return the members of a closed domain (`service`, `environment`); empty means open."""
        if not self.services:
            return ()
        return tuple(sorted(self.services)) if name == "service" else self.environments if name == "environment" else ()

    def environment_of(self, service: str | None) -> str:
        """Return where a service lives; the default environment for an unknown one."""
        found = self.services.get(service or "")
        return found.environment if found else self.default_environment

    def dependents(self, service: str) -> tuple[str, ...]:
        """Return the services that call this one, directly or through others, nearest first."""
        seen: list[str] = []
        edge = [service]
        while edge:
            edge = sorted(
                s.name
                for s in self.services.values()
                if s.name not in seen and s.name != service and set(s.depends_on) & set(edge)
            )
            seen.extend(edge)
        return tuple(seen)

    def distance(self, one: str, other: str) -> int | None:
        """Return how many calls lie between two services in either direction, None if none lead there."""
        if one == other:
            return 0
        reached, edge, steps = {one}, {one}, 0
        while edge:
            steps += 1
            edge = {n for s in edge for n in self._neighbours(s)} - reached
            if other in edge:
                return steps
            reached |= edge
        return None

    def _neighbours(self, service: str) -> set[str]:
        found = self.services.get(service)
        callers = {s.name for s in self.services.values() if service in s.depends_on}
        return callers | set(found.depends_on if found else ())


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for a misspelt word, else the known words, else nothing."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}" if names else ""
