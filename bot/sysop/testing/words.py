"""What blocks read like as plain text, one line a thing, so that a test can say what a person sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Block = Mapping[str, Any]
Names = Mapping[str, str]
"""What ids are shown as: `@lead`, `#incidents`, `@oncall`."""

_WIRE: Final = re.compile(r"<(?P<kind>@|#|!subteam\^|!date\^|!|)(?P<rest>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")
_MARKS: Final = {"pending": "○", "in_progress": "◐", "complete": "●", "error": "✗"}


def lines(blocks: list[Block], names: Names) -> list[str]:
    """Return blocks as lines of text."""
    return [line for block in blocks for line in _block(block, names) if line.strip()]


def plain(text: str, names: Names) -> str:
    """Return mrkdwn as it reads: mentions by name, dates and links by their label, escapes undone."""

    def shown(found: re.Match[str]) -> str:
        kind, rest, label = found["kind"], found["rest"], found["label"]
        if kind in ("@", "#", "!subteam^"):
            return names.get(rest, label or f"{kind[0].replace('!', '@')}{rest}")
        if kind == "!":
            return f"@{rest}"
        return label or (rest if not kind else "")

    return _WIRE.sub(shown, text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _block(block: Block, names: Names) -> Iterator[str]:
    reader = _READERS.get(str(block.get("type")))
    if reader is not None:
        yield from reader(block, names)
    else:
        yield from _words(block, names)


def _words(part: Any, names: Names) -> Iterator[str]:
    """Yield every text in something that has no reader of its own."""
    if isinstance(part, Mapping):
        if isinstance(part.get("text"), str):
            yield from plain(part["text"], names).splitlines()
        for name, inner in part.items():
            if name != "text" or not isinstance(inner, str):
                yield from _words(inner, names)
    elif isinstance(part, list):
        for inner in part:
            yield from _words(inner, names)


def _text(part: Any, names: Names) -> str:
    """Return a text object, or a bare text, as it reads."""
    if isinstance(part, str):
        return plain(part, names)
    text = str((part or {}).get("text") or "")
    return plain(text, names) if (part or {}).get("type") != "plain_text" else text


def _section(block: Block, names: Names) -> Iterator[str]:
    yield from _text(block.get("text"), names).splitlines()
    for field in block.get("fields") or ():
        label, _, value = _text(field, names).partition("\n")
        yield f"{label.strip('*')}: {value}" if value else label
    if accessory := block.get("accessory"):
        yield element(accessory)


def _context(block: Block, names: Names) -> Iterator[str]:
    yield "  ".join(_text(part, names) or str(part.get("alt_text", "")) for part in block["elements"])


def _actions(block: Block, _names: Names) -> Iterator[str]:
    yield " ".join(element(part) for part in block["elements"])


def element(part: Block) -> str:
    """Return an element as it looks: a button in brackets, a menu by its kind."""
    if part["type"] == "feedback_buttons":
        return " ".join(f"[{label(part[name])}]" for name in ("positive_button", "negative_button"))
    return f"[{label(part)}]" if part["type"] == "button" else f"({part['type']})"


def label(part: Block) -> str:
    """Return what stands on a button, an option or beside an input."""
    return str((part.get("text") or part.get("label") or {}).get("text") or "")


def _input(block: Block, names: Names) -> Iterator[str]:
    optional = " (optional)" if block.get("optional") else ""
    yield f"{label(block)}{optional}: {element(block['element'])}"
    if block.get("hint"):
        yield f"  {_text(block['hint'], names)}"


def _plan(block: Block, names: Names) -> Iterator[str]:
    yield str(block.get("title") or "")
    for task in block.get("tasks") or ():
        yield from _task(task, names)


def _task(block: Block, names: Names) -> Iterator[str]:
    yield f"{_MARKS.get(str(block.get('status')), '?')} {block.get('title')}"
    for name in ("details", "output"):
        if block.get(name):
            yield from (f"  {line}" for line in _block(block[name], names))
    for source in block.get("sources") or ():
        yield f"  source: {source.get('text')} {source.get('url')}"


def _rich(block: Block, names: Names) -> Iterator[str]:
    for part in block.get("elements") or ():
        if part["type"] == "rich_text_list":
            yield from (f"• {_run(one, names)}" for one in part["elements"])
        else:
            yield from _run(part, names).splitlines()


def _run(part: Block, names: Names) -> str:
    return "".join(_leaf(leaf, names) for leaf in part.get("elements") or ())


def _leaf(leaf: Block, names: Names) -> str:
    match leaf["type"]:
        case "user" | "usergroup" | "channel":
            id = str(leaf.get("user_id") or leaf.get("usergroup_id") or leaf.get("channel_id"))
            return names.get(id, id)
        case "date":
            return str(leaf.get("fallback") or leaf.get("timestamp"))
        case "broadcast":
            return f"@{leaf.get('range')}"
        case "emoji":
            return f":{leaf.get('name')}:"
        case _:
            return str(leaf.get("text") or leaf.get("url") or "")


_READERS: Final[Mapping[str, Callable[[Block, Names], Iterator[str]]]] = {
    "header": lambda block, names: iter([_text(block["text"], names)]),
    "section": _section,
    "context": _context,
    "actions": _actions,
    "context_actions": _actions,
    "input": _input,
    "plan": _plan,
    "task_card": _task,
    "rich_text": _rich,
    "divider": lambda _block, _names: iter(()),
}
