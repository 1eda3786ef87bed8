"""Messages, their threads, and what only one person sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sysop.workspace.state.streams import Stream
from sysop.workspace.wire import Json


@dataclass
class Message:
    """One message. `only_for` marks an ephemeral; `thread_ts` is the root's, for replies only."""

    channel: str
    ts: str
    user: str
    text: str = ""
    thread_ts: str | None = None
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    files: list[Json] = field(default_factory=list)
    subtype: str | None = None
    edited: Json | None = None
    from_app: bool = False
    only_for: str | None = None
    username: str | None = None
    icon: Json = field(default_factory=dict)
    client_msg_id: str | None = None
    broadcast: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    stream: Stream | None = None
    pinned: bool = False
    app_context: Json | None = None

    @property
    def root(self) -> str:
        """Return the ts of the thread this message is in, or would begin."""
        return self.thread_ts or self.ts

    @property
    def shown_blocks(self) -> list[Json]:
        """Return the blocks as they look now, a stream's content included."""
        return [*self.stream.blocks(), *self.blocks] if self.stream else self.blocks

    @property
    def shown_text(self) -> str:
        """Return the text as it reads now, a stream's included."""
        return self.stream.text if self.stream else self.text


class Messages:
    """All messages by channel and ts, ephemerals apart."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, Message]] = {}
        self._replies: dict[tuple[str, str], list[str]] = {}
        self._ephemerals: dict[str, dict[str, Message]] = {}

    def add(self, message: Message) -> None:
        """Keep a message."""
        if message.only_for:
            self._ephemerals.setdefault(message.channel, {})[message.ts] = message
            return
        self._channels.setdefault(message.channel, {})[message.ts] = message
        if message.thread_ts:
            self._replies.setdefault((message.channel, message.thread_ts), []).append(message.ts)

    def get(self, channel: str, ts: str) -> Message | None:
        """Return a message everybody in the channel sees."""
        return self._channels.get(channel, {}).get(ts)

    def ephemeral(self, channel: str, ts: str) -> Message | None:
        """Return a message only one person sees."""
        return self._ephemerals.get(channel, {}).get(ts)

    def remove(self, message: Message) -> None:
        """Forget a message; replies to it stay."""
        if message.only_for:
            self._ephemerals.get(message.channel, {}).pop(message.ts, None)
            return
        self._channels.get(message.channel, {}).pop(message.ts, None)
        if message.thread_ts:
            self._replies[message.channel, message.thread_ts].remove(message.ts)

    def top_level(self, channel: str) -> Iterator[Message]:
        """Return the messages of a channel itself, broadcast replies included, oldest first."""
        return (m for m in self._channels.get(channel, {}).values() if m.thread_ts is None or m.broadcast)

    def replies(self, channel: str, root: str) -> list[Message]:
        """Return the replies of a thread, oldest first."""
        found = self._channels.get(channel, {})
        return [found[ts] for ts in self._replies.get((channel, root), ())]

    def ephemerals(self, channel: str, user: str) -> list[Message]:
        """Return what only this person sees in a channel."""
        return [m for m in self._ephemerals.get(channel, {}).values() if m.only_for == user]

    def everything(self, channel: str) -> Iterator[Message]:
        """Return every message of a channel, oldest first."""
        return iter(self._channels.get(channel, {}).values())
