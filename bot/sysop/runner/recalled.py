"""What past incidents teach about one, for the people who look after it now."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from sysop.incidents.similar import similar
from sysop.knowledge.memory.recall import recall_these, teaches
from sysop.store import incidents

LIKE: Final = 0.5
"""So alike a past incident must be to be brought up unasked; `sysop incidents similar` shows others, too."""
MOST: Final = 2


def recalled(conn: Connection, incident: str) -> tuple[str, ...]:
    """Return a sentence for each of the past incidents most like one that are over, the likest first."""
    alike = [one.incident for one in similar(conn, incidents.load(conn, incident)) if one.score >= LIKE]
    taught = {memory.incident: teaches(memory) for memory in recall_these(conn, alike)}
    return tuple(f"{taught[one][0].upper()}{taught[one][1:]} ({one})." for one in alike if one in taught)[:MOST]
