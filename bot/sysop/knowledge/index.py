"""All runbooks at hand: found by the names of alerts, by address or by words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sysop.errors import RunbookError
from sysop.knowledge.document import Document
from sysop.knowledge.hits import Few, Hit, Pages
from sysop.knowledge.library.source import MAX_BYTES
from sysop.knowledge.readable import readable
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.runbook import Runbook, of_page
from sysop.page_source import BrokenPage

if TYPE_CHECKING:
    from sysop.knowledge.retrieval.asked import Route
    from sysop.knowledge.retrieval.view import Filters

Check = Callable[[Runbook], Sequence[str]]
"""Returns what keeps a runbook from being used, such as the errors of the linter."""


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook that fits, and why. `confidence` is how well words fit, None where it was not found by words.

    One that does not lead may fit, and is named to people only. A page of prose is a runbook without steps.
    """

    runbook: Runbook
    why: str
    confidence: float | None = None
    leads: bool = True


@dataclass(frozen=True)
class Contents:
    """What is at hand at one time. `runbooks` are those in the format, by path; `pages` are all, prose among them."""

    runbooks: Mapping[str, Runbook]
    broken: tuple[BrokenPage, ...] = ()
    pages: Pages = field(default_factory=lambda: Few({}))


class Index:
    """Runbooks by path (`runbooks/x.md`). What is at hand is replaced as a whole, so that no answer mixes two times.

    With `read` nothing is read before somebody asks.
    """

    def __init__(
        self,
        runbooks: Mapping[str, Runbook] | None = None,
        broken: Iterable[BrokenPage] = (),
        *,
        read: Callable[[], Contents] | None = None,
    ) -> None:
        self._read = read
        self._turn = threading.Lock()
        given = dict(runbooks or {})
        self._now = None if read else Contents(given, tuple(broken), Few(given))

    @classmethod
    def load(cls, folders: Iterable[Path], check: Check | None = None) -> Index:
        """Load every `*.md` below some folders. A broken file is reported in `broken`, it stops nothing."""
        runbooks: dict[str, Runbook] = {}
        broken: list[BrokenPage] = []
        for folder in folders:
            for name, file in _files(folder):
                try:
                    if name in runbooks:
                        raise RunbookError(f"{name}: another folder has a runbook of this name; rename one of them")
                    runbooks[name] = checked(readable(_content(folder, file), name), check)
                except RunbookError as bad:
                    broken.append(BrokenPage(name, str(bad)))
        return cls(runbooks, broken)

    def replace(self, contents: Contents) -> None:
        """Answer from these from now on."""
        with self._turn:
            self._now = contents

    @property
    def runbooks(self) -> Mapping[str, Runbook]:
        """Return the runbooks in the format, by path."""
        return self._contents().runbooks

    @property
    def broken(self) -> tuple[BrokenPage, ...]:
        """Return what is not used or not wholly, and why."""
        return self._contents().broken

    @property
    def pages(self) -> Pages:
        """Return all pages, those of prose among them."""
        return self._contents().pages

    def get(self, name: str) -> Runbook:
        """Return a runbook by its path, file name or file name without `.md`. Raises RunbookError.

        A page of prose is one without steps.
        """
        now = self._contents()
        if name in now.runbooks:
            return now.runbooks[name]
        short = {Path(p).name: r for p, r in now.runbooks.items()} | {Path(p).stem: r for p, r in now.runbooks.items()}
        if name in short:
            return short[name]
        for broken in now.broken:
            if name in (broken.path, Path(broken.path).name, Path(broken.path).stem):
                raise RunbookError(f"runbook {name} is broken: {broken.reason}")
        return of_page(now.pages.get(name))

    def find(
        self,
        alerts: Sequence[str],
        services: Sequence[str] = (),
        environments: Sequence[str] = (),
        urls: Sequence[str] = (),
    ) -> Match | None:
        """Return the runbook made for these alerts and services, None where there is none. `urls` are where the
        alerts themselves say that theirs is.

        One that can be followed beats prose, one at an address beats one by name. Then more alerts named beats fewer,
        the service by its name beats `*`, and the earlier alert the later.
        """
        now = self._contents()
        at = [(url, _followed(now, page)) for url in dict.fromkeys(urls) for page in now.pages.by_url(url)]
        at.sort(key=lambda found: not found[1].steps)
        if at and at[0][1].steps:
            return _at(*at[0])
        fitting = _fitting(now.runbooks.values(), alerts, services, environments)
        if fitting is not None and fitting.runbook.steps:
            return fitting
        return _at(*at[0]) if at else fitting or _prose(now.pages, alerts, services, environments)

    def search(self, question: str, limit: int = 5, route: Route = "chat", filters: Filters | None = None) -> list[Hit]:
        """Return the best section of each of the best pages, best first, whatever their confidence."""
        return self._contents().pages.find(question, limit, route, filters)

    def suggest(self, question: str, loose: bool = False) -> Match | None:
        """Return the runbook that answers a question, None where none fits well enough.

        With `loose` also one that has few of its words; that one does not lead.
        """
        now = self._contents()
        for hit in now.pages.find(question, 1):
            if hit.leads or (loose and hit.confidence >= FITS):
                why = f"its words fit ({hit.citation}, confidence {hit.confidence:.2f})"
                return Match(_followed(now, hit.page), why, hit.confidence, hit.leads)
        return None

    def _contents(self) -> Contents:
        now = self._now
        if now is None:
            with self._turn:
                if self._now is None:
                    assert self._read is not None
                    self._now = self._read()
                now = self._now
        return now


