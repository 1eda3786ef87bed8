"""The approval card after the decision: who, when, and what came of it. It never changes back."""

from __future__ import annotations

from typing import Final

from sysop.model import ApprovalState, EffectState, Outcome
from sysop.store.mode import Mode
from sysop.surfaces.slack.blocks import bound, parts
from sysop.surfaces.slack.blocks.bound import Card
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.shown import Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, bullets, date, rich, said, section, styled
from sysop.surfaces.slack.text import mrkdwn, one_line

_YES: Final = (ApprovalState.APPROVED, ApprovalState.CONSUMED)
_WORDS: Final = {
    ApprovalState.PENDING: "⏳ Open",
    ApprovalState.APPROVED: "✅ Approved",
    ApprovalState.CONSUMED: "✅ Approved",
    ApprovalState.DENIED: "⛔ Denied",
    ApprovalState.EXPIRED: "⌛ Expired",
    ApprovalState.REVOKED: "↩ Withdrawn",
    ApprovalState.VOID: "🚫 Void",
}
_OUTCOMES: Final = {
    EffectState.INTENT: "It is about to run.",
    EffectState.EXECUTING: "It is running.",
    EffectState.DONE: "It was done, once.",
    EffectState.FAILED: "It failed, and nothing was changed: ",
    EffectState.UNKNOWN: "Nobody can tell whether it happened. A person must look and say so; evidence ",
}


def card(it: Card, names: Names, links: Links) -> Shown:
    """Return the closed card. It keeps a rich text: Slack takes no update that loses the last one."""
    a = it.approval
    title = f"{_WORDS[a.state]} · {one_line(f'{a.action} on {a.target}', 110)}"
    who = names.several(_deciders(it))
    return shown(
        f"{mrkdwn(title, links)}{f' (by {who})' if who else ''}",
        parts.header(title),
        rich(
            section(*_decision(it, names)),
            bullets(_voices(it, names, links)),
            section(*_outcome(it, names, links)),
        ),
        rich(section(styled("Asked for by ", "bold"), *_asked(it, names)), *bound.odd(a), bound.arguments(a)),
        parts.context([*bound.ids(it), f"votes {sum(vote.approve for vote in a.votes)} of {a.count}"]),
    )


def _deciders(it: Card) -> list[str]:
    if it.approval.state in _YES:
        return [vote.approver for vote in it.approval.votes if vote.approve]
    no = [vote.approver for vote in it.approval.votes if not vote.approve]
    return no or ([it.closed[0]] if it.closed and not it.closed[0].startswith("service:") else [])


def _decision(it: Card, names: Names) -> list[Element]:
    who = names.elements(_deciders(it))
    by = [styled(" by "), *who] if who else []
    return [styled(_WORDS[it.approval.state].partition(" ")[2], "bold"), *by, *_when(it)]


def _when(it: Card) -> list[Element]:
    at = it.closed[1] if it.closed else max((vote.at for vote in it.approval.votes), default=None)
    return [] if at is None else [styled(", "), date(at)]


def _voices(it: Card, names: Names, links: Links) -> list[list[Element]]:
    found: list[list[Element]] = []
    for vote in it.approval.votes[:10]:
        why = [styled(": "), *said(one_line(vote.reason, 500), links)] if vote.reason.strip() else []
        found.append([names.element(vote.approver), styled(" said yes" if vote.approve else " said no"), *why])
    return found


def _outcome(it: Card, names: Names, links: Links) -> list[Element]:
    if it.approval.state not in _YES:
        why = it.approval.closed_reason or ""
        because = [styled(" Reason: "), *said(one_line(why, 500), links)] if why.strip() else []
        return [styled("It was not run and cannot be run with this approval."), *because]
    if it.outcome:
        return _ran(it.outcome, links)
    return _held(it.paused, it, names, links) if it.paused else [styled("It runs as soon as the run goes on.")]


def _held(pause: Mode, it: Card, names: Names, links: Links) -> list[Element]:
    """Return why nothing happens yet: an approval does not lift a pause, and is not kept for ever."""
    who = [styled(" by "), names.element(pause.by)] if pause.by else []
    why = said(one_line(pause.reason, 300), links) if pause.reason.strip() else [styled("no reason given")]
    until = it.approval.execute_by
    last = [styled(" before "), date(until), styled("; after that it must be approved again")] if until else []
    then = [styled(". It runs after "), styled("/sysop resume", "code"), *last, styled(".")]
    return [styled("⏸ Changes are paused", "bold"), *who, styled(": "), *why, *then]


def _ran(outcome: Outcome, links: Links) -> list[Element]:
    found = [styled(_OUTCOMES[outcome.state])]
    if outcome.state is EffectState.UNKNOWN:
        return [*found, styled(outcome.evidence, "code")]
    if outcome.state is EffectState.FAILED:
        return [*found, *said(one_line(outcome.error or "no reason given", 500), links)]
    if outcome.verified is not None:
        found.append(
            styled(" Checked afterwards: it helped." if outcome.verified else " Checked afterwards: it did not help.")
        )
        found += [styled(" "), *said(one_line(outcome.verification, 300), links)] if outcome.verification else []
    return found


def _asked(it: Card, names: Names) -> list[Element]:
    return names.elements(it.approval.requesters) or [styled("nobody known")]
