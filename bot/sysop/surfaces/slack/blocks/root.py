"""The first message of a conversation that a command, a shortcut or a form began; its thread holds the rest."""

from __future__ import annotations

from typing import Final

from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.shown import Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import rich, said, section, styled
from sysop.surfaces.slack.text import mrkdwn, one_line

_GOES_ON: Final = "The answer comes in this thread; write there to go on."
_ASKS: Final = "Whoever may approve is asked in this thread."


def root(
    owner: str, title: str, text: str, run: str | None, names: Names, links: Links, *, asks: bool = False
) -> Shown:
    """Return who asked for what. `title` is used where there is no text, as with a form; `asks` for a second card."""
    wish = text.strip() or title
    who = [names.element(owner), styled(" asked: ")] if owner else []
    by = f"{names.mrkdwn(owner)} asked: " if owner else ""
    return shown(
        f"{by}{mrkdwn(one_line(wish, 400), links) or 'a request'}",
        rich(section(*who, *said(wish, links, 1500))),
        parts.context([_ASKS if asks else _GOES_ON, *([f"run `{run}`"] if run else [])]),
    )
