"""The form that asks why not."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.surfaces.slack import votes
from sysop.surfaces.slack.blocks import approval_views
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need
from sysop.surfaces.slack.incoming import Incoming, words
from sysop.surfaces.slack.views.form import form


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the form."""
    form(app, desk, approval_views.DENY, _check, _work, Need.ACCOUNT)


async def _check(_desk: Desk, it: Incoming) -> str | Wrong:
    reason = approval_views.denial(it.state)
    return reason if isinstance(reason, str) else Wrong(reason)


async def _work(desk: Desk, asking: Asking) -> Shown | None:
    reason = approval_views.denial(asking.it.state)
    if not isinstance(reason, str):
        raise InvalidRequest("the form was empty")
    id = words(asking.it.view.get("private_metadata"))
    counted = await votes.cast(desk, asking, id, False, reason)
    return None if counted.counted else await votes.told(desk, asking, id, counted, False)
