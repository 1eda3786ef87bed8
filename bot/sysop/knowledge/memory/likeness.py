"""How alike a past incident is to another one, without reading a word of either."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sysop.knowledge.memory.recall import Memory

_ALERTS: Final = 0.6
_SERVICES: Final = 0.4
_ELSEWHERE: Final = 0.7


def likeness(
    memory: Memory, alerts: Collection[str], services: Collection[str], environment: str | None = None
) -> float:
    """Return how alike a past incident is to what is known of another, from 0 to 1.

    It is 0.6 x the overlap of alert names + 0.4 x the overlap of services, x 0.7 where both name an environment and
    not the same one. The overlap of two sets is the mean of the part of ours that it had and the part of all that
    both have: what has just begun has fewer alerts than what is over. Where neither names a service, the alerts
    alone decide. So the same alerts on the same services are 1.0, and services alone never more than 0.4.
    """
    document = memory.document
    ours, theirs = set(alerts), set(document.alerts)
    part = _overlap(ours, theirs)
    if part == 0.0 and not set(services) & set(document.services):
        return 0.0
    there = _overlap(set(services), set(document.services))
    whole = part if not services and not document.services else _ALERTS * part + _SERVICES * there
    elsewhere = bool(environment and document.environments and environment not in document.environments)
    return whole * (_ELSEWHERE if elsewhere else 1.0)


def _overlap(ours: set[str], theirs: set[str]) -> float:
    both = len(ours & theirs)
    return (both / len(ours) + both / len(ours | theirs)) / 2 if both else 0.0
