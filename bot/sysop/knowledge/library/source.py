"""What every source of pages needs: which files are pages, what they are called, and where people read them."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

MARKDOWN: Final = (".md", ".markdown")
HTML: Final = (".html", ".htm")
MAX_BYTES: Final = 1024 * 1024
"""Of one page; what is larger is a book or no page at all."""
MAX_PAGES: Final = 100_000
MAX_DEPTH: Final = 32


def is_page(name: str) -> bool:
    """Tell whether a file of this name is a page. A README is about its folder; a dot in front hides a file."""
    small = name.lower()
    stem, dot, _ = small.rpartition(".")
    return small.endswith((*MARKDOWN, *HTML)) and bool(dot) and stem not in ("", "readme") and not small.startswith(".")


def without_suffix(path: str) -> str:
    """Return a path without what tells the format."""
    folder, slash, file = path.rpartition("/")
    return folder + slash + file.rpartition(".")[0]


def wrong_name(name: str) -> str:
    """Return why a name cannot be cited, empty if it can."""
    if any("\ud800" <= char <= "\udfff" for char in name):
        return "the name is not UTF-8; rename it"
    if not name.isprintable():
        return "the name holds a character that is not shown; rename it"
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        return "the name would lead elsewhere; rename it"
    return ""


def shown(name: str) -> str:
    """Return a name fit to be shown, whatever bytes it holds."""
    return name.encode("unicode_escape" if wrong_name(name) else "utf-8", "backslashreplace").decode("utf-8", "replace")


def too_large(size: int) -> str:
    """Return why a page of this many bytes is not read, empty if it is."""
    return f"{size} bytes are too much, {MAX_BYTES} are allowed; split the page" if size > MAX_BYTES else ""


def address(pattern: str, path: str) -> str:
    """Return where people read a page of a source.

    In the pattern `{path}` stands for its path in the source and `{id}` for that without the suffix; without either
    the path follows.
    """
    if not pattern:
        return ""
    if "{path}" not in pattern and "{id}" not in pattern:
        pattern = pattern.rstrip("/") + "/{path}"
    return pattern.replace("{path}", quote(path)).replace("{id}", quote(without_suffix(path)))
