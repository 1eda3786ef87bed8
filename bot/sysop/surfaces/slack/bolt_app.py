"""The Bolt app: who we are is known and never asked, what a listener raises is logged under a reference."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from sysop.errors import InvalidRequest, SettingsError, SysopError
from sysop.model import new_id
from sysop.store.inbox import Delivery
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack.clients import Clients, SlackUnavailable
from sysop.surfaces.slack.consumer import Result
from sysop.surfaces.slack.intake import Intake

log = logging.getLogger(__name__)


def build(clients: Clients, intake: Intake, secret: str) -> AsyncApp:
    """Return the app without listeners. Everything is given: what is not, Bolt takes from the environment."""
    app = AsyncApp(
        name="slack-app",  # Bolt sets the level of the logger of this name: ours would take every other's from it
        client=clients.plain,
        signing_secret=secret,
        authorize=_authorize(clients),
        before_authorize=intake,
        process_before_response=True,
        attaching_conversation_kwargs_enabled=False,
    )
    app.error(failed)
    return app


async def replay(app: AsyncApp, delivery: Delivery) -> Result:
    """Let the listeners work on what intake wrote down."""
    context = {"replay": True, "attempt": delivery.attempts}
    try:
        request = AsyncBoltRequest(mode="socket_mode", body=dict(delivery.body), context=context)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as odd:
        log.warning("delivery %s cannot be read (%s)", delivery.key, type(odd).__name__)
        return Result("nobody")
    try:
        response = await app.async_dispatch(request)
    except (SlackUnavailable, SettingsError) as away:
        return Result("failed", f"{type(away).__name__}: {away}")
    if response.status == 404:
        return Result("nobody")
    return Result("handled") if response.status < 500 else Result("failed", response.body or "it failed")


def _authorize(clients: Clients) -> Callable[..., Awaitable[Any]]:
    """Return Bolt's question for who we are, answered from what is known: a dead Slack still gets its answer."""

    async def identity(enterprise_id: str | None, team_id: str | None, **_: Any) -> AuthorizeResult | None:
        try:
            found = await clients.at(team_id or "")
        except InvalidRequest:
            return None  # it has not installed us; whoever is only out of reach is asked again, in a later attempt
        us = found.identity
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=us.team,
            bot_token=found.token,
            bot_id=us.bot,
            bot_user_id=us.user,
        )

    return identity


async def failed(error: Exception, body: dict[str, Any], context: AsyncBoltContext) -> BoltResponse:
    """Log what a listener raised under a reference; only that and the kind of error leave this process."""
    reference, kind = new_id("ref"), type(error).__name__
    it = edge.parse(body)
    key, attempt = it.key if it else "unknown", context.get("attempt", 0)
    if isinstance(error, SysopError):
        log.warning("delivery %s, attempt %s, reference %s: %s: %s", key, attempt, reference, kind, error)
    else:
        log.error("delivery %s, attempt %s, reference %s failed", key, attempt, reference, exc_info=error)
    return BoltResponse(status=500, body=f"{kind}, reference {reference}")
