"""Buttons that open a form: of the Home, and of a form that came too late. The form has opened already."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.surfaces.slack.blocks import home
from sysop.surfaces.slack.desk import Asking, Desk, listener
from sysop.surfaces.slack.views.opening import OPEN, need_of

BUTTONS = (home.ASK, home.INCIDENT, home.RUN, home.PAUSE, home.RESUME, OPEN)


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to all of them."""
    for button in BUTTONS:
        app.action(button)(listener(desk, _nothing, need_of))


async def _nothing(_desk: Desk, _asking: Asking) -> None:
    return
