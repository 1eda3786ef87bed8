"""The preview as an approver sees it: one statement a line, whoever wrote what stands in it."""

from __future__ import annotations

from collections.abc import Iterable

from sysop.api import Preview


def card(summary: str, changes: Iterable[str], affects: Iterable[str] = ()) -> Preview:
    """Return a preview in which what others wrote cannot begin a line that looks like one of ours."""
    return Preview(_one_line(summary), tuple(map(_one_line, changes)), tuple(map(_one_line, affects)))


def _one_line(text: str) -> str:
    return " ⏎ ".join(text.splitlines())
