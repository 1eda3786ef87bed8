"""What an answer cites, checked in code: a page counts only where this run was given it or looked it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sysop.knowledge.citation import Citation, named_in, replaced
from sysop.model import Claim, Conclusion

NOT_LOOKED_UP: Final = "[a page that was not looked up]"
_SHOWN: Final = 12
_HEAD: Final = "Pages this rests on:"


@dataclass(frozen=True, slots=True)
class Thought:
    """How a model ended a run, the pages it cites as they were when it read them, and whether it knew no answer."""

    conclusion: Conclusion
    cites: tuple[Citation, ...] = ()
    unanswered: bool = False


def strangers(texts: Sequence[str], pages: Mapping[str, Citation]) -> list[str]:
    """Return what some texts cite of pages and nobody has looked up."""
    links = {one.link for one in pages.values() if one.link}
    found = dict.fromkeys(ref for text in texts for ref in named_in(text, pages))
    return [ref for ref in found if ref not in pages and ref not in links]


def struck(text: str, pages: Mapping[str, Citation]) -> str:
    """Return a text in which no page stands as cited that nobody has looked up."""
    unknown = strangers([text], pages)
    return replaced(text, unknown, NOT_LOOKED_UP) if unknown else text


def used(texts: Sequence[str], evidence: Sequence[str], pages: Mapping[str, Citation]) -> tuple[Citation, ...]:
    """Return the pages that are cited, in the order of their first mention."""
    refs = dict.fromkeys([*(ref for text in texts for ref in named_in(text, pages)), *evidence])
    return tuple(pages[ref] for ref in refs if ref in pages)


def settle(conclusion: Conclusion, pages: Mapping[str, Citation]) -> Conclusion:
    """Return a conclusion whose claims rest on the ledger, with the pages in words, and nothing else named as a page.

    A claim that rests on pages alone becomes a sentence of the summary: a page proves nothing about a case.
    """
    claims, says = [], []
    for claim in conclusion.claims:
        refs = [ref for ref in claim.evidence if ref in pages]
        rest = tuple(ref for ref in claim.evidence if ref not in pages)
        text = f"{claim.text} ({', '.join(refs)})" if refs else claim.text
        if rest or not refs:
            claims.append(Claim(struck(text, pages), rest))
        else:
            says.append(f"• {struck(text, pages)}")
    return replace(
        conclusion,
        summary="\n".join([struck(conclusion.summary, pages), *says]),
        cause=struck(conclusion.cause, pages),
        basis=struck(conclusion.basis, pages),
        claims=claims,
        proposed=[struck(text, pages) for text in conclusion.proposed],
        not_checked=[struck(text, pages) for text in conclusion.not_checked],
        escalate=struck(conclusion.escalate, pages) if conclusion.escalate else conclusion.escalate,
    )


def with_pages(conclusion: Conclusion, cites: Sequence[Citation]) -> Conclusion:
    """Return a conclusion that ends with the pages it rests on: section, revision and review of each."""
    return replace(conclusion, summary="\n".join([conclusion.summary, *listed(cites)])) if cites else conclusion


def listed(cites: Sequence[Citation]) -> list[str]:
    """Return the lines that say what pages an answer rests on, those without a fresh review marked."""
    more = [f"• … and {len(cites) - _SHOWN} more"] if len(cites) > _SHOWN else []
    return [_HEAD, *(f"• {'' if one.sound else '⚠ '}{one}" for one in cites[:_SHOWN]), *more] if cites else []


def as_plan(cites: Sequence[Citation]) -> list[dict[str, Any]]:
    """Return citations as a run's plan keeps them, for the surfaces."""
    return [one.as_json() for one in cites]
