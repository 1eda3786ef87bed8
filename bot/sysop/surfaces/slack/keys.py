"""Keys of messages: each names one message of a conversation, whose content is read from rows when it is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sysop.errors import InvalidRequest

Kind = Literal["root", "incident", "approval", "plan", "home"]
_KEY = re.compile(r"(root|incident|approval|plan|home):([A-Za-z0-9.-]+)(?:#([1-9][0-9]{0,5}))?")

_COUNTED = ("plan", "approval")


@dataclass(frozen=True, slots=True)
class Key:
    """What a message shows. `stretch` counts the plans of one run, which is cut by every approval.

    An approval that is asked for in private has a second card among those who decide, its stretch is 2.
    """

    kind: Kind
    id: str
    stretch: int = 1

    def __str__(self) -> str:
        counted = self.kind == "plan" or self.stretch > 1
        return f"{self.kind}:{self.id}#{self.stretch}" if counted else f"{self.kind}:{self.id}"


def parse(text: str) -> Key:
    """Return the key. Raises InvalidRequest for text that is none."""
    found = _KEY.fullmatch(text)
    if found is None or (found[3] is not None and found[1] not in _COUNTED):
        raise InvalidRequest(f"{text!r} is not the key of a message")
    return Key(found[1], found[2], int(found[3] or 1))  # type: ignore[arg-type]


def root(conversation: str) -> str:
    """Return the key of the first message of a conversation that a person began."""
    return str(Key("root", conversation))


def incident(incident: str) -> str:
    """Return the key of an incident's opening card."""
    return str(Key("incident", incident))


def approval(approval: str) -> str:
    """Return the key of an approval's card."""
    return str(Key("approval", approval))


def second(approval: str) -> str:
    """Return the key of the card of an approval that is shown once more, where people can see it."""
    return str(Key("approval", approval, 2))


def plan(run: str, stretch: int = 1) -> str:
    """Return the key of what a run does between two approvals."""
    return str(Key("plan", run, stretch))


def home(team: str, user: str) -> str:
    """Return the key of somebody's Home."""
    return str(Key("home", f"{team}.{user}"))
