"""A question where no model thinks: what counts as one, what it must never begin, and how things stand in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from sysop import expression
from sysop.extension import OpenApproval, OpenIncident, Standing, Tool
from sysop.knowledge.index import Match
from sysop.knowledge.runbook import Runbook
from sysop.model import Origin, Risk, Run

SURE: Final = 0.95
"""Words that fit less than this begin nothing that changes something: many pages share a few words."""
SHOWN: Final = 8
_TITLE: Final = 120
_MARK: Final = re.compile(r"\?(?=[\s\"')\]!?]|$)")
_OPENS: Final = re.compile(
    r"(?i)\W*(?:(?:hey|hi|hello|ok|okay|so|and|but|please|now)\b\W+)*"
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|did|has|have|had|can|could|may|might|should"
    r"|would|will|show|list|tell|explain|describe)\b"
)


class Unanswered(Protocol):
    """Puts a question that no page answers on the list of whoever owns the pages: `Notebook.unanswered`."""

    async def __call__(self, text: str, place: str, nearest: str = "", /) -> str | None:
        """Return the question's id, None for one without a word."""
        ...


async def nobody(text: str, place: str, nearest: str = "", /) -> None:
    """Keep no list."""


def asks(text: str) -> bool:
    """Tell whether a text is a question, or a wish to be shown something, rather than a report or a task."""
    return bool(_MARK.search(text) or _OPENS.match(text))


def in_words(run: Run) -> bool:
    """Tell whether a run is about what somebody wrote: no runbook was named, no alert and no button began it.

    The run that triages an incident carries the incident's words; people asked for it by a button.
    """
    by_button = run.origin is not Origin.ASKED or run.place.startswith("incident:")
    return bool(run.text) and not run.request.get("runbook") and not by_button


def only_told(
    run: Run, match: Match | None, standing: Standing, named: Sequence[str], tools: Mapping[str, Tool]
) -> str:
    """Return why something that was written is answered and nothing is begun for it, "" where a runbook may be."""
    if match is not None and match.leads and not _changes(match.runbook, tools):
        return ""
    if asks(run.text):
        return "it is a question"
    if match is None or match.confidence is None:
        return ""
    others = [one for one in standing.incidents if one.run not in (None, run.id)]
    if (busy := _at_work(others, named, match.runbook)) is not None:
        return f"{busy.run} works on {busy.id} ({_title(busy)}) already"
    if not match.leads:
        name = match.runbook.path.rpartition("/")[2].removesuffix(".md")
        return (
            f"{match.runbook.path} may fit (confidence {match.confidence:.2f}), but knows little of what was written. "
            f"To have it followed: sysop runbooks run {name}"
        )
    if match.confidence < SURE:
        return (
            f"{match.runbook.path} may fit (confidence {match.confidence:.2f}), but so few of its words begin nothing "
            "that changes something. To have it followed, open an incident"
        )
    return ""


def _changes(runbook: Runbook, tools: Mapping[str, Tool]) -> bool:
    found = [tools.get(step.action) for step in runbook.steps]
    return any(tool is None or tool.risk is not Risk.READ for tool in found)


def _at_work(working: Sequence[OpenIncident], named: Collection[str], runbook: Runbook) -> OpenIncident | None:
    """Return the incident that is being worked on and covers what was written: a second run would do the same twice."""
    services = set(named) or {one for one in runbook.services if one != "*"}
    return next((one for one in working if not services or services & set(one.services)), None)


def told(standing: Standing) -> list[str]:
    """Return how things stand, a line each."""
    found, asked = standing.incidents, standing.approvals
    about = {one.run: one.id for one in found if one.run}
    asks_for = {one.run: one.id for one in asked}
    return [
        "Open incidents:" if found else "No incident is open.",
        *_some([_incident(one, asks_for) for one in found]),
        "Waiting for an approval:" if asked else "Nothing waits for an approval.",
        *_some([_approval(one, about) for one in asked]),
    ]


def _some(lines: Sequence[str]) -> list[str]:
    more = [f"• … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [*(f"• {line}" for line in lines[:SHOWN]), *more]


def _incident(one: OpenIncident, asks_for: Mapping[str, str]) -> str:
    alerts = f"{one.firing} {'alert fires' if one.firing == 1 else 'alerts fire'}" if one.firing else "no alert fires"
    waits = f", which waits for {asks_for[one.run]}" if one.run is not None and one.run in asks_for else ""
    work = f"; {one.run} works on it{waits}" if one.run else "; nothing works on it now"
    return f"{one.id}: {_title(one)} ({one.severity}, {one.state}, {alerts}){work}"


def _approval(one: OpenApproval, about: Mapping[str, str]) -> str:
    reason = f" ({expression.short(one.reason, _TITLE)})" if one.reason else ""
    incident = f" for {about[one.run]}" if one.run in about else ""
    return f"{one.id}: {one.action} on {expression.short(one.target, _TITLE)}{reason}, asked by {one.run}{incident}"


def _title(one: OpenIncident) -> str:
    return expression.short(one.title, _TITLE)
