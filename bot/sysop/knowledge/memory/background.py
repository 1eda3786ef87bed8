"""Pages that lend memory their words: how much a word tells cannot be known from three incidents alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sysop.knowledge.document import Document
from sysop.knowledge.library.reading import read
from sysop.paths import data

ELSEWHERE: Final = "background"
"""The environment that these pages are of, and no incident is."""


def background() -> Iterator[Document]:
    """Yield the shipped runbooks, as pages that no search among incidents finds."""
    folder = data("runbooks")
    for file in sorted(folder.rglob("*.md")):
        path = f"{ELSEWHERE}/{file.relative_to(folder).as_posix()}"
        page = read(file.read_bytes(), id=path, path=path).document
        if page is not None:
            yield replace(page, alerts=(), environments=(ELSEWHERE,))