def checked(runbook: Runbook, check: Check | None) -> Runbook:
    """Return a runbook. Raises RunbookError with what keeps it from being used."""
    if problems := (check(runbook) if check else ()):
        raise RunbookError("\n".join(problems))
    return runbook


def _followed(now: Contents, page: Document) -> Runbook:
    return now.runbooks.get(page.path) or of_page(page)


def _fitting(
    runbooks: Iterable[Runbook], alerts: Sequence[str], services: Sequence[str], environments: Sequence[str]
) -> Match | None:
    fitting = [
        (bool(book.steps), len(named), fits, -min(alerts.index(n) for n in named), book.path, named, book)
        for book in runbooks
        if (named := [a for a in dict.fromkeys(alerts) if a in book.alerts])
        and (fits := _services_fit(book.services, services))
        and _environments_fit(book.environments, environments)
    ]
    if not fitting:
        return None
    _, _, specific, _, _, named, runbook = min(fitting, key=lambda f: (-f[0], -f[1], -f[2], -f[3], f[4]))
    suits = f"service {', '.join(s for s in services)}" if specific == 2 else "any service"
    return Match(runbook, f"it names the alert {', '.join(named)} and suits {suits}")


def _at(url: str, runbook: Runbook) -> Match:
    return Match(runbook, f"the alert says that its runbook is at {url}")


def _prose(pages: Pages, alerts: Sequence[str], services: Sequence[str], environments: Sequence[str]) -> Match | None:
    for alert in dict.fromkeys(alerts):
        for page in pages.by_alert(alert):
            if _services_fit(page.services, services) and _environments_fit(page.environments, environments):
                return Match(of_page(page), f"it names the alert {alert}")
    return None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*.md")):
        if file.name.upper() != "README.MD":
            yield f"{folder.resolve().name}/{file.relative_to(folder).as_posix()}", file


def _content(folder: Path, file: Path) -> bytes:
    try:
        real = file.resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):
            raise RunbookError(f"{file}: the link leads out of {folder}; put the file itself into the folder")
        if not real.is_file():
            raise RunbookError(f"{file}: not a file; remove it or rename it")
        with real.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except (OSError, RuntimeError) as bad:  # RuntimeError: a link that leads to itself
        raise RunbookError(f"{file}: cannot be read: {bad}") from None


def _services_fit(suits: Sequence[str], services: Sequence[str]) -> int:
    if set(services) & set(suits):
        return 2
    return 1 if not suits or "*" in suits or not services else 0


def _environments_fit(suits: Sequence[str], environments: Sequence[str]) -> bool:
    return not suits or not environments or bool(set(environments) & set(suits))
