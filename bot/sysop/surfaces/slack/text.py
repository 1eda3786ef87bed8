"""Text that others wrote, made inert: it pings nobody, links nowhere off the allow-list, and hides nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sysop.surfaces.slack.links import Links, Piece, pieces

BREAK: Final = "\u200b"  # zero width: parts what would mean something together
TICK: Final = "ˋ"  # looks like a backtick and opens no code
_LOOK: Final = 16
MAX_ANCHOR: Final = 400
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_AFTER_SYMBOL: Final = re.compile("(?<=[\u2100-\u2bff\u3030-\u303d\U0001f000-\U0001faff])\\\\u\\{fe0f\\}")
_GROUP: Final = re.compile("@(?=here|channel|everyone)", re.I)
_FLAG_LETTERS: Final = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_FLAGS_BEFORE: Final = re.compile("[\U0001f1e6-\U0001f1ff]*$")
_WRITTEN: Final = re.compile(r"\\u\{[0-9a-f]{1,6}\}")
_BEFORE_CODE: Final = frozenset(" \t\n([{\"'")
_AFTER_CODE: Final = frozenset(" \t\n)]}.,;:!?\"'")
_JOINT: Final = re.compile(r"[.。．｡:](?=\S)")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/@+-]{1,120}")


def visible(text: str) -> str:
    r"""Return text with all that could hide in it or reorder it written out, such as `\u{202e}`.

    An accent that would melt into the letter before it is written out too, since `é` can be two different texts.
    Letters that merely look alike stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char, text[at - 1] if at else "") for at, char in enumerate(text))


def _shown(char: str, before: str) -> str:
    if char in "\n\t":
        return char
    if not char.isprintable() or char in _BLANK or (char > "\u02ff" and _melts(before, char)):
        return f"\\u{{{ord(char):x}}}"
    return char


def _melts(before: str, char: str) -> bool:
    if not before:
        return unicodedata.combining(char) > 0
    return len(unicodedata.normalize("NFC", before + char)) == 1


def readable(text: str) -> str:
    """Return `visible` text for prose: the mark that asks for an emoji in colour hides nothing and stays."""
    return _AFTER_SYMBOL.sub("\ufe0f", visible(text))


def one_line(text: str, limit: int) -> str:
    """Return `readable` text on one line, cut to a length. Of a very long one only the beginning is looked at."""
    begin = text[: limit * _LOOK]
    flat = readable(" ".join(begin.split()))
    return cut(flat if len(begin) == len(text) else f"{flat} …", limit, "…")


