"""The form that sets a silence."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.incidents.silencing import Wish
from sysop.surfaces.slack.blocks import silences as view
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.commands import silence
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.views.form import form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the form."""
    form(app, desk, view.FORM, _check, _work, Need.MEMBER)


async def _check(_desk: Desk, it: Incoming) -> Wish | Wrong:
    return view.wished(it.state)


async def _work(desk: Desk, asking: Asking) -> Shown:
    found = view.wished(asking.it.state)
    if isinstance(found, Wrong):
        raise InvalidRequest("; ".join(found.errors.values()))
    return await silence.add(desk, asking, found)
