"""What the outbox sends: documents read from the database, as they are looked at in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Connection

from sysop.store import members
from sysop.surfaces.slack import documents, keys
from sysop.surfaces.slack.blocks import plan
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.look import Look


class Extension(Protocol):
    """Adds messages of its own to the chat, and what happens at their buttons."""

    def register(self, app: Any, desk: Any) -> None:
        """Register listeners with the Bolt app."""
        ...

    def document(self, conn: Connection, key: str) -> Shown | None:
        """Return what a message shows now, None for one that is not its own."""
        ...


class Rendered:
    """Reads documents with one look."""

    def __init__(self, look: Look, extension: Extension | None = None) -> None:
        self._look = look
        self._extension = extension

    def document(self, conn: Connection, key: str, now: int) -> Shown | PlanDocument | None:
        """Return what a message shows now, None if there is nothing to show."""
        own = self._extension.document(conn, key) if self._extension else None
        return own or documents.document(conn, key, now, self._look)

    def home(self, conn: Connection, key: str, now: int) -> Mapping[str, Any] | None:
        """Return the view of somebody's Home, None for an account nobody knows."""
        member = members.get(conn, f"slack:{keys.parse(key).id}")
        return documents.home(conn, member, now, self._look) if member else None

    def fallback(self, document: PlanDocument) -> Shown:
        """Return a plan as a message that is posted and updated."""
        return plan.fallback(document)
