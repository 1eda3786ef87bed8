"""The approval card while it is open: what would run, shown from the bound bytes, and who may decide."""

from __future__ import annotations

from typing import Final

from sysop.model import Approval, ApprovalState, Risk
from sysop.surfaces.slack.blocks import bound, parts, verdict
from sysop.surfaces.slack.blocks.bound import Card
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.shown import Block, Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import rich, section, styled
from sysop.surfaces.slack.text import date, mrkdwn, one_line, times, visible, word

APPROVE: Final = "approval.approve"
DENY: Final = "approval.deny"
VIEW: Final = "approval.view"
_BELOW: Final = "_written out below_"


def block_id(approval: Approval) -> str:
    """Return the id of the row of buttons; another one at each change of the card."""
    return f"approval:{approval.id}:{len(approval.votes)}"


def card(it: Card, names: Names, links: Links) -> Shown:
    """Return the card as it must look now: open for decisions, or closed for good."""
    if it.approval.state is not ApprovalState.PENDING:
        return verdict.card(it, names, links)
    a = it.approval
    asked = mrkdwn(one_line(f"{a.action} on {a.target} in {a.environment}", 400), links)
    who = names.several(it.approvers)
    return shown(
        f"Approval needed: {asked}{f' ({who} may decide)' if who else ''}",
        parts.header(f"Approval needed · {a.risk.upper()} · {a.action}"),
        parts.fields(_facts(it, names)),
        rich(section(styled("Arguments", "bold")), *bound.odd(a), bound.arguments(a)),
        rich(section(styled("What changes", "bold")), bound.changes(a), *bound.reason(a, links)),
        parts.context([*bound.ids(it), *bound.evidence(it, links)]),
        parts.actions(block_id(a), buttons(a)),
    )


def _facts(it: Card, names: Names) -> list[tuple[str, str]]:
    a = it.approval
    return [
        *[(label, word(text) or _BELOW) for label, text in bound.named(a)],
        ("Risk", f"{a.risk} · {_affects(a)}"),
        ("Requested by", names.several(a.requesters) or "nobody known"),
        ("Who may approve", deciders(it, names)),
        ("Votes", _votes(a, names)),
        ("Expires", date(a.approve_by)),
    ]


def _affects(approval: Approval) -> str:
    felt = bound.preview(approval).affects
    known = [found for name in felt[:5] if (found := word(name))]
    if not felt:
        return "nobody else known to feel it"
    if len(known) < len(felt[:5]):
        return f"{times(len(felt), 'other')} may feel it, see below"
    return f"felt by {', '.join(known)}{f' and {len(felt) - 5} more' if len(felt) > 5 else ''}"


def deciders(it: Card, names: Names) -> str:
    """Return who may decide, as mrkdwn."""
    roles = [word(role) or mrkdwn(one_line(role, 40), Links()) for role in it.approval.roles[:4]]
    people = names.several(it.approvers)
    return f"{it.approval.count} of {' or '.join(roles) or 'nobody'}{f': {people}' if people else ''}, never who asked"


def _votes(approval: Approval, names: Names) -> str:
    yes = [vote.approver for vote in approval.votes if vote.approve]
    return f"{len(yes)} of {approval.count}{f': {names.several(yes)}' if yes else ''}"


def buttons(approval: Approval) -> list[Block]:
    """Return the buttons. Whoever may not decide is told so after the click: a card is the same for everybody."""
    what = one_line(visible(f"{approval.action} on {approval.target} in {approval.environment}"), 220)
    note = "Not all of it fits on the card: view all first." if bound.is_cut(approval) else "It runs once, as shown."
    style = "danger" if approval.risk is Risk.DESTRUCTIVE else "primary"
    ask = parts.confirm("Approve this call?", f"{what}. {note}", "Approve", style)
    return [
        parts.button("Approve", APPROVE, approval.id, "primary", ask),
        parts.button("Deny", DENY, approval.id, "danger"),
        parts.button("View all arguments", VIEW, approval.id),
    ]
