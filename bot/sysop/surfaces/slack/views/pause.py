"""The form that pauses changes, or lets them go on."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.surfaces.slack.blocks import forms
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands.switch import go_on, hold
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.views.form import form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the form."""
    form(app, desk, forms.PAUSE, _check, _work, Need.MEMBER)


async def _check(_desk: Desk, it: Incoming) -> str | Wrong:
    return forms.paused(it.state)


async def _work(desk: Desk, asking: Asking) -> Shown:
    reason = forms.paused(asking.it.state)
    if isinstance(reason, Wrong):
        raise InvalidRequest("the form was empty")
    return await (go_on if asking.it.metadata.get("to") == "resume" else hold)(desk, asking, reason)
