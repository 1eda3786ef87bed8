"""The buttons of an approval card."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.surfaces.slack import votes
from sysop.surfaces.slack.blocks import approval as card
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the three buttons; whose vote does not count, the gate decides, tells and writes down."""
    app.action(card.APPROVE)(listener(desk, approve, Need.ACCOUNT))
    app.action(card.DENY)(listener(desk, deny, Need.ACCOUNT))
    app.action(card.VIEW)(listener(desk, view, Need.ACCOUNT))


async def approve(desk: Desk, asking: Asking) -> Shown | None:
    """Vote yes. The card shows that it counts, and whoever lost is told why; a Home has no card, both are told."""
    approval = await votes.on_card(desk, asking.it)
    counted = await votes.cast(desk, asking, approval.id, True, digest=approval.digest)
    at_card = asking.it.view.get("type") != "home"
    return None if counted.counted and at_card else await votes.told(desk, asking, approval.id, counted, True)


async def deny(desk: Desk, asking: Asking) -> Shown | None:
    """Tell whoever cannot deny why; for others the form that asks for a reason has opened already."""
    approval = await votes.on_card(desk, asking.it)
    return await votes.refusal(desk, asking, approval.id)


async def view(desk: Desk, asking: Asking) -> None:
    """Do nothing: the modal with everything that is bound has opened already."""
    await votes.on_card(desk, asking.it)
