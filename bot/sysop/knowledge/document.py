"""What search and citations know of any page, whether a machine can follow it or only a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from sysop.knowledge.page import Section

Kind = Literal["runbook", "page", "incident"]
"""A runbook has steps that can be followed, a page is prose, an incident is one that Sysop remembers."""


@dataclass(frozen=True, slots=True)
class Document:
    """A page of a library, or a past incident.

    `id` is the path in its source without the suffix (`node/NodeDown`), `path` how it is cited
    (`runbooks/node/NodeDown.md`), `digest` the SHA-256 of its bytes. `url` is where people read it, empty where that
    is not known. `at` is when an incident happened, in ms since the epoch.
    """

    id: str
    path: str
    digest: str
    title: str
    sections: tuple[Section, ...]
    alerts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    owner: str = ""
    reviewed: date | None = None
    url: str = ""
    kind: Kind = "page"
    at: int | None = None

    def cite(self, section: str = "") -> str:
        """Return the citation of the page or of one of its sections."""
        return f"{self.path}#{section}" if section else self.path

    @property
    def file(self) -> str:
        """Return the name of its file."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Return the name of its file without what tells the format."""
        return self.file.rpartition(".")[0] or self.file
