"""What policy is asked about a call."""

from __future__ import annotations

from dataclasses import dataclass

from sysop.model import Origin, Risk


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a rule can look at."""

    action: str
    risk: Risk
    environment: str
    target: str
    roles: frozenset[str]
    origin: Origin
    now: int
