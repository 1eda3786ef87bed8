"""What pages say, in lines for people: each section with its citation, its words quoted, those asked for in bold.

A quoted line begins with `> ` and stays one line, so that nothing in a page can look like words of Sysop's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.citation import Citation
from sysop.knowledge.excerpt import Line, excerpt
from sysop.knowledge.hits import Hit
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.retrieval.words import terms
from sysop.redact import redact

MOST: Final = 3
NEAR: Final = 0.2
"""A section that fits less than this is not shown; its page is named as a possibility."""
_STATE: Final = frozenset(
    terms(
        "open incidents approvals waiting pending status state happening running alerts firing overview news summary "
        "problems issues wrong broken approve run runs everything service services system cluster"
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """A section with its citation."""

    hit: Hit
    citation: Citation


@dataclass(frozen=True, slots=True)
class Pages:
    """What pages have to a question, best first. Those that `lead` answer it; the others may."""

    asked: str
    found: Sequence[Found] = ()

    @property
    def lead(self) -> list[Found]:
        """Return those that an answer may rest on."""
        return [one for one in self.found if one.hit.leads][:MOST]

    @property
    def cites(self) -> tuple[Citation, ...]:
        """Return what an answer that shows those rests on."""
        return tuple(one.citation for one in self.lead)

    @property
    def nearest(self) -> str:
        """Return the citation of the section that comes nearest, empty where none has any of the words."""
        return self.found[0].citation.ref if self.found else ""

    def lines(self) -> list[str]:
        """Return the sections that lead; else that none does, with the nearest ones and how near they are."""
        if lead := self.lead:
            return [line for one in lead for line in self._section(one, f"{_marked(one.citation)} says:")]
        near = [one for one in self.found if one.hit.confidence >= NEAR][:MOST]
        if near:
            head = "No page answers this for sure. These sections come nearest:"
            return [head, *(line for one in near for line in self._section(one, _named(one)))]
        if self.found:
            return [f"No runbook fits. The nearest page, as a possibility: {_marked(self.found[0].citation)}."]
        return ["No runbook fits: no page has the words of this."]

    def _section(self, one: Found, head: str) -> list[str]:
        return [head, *(f"> {quoted(line)}" for line in excerpt(one.hit.section, self.asked))]


def quoted(line: Line) -> str:
    """Return a line of a page with the words that were asked for in bold."""
    return redact("".join(f"**{span.text}**" if span.found else span.text for span in line))


def about_state(text: str, services: Iterable[str]) -> bool:
    """Tell whether a question is about how things stand, which Sysop knows without any page."""
    known = _STATE | frozenset(terms(" ".join(services)))
    return set(terms(text)) <= known


def _named(one: Found) -> str:
    may = "may fit" if one.hit.confidence >= FITS else "is unlikely to fit"
    return f"{_marked(one.citation)} {may} (confidence {one.hit.confidence:.2f}):"


def _marked(citation: Citation) -> str:
    return f"{'' if citation.sound else '⚠ '}{citation}"
