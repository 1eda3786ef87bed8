"""Sections that were found, for a terminal: the lines that answer, the citation, and how sure the search is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from rich.console import Console, Group
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from sysop.cli import show
from sysop.knowledge.citation import Citation, of_hit
from sysop.knowledge.excerpt import Line, excerpt
from sysop.knowledge.hits import Hit
from sysop.knowledge.retrieval import FITS

CELLS: Final = 10
_TITLE: Final = 100
_NONE: Final = "no runbook has any of these words"
_NEAR: Final = "no runbook fits for sure; the nearest, as a possibility:"


def sections(hits: Sequence[Hit], words: str, console: Console, today: date, max_age_days: int) -> None:
    """Print what was found, best first, and say so where none of it fits."""
    if not hits:
        console.print(_NONE)
        return
    if hits[0].confidence < FITS:
        console.print(Text(_NEAR, style="yellow"))
    for hit in hits:
        console.print(_panel(hit, words, of_hit(hit, today, max_age_days)))


def sections_json(hits: Iterable[Hit], words: str, today: date, max_age_days: int) -> list[dict[str, Any]]:
    """Return what was found with the fields of its citation; `citation` is `path#section`."""
    return [
        {
            **of_hit(hit, today, max_age_days).as_json(),
            "confidence": round(hit.confidence, 3),
            "fits": hit.confidence >= FITS,
            "lines": ["".join(span.text for span in line) for line in excerpt(hit.section, words)],
        }
        for hit in hits
    ]


def _panel(hit: Hit, words: str, cited: Citation) -> Panel:
    title = " · ".join(filter(None, (cited.title, cited.heading))) or cited.page
    lines = [_line(line) for line in excerpt(hit.section, words)]
    return Panel(
        Group(*lines, _cited(cited), _sure(hit.confidence)),
        title=Text(show.one_line(title, _TITLE), style="bold"),
        title_align="left",
        border_style="green" if hit.confidence >= FITS else "dim",
    )


def _line(line: Line) -> Text:
    """Return a line of a page; whatever it holds, nothing of it is markup or moves the cursor."""
    found = Text()
    for span in line:
        found.append(show.visible(span.text), style="bold cyan" if span.found else "")
    return found


def _cited(cited: Citation) -> Text:
    """Return the citation, a link where people can read the page, in yellow where nobody has reviewed it lately."""
    link = Style(link=cited.link) if cited.link else Style()
    text = Text(overflow="fold").append(show.visible(cited.ref), style=Style(bold=True) + link)
    standing = f" ({'' if cited.sound else '! '}rev {cited.revision}, {cited.review})"
    return text.append(standing, style="dim" if cited.sound else "yellow")


def _sure(confidence: float) -> Text:
    full = max(0, min(CELLS, round(confidence * CELLS)))
    style = "green" if confidence >= FITS else "yellow"
    bar = Text().append("█" * full, style=style).append("░" * (CELLS - full), style="dim")
    return bar.append(f" {confidence:.2f}", style="dim")
