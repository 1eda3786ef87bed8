"""The forms that split an incident and that make it part of another one."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.model import Incident
from sysop.store import incidents
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks import regroup
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming, words
from sysop.surfaces.slack.views.form import form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to both; who may, regrouping itself says."""
    form(app, desk, regroup.SPLIT, _check_split, _split, Need.MEMBER)
    form(app, desk, regroup.MERGE, _check_merge, _merge, Need.MEMBER)


async def _incident(desk: Desk, it: Incoming) -> Incident:
    id = words(it.metadata.get("incident"))
    return await desk.store.read(lambda conn: incidents.load(conn, id))


async def _check_split(desk: Desk, it: Incoming) -> tuple[str, ...] | Wrong:
    return regroup.chosen(await _incident(desk, it), it.state)


async def _split(desk: Desk, asking: Asking) -> Shown:
    incident = await _incident(desk, asking.it)
    found = regroup.chosen(incident, asking.it.state)
    if isinstance(found, Wrong):
        raise InvalidRequest("; ".join(found.errors.values()))
    made = await desk.regroup.split(incident.id, found, asking.actor)
    return notice(f"{made} is an incident of its own now, split off {incident.id}.")


async def _check_merge(_desk: Desk, it: Incoming) -> str | Wrong:
    return regroup.into(it.state)


async def _merge(desk: Desk, asking: Asking) -> Shown:
    into = regroup.into(asking.it.state)
    if isinstance(into, Wrong):
        raise InvalidRequest("; ".join(into.errors.values()))
    id = words(asking.it.metadata.get("incident"))
    incident = await desk.store.read(lambda conn: incidents.head(conn, id))
    if incident.merged_into != into:  # else somebody else was faster, or this is done a second time
        await desk.regroup.merge(incident.id, into, asking.actor)
    return notice(f"{incident.id} is part of {into} now.")
