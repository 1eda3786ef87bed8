"""The buttons of an incident's opening card."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.store import outbox
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks import incident as card
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.incoming import Incoming, table, words


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the buttons."""
    app.action(card.ACKNOWLEDGE)(listener(desk, acknowledge, Need.MEMBER))
    app.action(card.TRIAGE)(listener(desk, triage, Need.MEMBER))
    app.action(card.RESOLVE)(listener(desk, resolve, Need.MEMBER))
    app.action(card.REOPEN)(listener(desk, reopen, Need.MEMBER))


async def _on_card(desk: Desk, it: Incoming) -> str:
    """Return the incident whose card was clicked. Raises InvalidRequest for any other message."""
    ts = words(table(it.body.get("container")).get("message_ts"))
    stored = await desk.store.read(lambda conn: outbox.find_message(conn, it.channel, ts))
    if not it.value or stored is None or stored.key != keys.incident(it.value):
        raise InvalidRequest("this is not the card that Sysop posted for this incident; nothing was done")
    return it.value


async def acknowledge(desk: Desk, asking: Asking) -> None:
    """Note who looks after the incident; its card shows it."""
    await desk.lifecycle.acknowledge(await _on_card(desk, asking.it), asking.actor)


async def triage(desk: Desk, asking: Asking) -> Shown:
    """Start a run that looks into the incident."""
    run = await desk.lifecycle.triage(await _on_card(desk, asking.it), asking.actor)
    return notice(f"On it: run {run}. You are one of those who ask for it: another person has to approve its changes.")


async def resolve(desk: Desk, asking: Asking) -> None:
    """Close the incident; its card shows it."""
    await desk.lifecycle.resolve(await _on_card(desk, asking.it), asking.actor, "closed in Slack")


async def reopen(desk: Desk, asking: Asking) -> None:
    """Open a resolved incident again whose alerts fire still; its card shows it."""
    await desk.lifecycle.reopen(await _on_card(desk, asking.it), asking.actor)
