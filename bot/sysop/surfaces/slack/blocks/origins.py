"""Where an incident probably began, and what was changed shortly before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop.model import Incident
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import bullets, rich, said, section, styled
from sysop.surfaces.slack.text import one_line, times

MOST: Final = 3
MOST_CHANGES: Final = 5


def origins(incident: Incident, links: Links) -> Block | None:
    """Return where it probably began, by correlation; a single alert has nothing to be told apart from."""
    if not incident.origins:
        unsure = len(incident.alerts) > 1
        return rich(section(styled("Where it began: ", "bold"), styled("undetermined"))) if unsure else None
    if len(incident.alerts) < 2:
        return None
    first, *others = incident.origins[:MOST]
    why = [styled(": "), *said(one_line(str(first.get("reason") or ""), 200), links)] if first.get("reason") else []
    rest = [styled(f"; else at {' or '.join(_place(one) for one in others)}")] if others else []
    return rich(section(styled("Likely began at ", "bold"), styled(_place(first), "bold"), *why, *rest))


def changed_before(lines: Sequence[str], links: Links) -> Block | None:
    """Return what was changed in the half hour before, a line for each; the words are those of other systems."""
    if not lines:
        return None
    shown = [said(one_line(line, 200), links) for line in lines[:MOST_CHANGES]]
    left = len(lines) - MOST_CHANGES
    more = [[styled(f"… and {times(left, 'change')} more", "italic")]] if left > 0 else []
    return rich(section(styled("Changed in the 30 minutes before", "bold")), bullets([*shown, *more]))


def _place(origin: Mapping[str, Any]) -> str:
    return one_line(str(origin.get("service") or origin.get("alert") or "–"), 80)
