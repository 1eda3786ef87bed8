"""The pages of this invocation: all sources of the settings and the plugins, without a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from sysop import app as composition
from sysop import shelf
from sysop.cli.bar import Bar
from sysop.cli.common import load_settings
from sysop.cli.show import visible
from sysop.host import Host
from sysop.knowledge.index import Index
from sysop.knowledge.runbook import Runbook, of_page
from sysop.page_source import BrokenPage
from sysop.settings import Secrets, Settings
from sysop.shelf import Knowledge


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened, and from what."""

    settings: Settings
    host: Host
    knowledge: Knowledge

    @property
    def index(self) -> Index:
        """Return what finds pages; it looks at the sources when it is first asked."""
        return self.knowledge.index


@contextmanager
def library(*, durable: bool = False) -> Iterator[Opened]:
    """Open all pages, and close them. What is `durable` is kept in files or not at all."""
    settings = load_settings()
    host = composition.load_plugins(settings)
    knowledge = shelf.build(settings, host, settings.services(), Secrets(settings.secrets).resolve, durable=durable)
    try:
        yield Opened(settings, host, knowledge)
    finally:
        knowledge.upkeep.close()


def books(index: Index) -> list[Runbook]:
    """Return every page that can be used, by path; prose is a runbook without steps."""
    unused = {broken.path for broken in index.broken}
    found = (index.runbooks.get(page.path) or of_page(page) for page in index.pages.documents())
    return [book for book in found if book.path in index.runbooks or book.path not in unused]


def tell(console: Console, broken: Iterable[BrokenPage], what: str, style: str) -> None:
    """Print why pages or sources are not used."""
    for one in broken:
        reason = one.reason if one.reason.startswith(one.path) else f"{one.path}: {one.reason}"
        console.print(Text(f"{what}: {visible(reason)}", style=style), soft_wrap=True)


class Reading:
    """Draws how far reading has come, on a terminal and once it takes a while. Call it as a `Progress`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None

    def __call__(self, done: int, total: int, _path: str) -> None:
        """Say that so many are read."""
        if self._bar is None:
            self._bar = Bar(self._console, "reading pages", total)
        self._bar.at(done)

    def close(self) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.__exit__()
