"""The button that ends a silence."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.surfaces.slack.blocks import silences as view
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.silence import told
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the button."""
    app.action(view.END)(listener(desk, end, Need.MEMBER))


async def end(desk: Desk, asking: Asking) -> Shown:
    """End a silence; who may, the silences themselves say."""
    return await told(desk, await desk.silences.end(asking.it.value, asking.actor))
