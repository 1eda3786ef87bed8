"""What kind of answer a question wants: pages of operations say what to do, not who decides, or what to buy."""

from __future__ import annotations

import re
from typing import Final

_PERSON: Final = re.compile(r"\b(?:who|whose|whom|which (?:team|person|colleague|manager))\b", re.I)
_REQUEST: Final = re.compile(
    r"\b(?:(?:can|may|could) (?:i|we|you|somebody|someone|anyone)"
    r"|where (?:do|can|should) (?:i|we)|where (?:is|are) (?:the|our|my)"
    r"|(?:do|can|should|to) (?:i |we )?(?:install|order|book|buy|join|learn|apply|register|subscribe|request)"
    r"|my (?:own |new |old )?(?:password|laptop|account|mailbox|phone|badge|desk|contract|salary))\b",
    re.I,
)
_ADVICE: Final = re.compile(
    r"\b(?:difference between|what(?:['’]?s| is| are) (?:the |our )?"
    r"(?:difference|plan|policy|roadmap|best|right|recommended|meaning|point|process)"
    r"|best (?:way|practice|practices)|which \w+(?: \w+)? (?:should|would|do) (?:i|we|you)"
    r"|should (?:i|we) (?:use|choose|pick|buy)"
    r"|pros and cons|when (?:is|are|will|do|does) (?:the|we|our|my))\b",
    re.I,
)
_ASKED: Final = re.compile(r"^\W*(?:how|where|what|when|who|which|should|can|is there|are there|do we)\b", re.I)


def intents(text: str) -> tuple[float, ...]:
    """Return what a question asks for, 1 or 0 each: a person, a thing to be had, advice or a plan; any question."""
    return tuple(float(known.search(text) is not None) for known in (_PERSON, _REQUEST, _ADVICE, _ASKED))
