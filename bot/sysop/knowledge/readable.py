"""A page as a runbook, whether or not it has steps."""

from __future__ import annotations

from codecs import BOM_UTF8

from sysop.errors import RunbookError
from sysop.knowledge.library.reading import read
from sysop.knowledge.runbook import Runbook, of_page, parse


def readable(data: bytes, path: str) -> Runbook:
    """Return a page, one of prose without steps. Raises RunbookError for one in the format that has a mistake.

    In a folder of ours whatever has front matter is held to the format.
    """
    try:
        return parse(data, path)
    except RunbookError:
        found = read(data, id=path, path=path)
        if found.document is None or found.strict or data.removeprefix(BOM_UTF8).startswith(b"---"):
            raise
        return of_page(found.document)
