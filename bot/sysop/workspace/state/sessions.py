"""Agent sessions: one per thread, from the first status to closed."""

from __future__ import annotations

from dataclasses import dataclass

from sysop.workspace.wire import Json

STATUSES = ("active", "processing", "suspended", "closed")
PROCESSING_SECONDS = 3600.0
"""After this long without a word `processing` falls back to `active`."""
TEXT_SECONDS = 120.0
"""After this long the text of a legacy status goes away."""


@dataclass
class Session:
    """The state of one thread. `since` and `told` tell a timer whether it is still the last one."""

    channel: str
    thread_ts: str
    status: str = "active"
    title: str | None = None
    initiator: str | None = None
    note: str = ""
    loading: tuple[str, ...] = ()
    renamed: bool = False
    turn: int = 0

    def as_answer(self) -> Json:
        """Return what `agents.sessions.*` answers. With one agent, its status is the highest."""
        return {"status": self.status, "agent_status": self.status, "title": self.title}

    def as_page(self) -> Json:
        """Return what the page shows of it."""
        shown: Json = {"channel": self.channel, "thread_ts": self.thread_ts, "status": self.status}
        return shown | {"title": self.title, "note": self.note, "loading_messages": list(self.loading)}


class Sessions:
    """Sessions by channel and thread."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], Session] = {}

    def get(self, channel: str, thread_ts: str) -> Session | None:
        """Return the session of a thread, if it has begun."""
        return self._sessions.get((channel, thread_ts))

    def open(self, channel: str, thread_ts: str, title: str | None = None, initiator: str | None = None) -> Session:
        """Return the session of a thread, begun now if need be. A title counts only when it begins."""
        session = self.get(channel, thread_ts)
        if session is None:
            session = Session(channel, thread_ts, title=clean(title), initiator=initiator)
            self._sessions[channel, thread_ts] = session
        return session

    def of(self, channel: str) -> list[Session]:
        """Return the sessions of a channel."""
        return [session for session in self._sessions.values() if session.channel == channel]


def clean(title: str | None) -> str | None:
    """Return a title as it is kept: a colon becomes an underscore."""
    return title.replace(":", "_") if title else None
