"""How a modal is taken: first it is checked while the person waits, then it is written down, then it is worked on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest

from sysop.errors import InvalidRequest, StoreError
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.desk import Desk, Need, Work, answer
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.intake import NOTHING_WAS_RUN, NOTHING_YET, NotKept, signature_of

Check = Callable[[Desk, Incoming], Awaitable[Any]]
"""Returns Wrong where a form cannot be taken; anything else is forgotten, since it is parsed again later."""

log = logging.getLogger(__name__)


def form(app: AsyncApp, desk: Desk, callback: str, check: Check, work: Work, need: Need) -> None:
    """Listen to a modal."""

    async def submitted(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, req: AsyncBoltRequest) -> None:
        it = edge.parse(body)
        if it is None:
            await ack()
            return
        if context.get("replay"):
            await ack()
            await answer(desk, it, work, need, int(context.get("attempt") or 1))
            return
        errors = await problems(desk, it, check, signature_of(req))
        await (ack(response_action="errors", errors=dict(errors)) if errors else ack())

    app.view(callback)(submitted)


async def problems(desk: Desk, it: Incoming, check: Check, signature: str | None) -> Mapping[str, str]:
    """Return what is wrong by block; with nothing wrong, the form is in the inbox."""
    try:
        found = await check(desk, it)
    except (InvalidRequest, StoreError) as failed:
        log.info("a form %s could not be checked: %s", it.key, failed)
        return {first_input(it): NOTHING_WAS_RUN if isinstance(failed, StoreError) else str(failed)}
    if isinstance(found, Wrong):
        return found.errors
    try:
        await desk.keep(it, signature)
    except NotKept as failed:
        return {first_input(it): NOTHING_WAS_RUN if failed.surely else NOTHING_YET}
    return {}


def first_input(it: Incoming) -> str:
    """Return the block beside which an error of the whole form is shown."""
    blocks = it.view.get("blocks")
    inputs = (edge.table(block) for block in (blocks if isinstance(blocks, list) else ()))
    return next((str(block.get("block_id")) for block in inputs if block.get("type") == "input"), "none")
