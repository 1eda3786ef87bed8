"""A message, a form or the Home as one person sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sysop.testing import words

Kind = Literal["message", "form", "home"]
_INNER = {"container": "child_blocks", "carousel": "elements"}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that can be pressed or filled in: `label` is what a person reads on it."""

    label: str
    block: str
    element: Mapping[str, Any]
    optional: bool = False

    @property
    def action(self) -> str:
        """Return the element's action id."""
        return str(self.element.get("action_id") or "")


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody sees. `private` says that nobody else does, `text` is the whole of it as plain text.

    `id` is the ts of a message and the id of a view; `thread` is the root's ts, None for a message of the channel
    itself. `raw` is what the server said.
    """

    kind: Kind
    id: str
    text: str
    raw: Mapping[str, Any]
    channel: str = ""
    thread: str | None = None
    author: str = ""
    mine: bool = False
    private: bool = False
    buttons: tuple[Part, ...] = ()
    fields: tuple[Part, ...] = field(default=())

    @property
    def root(self) -> str:
        """Return the ts of the thread this is in, or would begin."""
        return self.thread or self.id

    @property
    def labels(self) -> list[str]:
        """Return what stands on its buttons."""
        return [button.label for button in self.buttons]

    @property
    def streaming(self) -> bool:
        """Tell whether it is still being written."""
        return self.raw.get("streaming_state") == "in_progress"

    def __contains__(self, words: str) -> bool:
        return words in self.text

    def __str__(self) -> str:
        return self.text


def message(raw: Mapping[str, Any], channel: str, names: words.Names, *, bot: str) -> Seen:
    """Return a message as it is seen; `bot` is the bot's user id."""
    blocks = list(raw.get("blocks") or ())
    user = str(raw.get("user") or raw.get("username") or "")
    mine = user == bot or bool(raw.get("bot_id"))
    shown = words.lines(blocks, names) if blocks else []
    files = [f"(file {one.get('name')})" for one in raw.get("files") or ()]
    text = shown or words.plain(str(raw.get("text") or ""), names).splitlines()
    ts, thread = str(raw["ts"]), raw.get("thread_ts")
    return Seen(
        kind="message",
        id=ts,
        text=_visible([*text, *files]),
        raw=raw,
        channel=channel,
        thread=str(thread) if thread and thread != ts else None,
        author=names.get(user, user),
        mine=mine,
        private=bool(raw.get("is_ephemeral") or raw.get("ephemeral_to")),
        buttons=tuple(_buttons(blocks)),
    )


def view(raw: Mapping[str, Any], names: words.Names) -> Seen:
    """Return a form, or the Home, as it is seen."""
    blocks = list(raw.get("blocks") or ())
    title = str((raw.get("title") or {}).get("text") or "")
    submit = [f"[{raw['submit']['text']}]"] if raw.get("submit") else []
    return Seen(
        kind="home" if raw.get("type") == "home" else "form",
        id=str(raw["id"]),
        text=_visible([*([title] if title else []), *words.lines(blocks, names), *submit]),
        raw=raw,
        mine=True,
        private=True,
        buttons=tuple(_buttons(blocks)),
        fields=tuple(_fields(blocks)),
    )


def _visible(lines: list[str]) -> str:
    """Return lines without what nobody sees: the breaks that keep a text from becoming a link or a mention."""
    return "\n".join(lines).replace("\N{ZERO WIDTH SPACE}", "")


def _buttons(blocks: list[words.Block]) -> Iterator[Part]:
    for block in blocks:
        if inner := _INNER.get(str(block.get("type"))):
            yield from _buttons(list(block.get(inner) or ()))
        found = [*(block.get("elements") or ()), block.get("accessory")]
        for element in found if block.get("type") != "rich_text" else ():
            if isinstance(element, Mapping):
                yield from _pressed(element, str(block.get("block_id") or ""))


def _pressed(element: Mapping[str, Any], block: str) -> Iterator[Part]:
    if element.get("type") == "button":
        yield Part(words.label(element), block, element)
    elif element.get("type") == "feedback_buttons":
        for name in ("positive_button", "negative_button"):
            one = element[name]
            yield Part(words.label(one), block, {**element, "value": one.get("value")})


def _fields(blocks: list[words.Block]) -> Iterator[Part]:
    for block in blocks:
        if block.get("type") == "input":
            yield Part(words.label(block), str(block["block_id"]), block["element"], bool(block.get("optional")))


def transcript(seen: Sequence[Seen]) -> str:
    """Return messages as plain text, replies below their roots."""
    lines = []
    for one in sorted(seen, key=lambda one: (one.channel, one.root, one.id)):
        indent = "    " if one.thread else ""
        private = " (only they see this)" if one.private else ""
        lines.append(f"{indent}{one.author or 'a form'}{private}:")
        lines += [f"{indent}  {line}" for line in one.text.splitlines()]
    return "\n".join(lines) or "nothing"
