"""Find what is wrong with a runbook before an incident does.

Each finding names the place and the fix. What is not surely wrong is not told: a value whose model is
unknown is never checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from sysop.actions import Action
from sysop.errors import RunbookError
from sysop.inventory import Inventory
from sysop.knowledge.lint.finding import Finding, Level
from sysop.knowledge.lint.names import BASE_NAMES, step_shape
from sysop.knowledge.lint.rules import Linter
from sysop.knowledge.lint.together import leads, links, rivals, together
from sysop.knowledge.readable import readable
from sysop.knowledge.runbook import Runbook

__all__ = [
    "BASE_NAMES",
    "MAX_AGE_DAYS",
    "Finding",
    "Level",
    "errors",
    "leads",
    "links",
    "lint",
    "lint_text",
    "rivals",
    "step_shape",
    "together",
]

MAX_AGE_DAYS: Final = 180


def lint_text(
    content: bytes | str,
    path: str,
    actions: Mapping[str, Action],
    inventory: Inventory,
    *,
    today: date | None = None,
    max_age: int = MAX_AGE_DAYS,
) -> list[Finding]:
    """Return the findings of a page. One that cannot be parsed has a single one. `max_age` is in days."""
    try:
        data = content.encode() if isinstance(content, str) else content
        return lint(readable(data, path), actions, inventory, today=today, max_age=max_age)
    except RunbookError as bad:
        return [_of_error(str(bad), path)]


def lint(
    runbook: Runbook,
    actions: Mapping[str, Action],
    inventory: Inventory,
    *,
    today: date | None = None,
    max_age: int = MAX_AGE_DAYS,
) -> list[Finding]:
    """Return what is wrong with a runbook that parses, in the order of its lines. `max_age` is in days."""
    linter = Linter(runbook, actions, inventory, today or date.today(), max_age)
    linter.page()
    for number, step in enumerate(runbook.steps):
        linter.step(number, step)
    linter.endings()
    return sorted(linter.findings, key=lambda f: (f.line, f.message))


def errors(findings: Sequence[Finding]) -> list[str]:
    """Return the findings that keep a runbook from being used, as text: a check for `index.load`."""
    return [str(f) for f in findings if f.level == "error"]


def _of_error(message: str, path: str) -> Finding:
    found = re.match(re.escape(path) + r":(?:(\d+):)?(?:\d+:)? ?(?:step (\w+): )?", message)
    rest, _, fix = (message[found.end() :] if found else message).rpartition("; ")
    line, step = (found[1], found[2]) if found else (None, None)
    return Finding(path, int(line or 1), step or "", "error", rest or fix, fix)
