"""rich_text: paragraphs, lists, quotes and code made of inline pieces that Slack never parses."""

from __future__ import annotations

from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.checks import Check, boolean, choice, items, number, pattern, shape, string, typed, url
from sysop.blockkit.objects import ID

_STYLE = shape(
    dict.fromkeys(("bold", "italic", "strike", "underline", "code", "highlight", "client_highlight", "unlink"), boolean)
)


def _inline(kind: str, required: dict[str, Check], **optional: Check) -> Check:
    fields: dict[str, Check] = {"type": choice(kind), "style": _STYLE, **required, **optional}
    return shape(fields, required=("type", *required))


_INLINE: dict[str, Check] = {
    "text": _inline("text", {"text": string()}),
    "link": _inline("link", {"url": url()}, text=string(least=0), unsafe=boolean),
    "user": _inline("user", {"user_id": string()}),
    "usergroup": _inline("usergroup", {"usergroup_id": string()}),
    "channel": _inline("channel", {"channel_id": string()}),
    "team": _inline("team", {"team_id": string()}),
    "emoji": _inline("emoji", {"name": string()}, unicode=string(), skin_tone=number(1, 6), url=url()),
    "broadcast": _inline("broadcast", {"range": choice("here", "channel", "everyone")}),
    "date": _inline("date", {"timestamp": number(0), "format": string()}, url=url(), fallback=string()),
    "color": _inline("color", {"value": pattern(r"#[0-9A-Fa-f]{3,8}", "must be a colour in hex")}),
}
_PIECES = items(typed(_INLINE, "rich text"), least=0)
_CODE_PIECES = items(typed({kind: _INLINE[kind] for kind in ("text", "link")}, "preformatted text"), least=0)
_BORDER = number(0, 1)


def _part(kind: str, elements: Check, **optional: Check) -> Check:
    return shape({"type": choice(kind), "elements": elements, **optional}, required=("type", "elements"))


_SECTION = _part("rich_text_section", _PIECES)
_LIST: dict[str, Check] = {
    "type": choice("rich_text_list"),
    "style": choice("bullet", "ordered"),
    "elements": items(typed({"rich_text_section": _SECTION}, "list")),
    "indent": number(0, 8),
    "offset": number(0),
    "border": _BORDER,
}
PARTS: dict[str, Check] = {
    "rich_text_section": _SECTION,
    "rich_text_list": shape(_LIST, required=("type", "style", "elements")),
    "rich_text_quote": _part("rich_text_quote", _PIECES, border=_BORDER),
    "rich_text_preformatted": _part("rich_text_preformatted", _CODE_PIECES, border=_BORDER, language=string(limits.ID)),
}
RICH_TEXT = shape(
    {"type": choice("rich_text"), "block_id": ID, "elements": items(typed(PARTS, "rich_text"))},
    required=("type", "elements"),
)


def has_rich_text(blocks: Any) -> bool:
    """Tell whether a message holds a rich_text block; an update may not take the last one away."""
    return isinstance(blocks, list) and any(isinstance(one, dict) and one.get("type") == "rich_text" for one in blocks)
