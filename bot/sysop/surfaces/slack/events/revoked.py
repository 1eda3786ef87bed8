"""A workspace takes the app away: nothing is sent there any more, and the health says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from slack_bolt.async_app import AsyncApp

from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack.desk import Desk

REVOKED: Final = "tokens_revoked"
UNINSTALLED: Final = "app_uninstalled"


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to both."""
    app.event(REVOKED)(_listener(desk))
    app.event(UNINSTALLED)(_listener(desk))


def _listener(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def gone(body: dict[str, Any]) -> None:
        it = edge.parse(body)
        if it is None or (it.name == REVOKED and not edge.table(it.event.get("tokens")).get("bot")):
            return  # tokens of users: Sysop has none
        if await desk.clients.revoke(it.team, it.name):
            await desk.store.write(lambda tx: tx.audit("system", f"slack.{it.name}", "service:slack", team=it.team))

    return gone
