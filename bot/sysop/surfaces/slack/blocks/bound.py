"""What an approval binds, as the cards show it: the call, its preview, and the ids to look it up by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sysop.model import Approval, Outcome
from sysop.store.mode import Mode
from sysop.surfaces.slack.blocks.calls import arguments_text
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, preformatted, said, section, styled
from sysop.surfaces.slack.text import anchor, cut, escape, mrkdwn, one_line, visible, word

MAX_SHOWN: Final = 2500
_MORE: Final = "… {n} more, view all"


@dataclass(frozen=True, slots=True)
class Card:
    """An approval with what a card says beside it. `outcome` is what its call came to, `closed` by whom and when.

    `approvers` are the actors who may decide, `rule` is the policy rule that asks, `evidence` (text, address) pairs.
    `paused` is the pause that holds every change back right now.
    """

    approval: Approval
    approvers: Sequence[str] = ()
    rule: str = ""
    evidence: Sequence[tuple[str, str]] = ()
    closed: tuple[str, int] | None = None
    outcome: Outcome | None = None
    paused: Mode | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action said it would change."""

    summary: str
    changes: tuple[str, ...]
    affects: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return all of it, one statement a line."""
        felt = [f"who feels it: {', '.join(self.affects)}"] if self.affects else []
        return "\n".join([self.summary, *self.changes, *felt])


def preview(approval: Approval) -> Preview:
    """Return the preview from its bound bytes."""
    found: dict[str, Any] = json.loads(approval.preview) or {}
    changes, affects = found.get("changes") or (), found.get("affects") or ()
    return Preview(str(found.get("summary", "")), tuple(map(str, changes)), tuple(map(str, affects)))


def arguments(approval: Approval) -> Element:
    """Return every bound argument, cut where a card has no more room."""
    return preformatted(arguments_text(approval.args), MAX_SHOWN, _MORE)


def changes(approval: Approval) -> Element:
    """Return the preview, cut where a card has no more room."""
    return preformatted(preview(approval).text, MAX_SHOWN, _MORE)


def is_cut(approval: Approval) -> bool:
    """Tell whether a card has no room for all that is bound."""
    whole = (arguments_text(approval.args), visible(preview(approval).text))
    return any(cut(text, MAX_SHOWN) != text for text in whole)


def named(approval: Approval) -> list[tuple[str, str]]:
    """Return what the call is about by name."""
    about = approval
    return [("Action", about.action), ("Target", about.target), ("Environment", about.environment)]


def odd(approval: Approval) -> list[Element]:
    """Return those names that are no plain identifiers, as JSON: such text stands in rich text only."""
    lines = [f"{label}: {json.dumps(text, ensure_ascii=False)}" for label, text in named(approval) if not word(text)]
    return [preformatted("\n".join(lines), 1000)] if lines else []


def reason(approval: Approval, links: Links) -> list[Element]:
    """Return what the planner says for the call, marked as its words: a model may have written them."""
    if not approval.reason.strip():
        return []
    words = said(one_line(approval.reason, 600), links)
    return [section(styled("Why, in the planner's words: ", "italic"), *words)]


def ids(it: Card) -> list[str]:
    """Return what identifies the approval, for the small print."""
    known = [("run", it.approval.run), ("approval", it.approval.id), ("digest", it.approval.digest[:12])]
    rule = word(it.rule) or mrkdwn(one_line(it.rule, 120), Links())
    return [f"{what} `{escape(text)}`" for what, text in known] + ([f"rule {rule}"] if it.rule else [])


def evidence(it: Card, links: Links) -> list[str]:
    """Return links to evidence, those that may be links."""
    return [found for text, url in it.evidence if (found := anchor(text, url, links))][:5]