def escape(text: str) -> str:
    """Return text without control sequences of mrkdwn. In this order: an ampersand written first is not touched."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(text: str, links: Links) -> str:
    """Return text as mrkdwn that means nothing but itself; addresses off the list are code."""
    return spaced(map(_as_mrkdwn, pieces(readable(text).replace("`", TICK), links)))


def _as_mrkdwn(piece: Piece) -> tuple[str, bool]:
    if piece.kind == "link":
        return f"<{escape(piece.text)}>", False
    inert = escape(ungroup(piece.text))
    return (f"`{inert}`", True) if piece.kind == "code" else (inert, False)


def spaced(parts: Iterable[tuple[str, bool]]) -> str:
    """Return (text, is it code) joined: code that touches a word would be no code, so a space comes between."""
    found, after_code = "", False
    for text, code in parts:
        touches = (code and found[-1:] not in _BEFORE_CODE) or (after_code and text[:1] not in _AFTER_CODE)
        found += f" {text}" if touches and found and text else text
        after_code = code if text else after_code
    return found


def ungroup(text: str) -> str:
    """Return text in which `@here` and its like are no words any more."""
    return _GROUP.sub(f"@{BREAK}", text)


def bare(text: str) -> str:
    """Return text for where Slack does not say how it reads it: it looks as it is, and nothing in it is one word."""
    inert = ungroup(text.replace("<", f"<{BREAK}").replace("`", TICK))
    return _JOINT.sub(rf"\g<0>{BREAK}", inert)


def word(text: str) -> str | None:
    """Return a plain identifier as inline code of mrkdwn; None for anything else, which belongs into rich text."""
    return f"`{text}`" if _WORD.fullmatch(text) and not _GROUP.search(text) else None


def anchor(text: str, url: str | None, links: Links) -> str | None:
    """Return a link with a label as mrkdwn; None where the address may not be one, or is too long to stand there."""
    if not url or len(url) > MAX_ANCHOR or not links.allows(url):
        return None
    label = one_line(text, 80).replace("|", "¦").replace("`", TICK)
    return f"<{escape(url)}|{escape(label) or 'link'}>"


def plain(text: str, limit: int) -> dict[str, Any]:
    """Return a plain_text object on one line, never empty."""
    return {"type": "plain_text", "text": one_line(text, limit) or "–", "emoji": False}


def marked(text: str) -> dict[str, Any]:
    """Return a mrkdwn object of text that is mrkdwn already; Slack makes nothing more of it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def width(text: str) -> int:
    """Return how long Slack may find a text: the length in UTF-16, never less than in characters."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int, note: str = "… {n} more characters") -> str:
    """Return text of at most `limit`; a cut ends with a note that may say how many characters are missing."""
    if width(text) <= limit:
        return text
    room = limit - len(note.format(n=len(text)))
    kept = text[: boundary(text, _at_width(text, max(room, 0)))].rstrip()
    return kept + note.format(n=len(text) - len(kept))


def split(text: str, limit: int) -> list[str]:
    """Return text in parts of at most `limit`, parted at a line or a space where there is one; joined they are it."""
    parts, at = [], 0
    while width(text[at : at + limit + 1]) > limit:
        part = text[at : at + limit]
        end = _at_width(part, limit)
        line, space = part.rfind("\n", end // 2, end), part.rfind(" ", end // 2, end)
        torn = boundary(text[at : at + end + 16], end)
        end = (line if line > 0 else space) + 1 or max(torn, 1)
        parts.append(part[:end])
        at += end
    return [*parts, text[at:]]


def _at_width(text: str, limit: int) -> int:
    """Return how many characters fit."""
    if width(text[:limit]) <= limit:
        return min(limit, len(text))
    used = 0
    for at, char in enumerate(text):
        used += 2 if char > "\uffff" else 1
        if used > limit:
            return at
    return len(text)


def boundary(text: str, at: int) -> int:
    """Return a place no later than `at` where no letter with its marks, emoji or escaped character is torn."""
    for end in range(at, max(at - 16, 0), -1):
        if end >= len(text) or not (_joins(text, end) or _inside_written(text, end)):
            return end
    return 0 if at <= 16 else at


def _joins(text: str, at: int) -> bool:
    char, before = text[at], text[at - 1]
    joined = (
        unicodedata.category(char).startswith("M") or char in "\u200d\ufe0f" or "\U0001f3fb" <= char <= "\U0001f3ff"
    )
    flag = char in _FLAG_LETTERS and len(_FLAGS_BEFORE.search(text[max(at - 16, 0) : at])[0]) % 2 == 1  # type: ignore[index]
    return joined or flag or before == "\u200d"


def _inside_written(text: str, at: int) -> bool:
    return any(
        found.start() < at - max(at - 10, 0) < found.end()
        for found in _WRITTEN.finditer(text[max(at - 10, 0) : at + 10])
    )


def date(ms: int) -> str:
    """Return a time as a token that Slack shows in the reader's own zone."""
    return f"<!date^{max(ms, 0) // 1000}^{{date_short_pretty}} {{time}}|{date_text(ms)}>"


def date_text(ms: int) -> str:
    """Return a time for where no zone is known."""
    return datetime.fromtimestamp(max(ms, 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(ms: int) -> str:
    """Return a length of time in its two largest units."""
    seconds = max(0, ms) // 1000
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def times(count: int, noun: str, many: str | None = None) -> str:
    """Return a count with its noun, such as `3 alerts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or f'{noun}s'}"
