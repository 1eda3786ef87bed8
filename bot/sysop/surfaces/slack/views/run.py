"""The two forms of `/sysop run`: which action, and its arguments."""

from __future__ import annotations

import json
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from sysop.actions import Action
from sysop.errors import InvalidCall, InvalidRequest
from sysop.gate.bind import bind
from sysop.model import Call
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack import talk
from sysop.surfaces.slack.blocks import forms
from sysop.surfaces.slack.blocks.inputs import Given, Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming, words
from sysop.surfaces.slack.text import one_line
from sysop.surfaces.slack.views.form import first_input, form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to both; the first one is answered by the second and is not worked on."""

    async def chosen(ack: AsyncAck, body: dict[str, Any]) -> None:
        it = edge.parse(body)
        found = forms.chosen(desk.host.actions, it.state) if it else Wrong({})
        if it is None or isinstance(found, Wrong):
            await ack(response_action="errors", errors=dict(found.errors) if isinstance(found, Wrong) else {})
            return
        memory = json.dumps({**it.metadata, "action": found.name})
        await ack(response_action="update", view=forms.run(found, desk.inventory, {}, memory))

    app.view(forms.CHOOSE)(chosen)
    form(app, desk, forms.RUN, _check, _work, Need.MEMBER)


async def _check(desk: Desk, it: Incoming) -> Given | Wrong:
    return _arguments(desk, it)


def _action(desk: Desk, it: Incoming) -> Action:
    found = desk.host.find(words(it.metadata.get("action")))
    if found is None:
        raise InvalidRequest("this action does not exist any more")
    return found


def _arguments(desk: Desk, it: Incoming) -> Given | Wrong:
    """Return the arguments as the gate will take them, or what is wrong beside the input."""
    action = _action(desk, it)
    found = forms.arguments(action, desk.inventory, it.state)
    if isinstance(found, Wrong):
        return found
    try:
        bind(desk.host, desk.inventory, "check", Call("check", action.name, found.values))
    except InvalidCall as bad:
        return Wrong({first_input(it): one_line(str(bad), 150)})
    return found


async def _work(desk: Desk, asking: Asking) -> Shown | None:
    found = _arguments(desk, asking.it)
    if isinstance(found, Wrong):
        raise InvalidRequest("; ".join(found.errors.values()))
    return await talk.call(desk, asking, _action(desk, asking.it).name, found.values, channel=asking.it.channel)
