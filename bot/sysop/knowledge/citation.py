"""How pages are cited: which section of which page at which revision, and whether anybody has reviewed it lately."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from sysop.knowledge.document import Document
from sysop.knowledge.hits import Hit

Review = Literal["reviewed", "stale", "unreviewed"]
MAX_AGE_DAYS: Final = 180
SHORT: Final = 12
"""So many digits of a digest tell one revision from another to people."""

_WEB: Final = re.compile(r"https?://[^\s<>\"'`\[\]{}|\\^\x00-\x20\x7f-\xa0@]+", re.I)
_ENDS: Final = re.compile(r"\.(?:md|markdown|mdx|rst|txt|html?)#[\w-]+", re.I)
_BREAKS: Final = frozenset(" \t\r\n\v\f()[]{}<>\"'`|,;*“”‘’«»")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Citation:
    """A section of a page as it was when it was found, whatever becomes of the page later.

    `heading` and `section` are empty for a page as a whole. `state` is that of the day on which it was cited.
    """

    page: str
    section: str
    heading: str
    title: str
    digest: str
    reviewed: date | None
    state: Review
    url: str = ""

    @property
    def ref(self) -> str:
        """Return `runbooks/x.md#section`, by which it is named in evidence."""
        return f"{self.page}#{self.section}" if self.section else self.page

    @property
    def revision(self) -> str:
        """Return the digest in short."""
        return self.digest[:SHORT]

    @property
    def review(self) -> str:
        """Return in words whether it was reviewed."""
        if self.reviewed is None:
            return "never reviewed"
        return f"{'stale: ' if self.state == 'stale' else ''}reviewed {self.reviewed.isoformat()}"

    @property
    def sound(self) -> bool:
        """Return whether it was reviewed lately; any other is marked wherever it is shown."""
        return self.state == "reviewed"

    @property
    def link(self) -> str:
        """Return where people read the section, empty where that is not known or no web address."""
        return page_link(self.url, self.section)

    def __str__(self) -> str:
        """Return it in full on one line, whatever is in its path: `runbooks/x.md#fix (rev 3f2a1c…, never reviewed)`."""
        return f"{' '.join(self.ref.split())} (rev {self.revision}, {self.review})"

    def as_json(self) -> dict[str, Any]:
        """Return its fields for JSON; `of_json` takes them back."""
        day = self.reviewed.isoformat() if self.reviewed else None
        return {**asdict(self), "reviewed": day, "citation": self.ref, "link": self.link}


def of(page: Document, section: str, today: date, max_age_days: int = MAX_AGE_DAYS) -> Citation:
    """Return the citation of a page, or of its section of a slug."""
    heading = next((one.title for one in page.sections if one.slug == section), "") if section else ""
    state = reviewed(page.reviewed, today, max_age_days)
    return Citation(page.path, section, heading, page.title, page.digest, page.reviewed, state, page.url)


def page_link(url: str, section: str) -> str:
    """Return where people read a section of a page at an address, empty where that is no web address."""
    if not _WEB.fullmatch(url):
        return ""
    return f"{url.partition('#')[0]}#{quote(section)}" if section else url


def of_hit(hit: Hit, today: date, max_age_days: int = MAX_AGE_DAYS) -> Citation:
    """Return the citation of a section that was found."""
    return of(hit.page, hit.section.slug, today, max_age_days)


def of_json(kept: dict[str, Any]) -> Citation:
    """Return a citation that was kept as JSON."""
    fields = {name: kept[name] for name in Citation.__dataclass_fields__}
    return Citation(**{**fields, "reviewed": date.fromisoformat(kept["reviewed"]) if kept["reviewed"] else None})


def day_of(ms: int) -> date:
    """Return the day of a time in milliseconds, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).date()


def reviewed(day: date | None, today: date, max_age_days: int) -> Review:
    """Tell what a day of review is worth. One that has yet to come proves nothing, but somewhere it is tomorrow."""
    if day is None:
        return "unreviewed"
    return "reviewed" if -1 <= (today - day).days <= max_age_days else "stale"


def named_in(text: str, known: Collection[str] = ()) -> list[str]:
    """Return what a text cites, in the form `path#section`, in order, without repeats.

    Those `known` are found whatever is in their paths, such as spaces; of others all up to the nearest space or bracket
    before them counts, so that one in an address is told as that whole address.
    """
    exact = _exact(known)
    found = {one.start(): one[0] for one in exact.finditer(text)} if exact else {}
    taken = [(start, start + len(ref)) for start, ref in found.items()]
    for end in _ENDS.finditer(text):
        if not any(start <= end.start() < stop for start, stop in taken):
            start = _begin(text, end.start())
            found[start] = text[start : end.end()]
    return list(dict.fromkeys(found[start] for start in sorted(found)))


def replaced(text: str, unknown: Collection[str], by: str) -> str:
    """Return a text with some citations struck, longest first, so that nobody takes them for one."""
    for one in sorted(unknown, key=len, reverse=True):
        text = text.replace(one, by)
    return text


def _exact(known: Collection[str]) -> re.Pattern[str] | None:
    refs = sorted((re.escape(one) for one in known if "#" in one), key=len, reverse=True)
    return re.compile(rf"(?<![\w./:-])(?:{'|'.join(refs)})(?![\w-])") if refs else None


def _begin(text: str, end: int) -> int:
    """Return where the word begins that ends there; nobody's paths are longer than some hundred letters."""
    start = end
    while start > 0 and text[start - 1] not in _BREAKS and end - start < _LONGEST:
        start -= 1
    return start
