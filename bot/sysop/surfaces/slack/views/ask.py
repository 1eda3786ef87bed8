"""The form that asks Sysop something."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.surfaces.slack import talk
from sysop.surfaces.slack.blocks import forms
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.views.form import form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the form."""
    form(app, desk, forms.ASK, _check, _work, Need.ACCOUNT)


async def _check(_desk: Desk, it: Incoming) -> str | Wrong:
    return forms.asked(it.state)


async def _work(desk: Desk, asking: Asking) -> Shown | None:
    text = forms.asked(asking.it.state)
    if isinstance(text, Wrong):
        raise InvalidRequest("the form was empty")
    return await talk.begin(desk, asking, text, channel=asking.it.channel)
