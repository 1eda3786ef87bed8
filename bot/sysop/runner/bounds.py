"""How much a conclusion may hold: it is stored, told and read again by later runs, whichever planner wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from sysop.model import Claim, Conclusion

MAX_TEXT: Final = 32_000
MAX_ENTRY: Final = 2000
MAX_ENTRIES: Final = 200
MAX_LIST: Final = 40_000
_WORD: Final = 20

T = TypeVar("T")


def bounded(conclusion: Conclusion) -> Conclusion:
    """Return a conclusion that is not too long in any part; what is cut says how much is missing."""
    claims, left_claims = _fitting(conclusion.claims, _size)
    proposed, left_proposed = _fitting([_cut(text, MAX_ENTRY) for text in conclusion.proposed], len)
    unchecked, left_unchecked = _fitting([_cut(text, MAX_ENTRY) for text in conclusion.not_checked], len)
    left = {"claims": left_claims, "proposals": left_proposed, "entries of this list": left_unchecked}
    return replace(
        conclusion,
        summary=_cut(conclusion.summary, MAX_TEXT),
        cause=_cut(conclusion.cause, MAX_TEXT),
        confidence=conclusion.confidence[:_WORD],
        basis=_cut(conclusion.basis, MAX_TEXT),
        claims=[Claim(_cut(claim.text, MAX_ENTRY), claim.evidence) for claim in claims],
        proposed=proposed,
        not_checked=[*unchecked, *(f"{count} more {what} were left out" for what, count in left.items() if count)],
        escalate=_cut_if_any(conclusion.escalate),
        degraded=_cut_if_any(conclusion.degraded),
    )


def _fitting(entries: Sequence[T], size: Callable[[T], int]) -> tuple[list[T], int]:
    """Return the first entries, as many as may stand together, and how many are left out."""
    taken: list[T] = []
    room = MAX_LIST
    for entry in entries[:MAX_ENTRIES]:
        room -= size(entry)
        if room < 0:
            break
        taken.append(entry)
    return taken, len(entries) - len(taken)


def _size(claim: Claim) -> int:
    return min(len(claim.text), MAX_ENTRY) + sum(map(len, claim.evidence))


def _cut_if_any(text: str | None) -> str | None:
    return None if text is None else _cut(text, MAX_TEXT)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    note = f" [… {len(text) - limit} more characters were left out]"
    return f"{text[:limit]}{note}"
