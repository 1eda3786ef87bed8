"""How loud an alert is by its own label, and how much that is worth as evidence."""

from __future__ import annotations

from sysop.incidents.correlation.knobs import SEVERITIES

UNSAID = SEVERITIES.index("warning")
_OTHER_WORDS = {
    "ok": 0,
    "debug": 1,
    "notice": 1,
    "low": 1,
    "information": 1,
    "informational": 1,
    "warn": 2,
    "minor": 2,
    "medium": 2,
    "err": 3,
    "major": 3,
    "high": 3,
    "crit": 4,
    "fatal": 4,
    "urgent": 4,
    "emergency": 5,
    "disaster": 5,
}
_RANKS = {**{word: rank for rank, word in enumerate(SEVERITIES)}, **_OTHER_WORDS}


def rank(severity: str | None) -> int:
    """Return the place of a severity in `SEVERITIES`; a warning's where nothing, or an unknown word, is said."""
    return _RANKS.get((severity or "").strip().lower(), UNSAID)


def said(severity: str | None) -> bool:
    """Tell whether this is a severity that somebody knows."""
    return (severity or "").strip().lower() in _RANKS


def credit(severity: str | None) -> float:
    """Return how much an alert counts as evidence: none not at all, information half, all else in full."""
    return (0.0, 0.5)[place] if (place := rank(severity)) < 2 else 1.0
