"""Which addresses stay links in what is posted, and where in a text an address stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

_WEB: Final = re.compile(r"https?://([a-z0-9.-]+(?::[0-9]{1,5})?)(?:[/?#][A-Za-z0-9\-._~/?#&=+,:%!$]*)?", re.I)
_LABEL: Final = re.compile(r"(?!xn--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

# An address cannot hold these, or need not: what stands beyond them is looked at on its own.
_RUN: Final = re.compile(r"""[^\s<>()\[\]{}"'`|*“”‘’«»]+""")
_ADDRESS: Final = re.compile(
    r"://|(?<![^\W\d_])(?:www\.|(?:mailto|tel|sms|data|file|javascript|vbscript|slack|skype|facetime):)"
    r"|[\w-][.。．｡][^\W\d_][\w-]",
    re.I,
)
_CLOSES: Final = re.compile(r"""[)\]}"'.,;:!?*_]*(?:\s|$)""")
_TRAILING: Final = ".,;:!?"
MAX_URL: Final = 2000


@dataclass(frozen=True, slots=True)
class Links:
    """The allow-list. `example.com` allows that host alone, `*.example.com` every host below it and not itself.

    `own` are hosts, or `host:port`, of pages that Sysop serves; no other address may name a port. What a reader
    could take for another host or for a mention is refused: any @, international names, a dot at the end of a host.
    """

    hosts: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def allows(self, url: str) -> bool:
        """Tell whether an address may be a link."""
        found = _WEB.fullmatch(url) if len(url) <= MAX_URL else None
        if found is None:
            return False
        host = found[1].lower()
        return host in self.own or (_is_name(host) and any(_covers(entry.lower(), host) for entry in self.hosts))


def _is_name(host: str) -> bool:
    return all(_LABEL.fullmatch(label) for label in host.split("."))


def _covers(entry: str, host: str) -> bool:
    return host.endswith(entry[1:]) and len(host) >= len(entry) if entry.startswith("*.") else host == entry


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: `link` may be one, `code` is an address that may not, or what somebody marked as code."""

    kind: Literal["text", "link", "code"]
    text: str


def pieces(text: str, links: Links) -> Iterator[Piece]:
    """Yield a text in parts, nothing left out: whatever some client could take for an address is told apart.

    A link ends before a space, with nothing but closing punctuation between: no client reads more into it than we do.
    """
    done = 0
    for run in _RUN.finditer(text):
        ends = _CLOSES.match(text, run.end())
        word = run[0].rstrip(_TRAILING) if ends else run[0]
        if not _ADDRESS.search(word):
            continue
        end = run.start() + len(word)
        live = ends is not None and links.allows(word)
        if run.start() > done:
            yield Piece("text", text[done : run.start()])
        yield Piece("link" if live else "code", word)
        done = end
    if done < len(text):
        yield Piece("text", text[done:])
