"""The pages a model may look into: the one that fits its run, and any other it searches for. It reads, nothing else.

What is looked up is data like any result: it stands in a fence, without secrets, in bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sysop.agent.guard import bounded, fence
from sysop.agent.view import incident_view, page_urls
from sysop.errors import InvalidCall, RunbookError
from sysop.inventory import Inventory
from sysop.knowledge.citation import MAX_AGE_DAYS, Citation, of, of_hit
from sysop.knowledge.document import Document
from sysop.knowledge.hits import of_runbook
from sysop.knowledge.index import Index, Match
from sysop.knowledge.page import Section
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.runbook import Runbook
from sysop.model import Run
from sysop.redact import redact

MOST: Final = 4
MAX_QUESTION: Final = 1000
_MAX_HIT: Final = 1500
_MAX_PAGE: Final = 24 * 1024
_UNREAD: Final = "untrusted"
_OURS: Final = "runbook"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked up, as a model reads it, and what may be cited of it."""

    text: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Books:
    """All pages, for a model. `max_age_days` is how long a review holds."""

    index: Index
    inventory: Inventory
    max_age_days: int = MAX_AGE_DAYS

    def fitting(self, run: Run, incident: Mapping[str, Any] | None, today: date) -> Looked | None:
        """Return the page that was asked for, fits the alerts, or answers the question; None where none does."""
        try:
            match = self._match(run, incident)
        except RunbookError as unknown:
            return Looked(fence(redact(f"The runbook that was asked for cannot be used: {unknown}"), "pages", _UNREAD))
        if match is None:
            return None
        page = self.page_of(match.runbook)
        known = match.runbook.steps or page.reviewed is not None
        return self._whole(page, today, _OURS if known else _UNREAD)

    def search(self, question: str, today: date) -> Looked:
        """Return the best sections for a question. Raises InvalidCall for one that is empty or too long."""
        asked = question.strip()
        if not asked or len(asked) > MAX_QUESTION:
            raise InvalidCall(f"question: say in 1 to {MAX_QUESTION} characters what the page must answer")
        hits = self.index.search(asked, MOST)
        cited = tuple(of_hit(hit, today, self.max_age_days) for hit in hits)
        told = [
            f"[{one}] {hit.page.title}, confidence {hit.confidence:.2f}\n{bounded(hit.section.text.strip(), _MAX_HIT)}"
            for hit, one in zip(hits, cited, strict=True)
        ]
        fits = any(hit.confidence >= FITS for hit in hits)
        head = "Sections, best first:" if fits else "No page fits well. The nearest:" if hits else "No page fits."
        body = fence(redact("\n\n".join(told)), "pages", _UNREAD) if told else ""
        return Looked("\n".join(filter(None, (head, body))), tuple(_with_pages(cited)))

    def read(self, name: str, section: str, today: date) -> Looked:
        """Return a page or one of its sections. Raises InvalidCall for one that is not there."""
        try:
            page = self.index.pages.get(name.partition("#")[0].strip())
        except RunbookError as unknown:
            raise InvalidCall(f"page: {unknown}") from None
        slug = (section or name.partition("#")[2]).strip().lstrip("#")
        if not slug:
            return _headed(self._whole(page, today, _UNREAD))
        found = next((one for one in page.sections if one.slug == slug), None)
        if found is None:
            known = ", ".join(one.slug for one in page.sections if one.slug)
            raise InvalidCall(f"section: {page.path} has no section {slug!r}; it has: {known[:500] or 'none'}")
        return _headed(self._some(page, [found], today, _UNREAD))

    def nearest(self, question: str) -> str:
        """Return the citation of the section that comes nearest to a question, empty where none has its words."""
        return next((hit.citation for hit in self.index.search(question, 1)), "")

    def page_of(self, runbook: Runbook) -> Document:
        """Return a runbook as it is cited, with its address where that is known."""
        try:
            page = self.index.pages.get(runbook.path)
        except RunbookError:
            page = None
        return page if page is not None and page.digest == runbook.digest else of_runbook(runbook)

    def cite(self, runbook: Runbook, today: date) -> Citation:
        """Return the citation of a runbook as a whole."""
        return of(self.page_of(runbook), "", today, self.max_age_days)

    def _match(self, run: Run, incident: Mapping[str, Any] | None) -> Match | None:
        if asked := run.request.get("runbook"):
            return Match(self.index.get(str(asked)), "it was asked for")
        seen = incident_view(incident)
        environments = sorted({self.inventory.environment_of(service) for service in seen["services"]})
        names = [alert["name"] for alert in seen["alerts"]]
        match = self.index.find(names, seen["services"], environments, page_urls(seen))
        return match or (self.index.suggest(run.text) if run.text and not seen["alerts"] else None)

    def _whole(self, page: Document, today: date, kind: str) -> Looked:
        found = self._some(page, page.sections, today, kind)
        return Looked(found.text, (of(page, "", today, self.max_age_days), *found.citations))

    def _some(self, page: Document, sections: Iterable[Section], today: date, kind: str) -> Looked:
        """Return sections; each heading says how to cite it."""
        sections = list(sections)
        told = [f"## {one.title} [{page.cite(one.slug)}]\n{one.text.strip()}" for one in sections]
        head = f"{page.title} ({of(page, '', today, self.max_age_days)})"
        cited = [of(page, one.slug, today, self.max_age_days) for one in sections]
        return Looked(fence(bounded(redact("\n\n".join([head, *told])), _MAX_PAGE), "pages", kind), tuple(cited))


def _headed(found: Looked) -> Looked:
    """Return a result that keeps a line of its own where its data must go to save space."""
    return Looked(f"What the page says:\n{found.text}", found.citations)


def _with_pages(cited: Iterable[Citation]) -> Iterable[Citation]:
    """Yield citations, and each page's as a whole: of a page that was seen in part the page may be named."""
    for one in cited:
        yield one
        yield Citation(one.page, "", "", one.title, one.digest, one.reviewed, one.state, one.url)
