"""Trigger ids: one use, three seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysop.workspace.clock import Clock
from sysop.workspace.errors import SlackError
from sysop.workspace.ids import Ids

SECONDS = 3.0
_SHAPE = re.compile(r"\d+\.\d+\.[0-9a-f]+")


@dataclass
class Trigger:
    """What somebody did that lets the app open a view for them; `view` is the modal it was done in."""

    id: str
    user: str
    at: float
    view: str | None = None
    used: bool = False


class Triggers:
    """Every trigger id given out."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock, self._ids = clock, ids
        self._triggers: dict[str, Trigger] = {}

    def give(self, user: str, view: str | None = None) -> str:
        """Return a new trigger id."""
        trigger = Trigger(self._ids.trigger(), user, self._clock.steady(), view)
        self._triggers[trigger.id] = trigger
        return trigger.id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger up, or say why it is of no use."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None or not _SHAPE.fullmatch(trigger_id):
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock.steady() - trigger.at > SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger
