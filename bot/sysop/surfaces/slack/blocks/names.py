"""How people are shown: as members of the workspace where it knows them, else by the name Sysop knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import styled
from sysop.surfaces.slack.text import mrkdwn, one_line, word

_USER: Final = re.compile(r"[UW][A-Z0-9]{2,}")
MOST: Final = 6
"""So many people a list names; a mention tells each of them."""

_LONG: Final = 32


@dataclass(frozen=True, slots=True)
class Names:
    """User ids of one workspace by actor id, such as `person:lead` or `slack:T1.U1`."""

    team: str = ""
    users: Mapping[str, str] = field(default_factory=dict)

    def user(self, actor: str) -> str | None:
        """Return the user id of an actor in this workspace."""
        found = self.users.get(actor, "")
        if actor.startswith(f"slack:{self.team}."):
            found = actor.removeprefix(f"slack:{self.team}.")
        return found if _USER.fullmatch(found) else None

    def mrkdwn(self, actor: str) -> str:
        """Return a mention, or a name that mentions nobody."""
        user = self.user(actor)
        return (
            f"<@{user}>"
            if user
            else (word(_name(actor)) if len(_name(actor)) <= _LONG else None)
            or mrkdwn(one_line(_name(actor), _LONG), Links())
        )

    def element(self, actor: str) -> dict[str, Any]:
        """Return the same for rich text."""
        user = self.user(actor)
        return {"type": "user", "user_id": user} if user else styled(one_line(_name(actor), _LONG) or "–", "bold")

    def several(self, actors: Iterable[str]) -> str:
        """Return a list of people as mrkdwn, each once."""
        every = self.distinct(actors)
        more = f" and {len(every) - MOST} more" if len(every) > MOST else ""
        return ", ".join(map(self.mrkdwn, every[:MOST])) + more

    def elements(self, actors: Iterable[str]) -> list[dict[str, Any]]:
        """Return the same for rich text."""
        every = self.distinct(actors)
        found: list[dict[str, Any]] = []
        for actor in every[:MOST]:
            found += [styled(", "), self.element(actor)] if found else [self.element(actor)]
        return [*found, styled(f" and {len(every) - MOST} more")] if len(every) > MOST else found

    def distinct(self, actors: Iterable[str]) -> Sequence[str]:
        """Return actors without a second id of the same person: an account, or the uid beside a person's name."""
        every = list(actors)
        seen: dict[str, str] = {}
        for actor in every:
            seen.setdefault(self.user(actor) or actor, actor)
        return [actor for actor in seen.values() if not actor.startswith("os:")] or every[:1]


def _name(actor: str) -> str:
    kind, _, name = actor.partition(":")
    return name if name and kind in ("person", "service") else actor
