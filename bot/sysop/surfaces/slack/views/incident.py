"""The form that opens an incident by hand."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks import forms
from sysop.surfaces.slack.blocks.forms import NewIncident
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.views.form import form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the form."""
    form(app, desk, forms.INCIDENT, _check, _work, Need.MEMBER)


async def _check(desk: Desk, it: Incoming) -> NewIncident | Wrong:
    return forms.opened(desk.inventory, it.state)


async def _work(desk: Desk, asking: Asking) -> Shown:
    found = forms.opened(desk.inventory, asking.it.state)
    if isinstance(found, Wrong):
        raise InvalidRequest("; ".join(found.errors.values()))
    incident = await desk.lifecycle.open_by_hand(
        asking.actor,
        found.title,
        found.severity,
        found.services,
        delivery=asking.key,
        triage=found.triage,
        note=found.note,
    )
    return notice(opened(desk, incident))


def opened(desk: Desk, incident: str) -> str:
    """Return where an incident can be followed."""
    where = "its thread is in the channel of incidents" if desk.settings.channel else "follow it with /sysop incident"
    return f"Incident {incident} is open; {where}."
