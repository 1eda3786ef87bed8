"""What `sysop doctor` asks Slack: do the tokens work, may they do what Sysop needs, is anything stuck."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import yaml

from sysop.app import App
from sysop.chat import MISSING
from sysop.cli.common import again
from sysop.cli.found import Found
from sysop.errors import SettingsError, StoreError
from sysop.paths import data
from sysop.sections import SlackSettings
from sysop.store import inbox, outbox

if TYPE_CHECKING:
    from sysop.surfaces.slack.clients import Installed

LONG_MS = 5 * 60_000
_PAGE = "docs/slack.md says how to set it up"


async def slack(app: App) -> AsyncIterator[Found]:
    """Yield what is right and wrong about Slack; one line where it is not set up."""
    settings = app.settings.slack
    if not settings.on:
        yield Found("slack", "note", "not set up", f"optional: {_PAGE}; without it: sysop dev")
        return
    if importlib.util.find_spec("slack_bolt") is None:
        yield Found("slack", "failed", MISSING.partition(";")[0], MISSING.partition("; ")[2])
        return
    if settings.oauth is not None:
        yield Found("slack", "ok", "several workspaces, each by its own installation; none is asked here")
    else:
        async for found in _workspace(app, settings):
            yield found
    yield await _traffic(app)


async def _workspace(app: App, settings: SlackSettings) -> AsyncIterator[Found]:
    from sysop.surfaces.slack.clients import Clients, SlackUnavailable, asked

    try:
        token = app.secrets.resolve(settings.bot_token or "", "slack.bot_token")
        clients = Clients(settings.api_url, token=token, installations=None, proxy=settings.proxy)
    except SettingsError as bad:
        yield Found("slack", "failed", str(bad), "set it where the reference points, or correct the reference")
        return
    try:
        await clients.meet()
        us = clients.only()
        assert us is not None
        yield await _identity(us)
        if settings.mode == "socket":
            app_token = app.secrets.resolve(settings.app_token or "", "slack.app_token")
            await asked(lambda: clients.plain.apps_connections_open(app_token=app_token), "slack.app_token")
            yield Found("socket", "ok", "a connection can be opened")
        else:
            yield _http(app, settings)
        yield await _channel(us, settings)
        async for found in _groups(us, settings):
            yield found
    except SettingsError as bad:
        yield Found("slack", "failed", str(bad), _PAGE)
    except SlackUnavailable as away:
        yield Found("slack", "failed", str(away), "what is said meanwhile waits in the database and is sent later")
    finally:
        await clients.close()


async def _identity(us: Installed) -> Found:
    """Say who we are, and which scopes of the manifest are missing."""
    said = await us.read.auth_test()
    granted = {scope.strip() for scope in str(said.headers.get("x-oauth-scopes", "")).split(",")}
    manifest = yaml.safe_load((data("deploy/slack") / "manifest.yaml").read_text("utf-8"))
    missing = sorted(set(manifest["oauth_config"]["scopes"]["bot"]) - granted)
    if missing:
        fix = "install the app again from deploy/slack/manifest.yaml"
        return Found("slack", "failed", f"the bot token lacks {', '.join(missing)}", fix)
    return Found("slack", "ok", f"{us.identity.team_name} as {us.identity.user}, with every scope of the manifest")


def _http(app: App, settings: SlackSettings) -> Found:
    app.secrets.resolve(settings.signing_secret or "", "slack.signing_secret")
    where = app.settings.webhooks
    return Found("http", "ok", f"requests are taken on {where.host}:{where.port}/slack/events; Slack is not asked")


async def _channel(us: Installed, settings: SlackSettings) -> Found:
    if settings.channel is None:
        fix = "set slack.channel to the id of a channel the bot is in"
        return Found("channel", "note", "none, so incidents are not told in Slack", fix)
    channel = settings.channel
    error = await _error(lambda: us.read.conversations_history(channel=channel, limit=1))
    if error is None:
        return Found("channel", "ok", f"{channel} can be read; incidents are told there")
    fix = "invite the bot there (/invite @Sysop), or correct slack.channel"
    return Found("channel", "failed", f"{channel}: {error}", fix)


async def _groups(us: Installed, settings: SlackSettings) -> AsyncIterator[Found]:
    for role, given in settings.roles.items():
        for group in given.groups:
            error = await _error(lambda group=group: us.read.usergroups_users_list(usergroup=group))  # type: ignore[misc]
            if error is not None:
                yield Found("roles", "failed", f"{role}: group {group}: {error}", "correct slack.roles")
    if settings.roles:
        yield Found("roles", "ok", f"{', '.join(settings.roles)} from user groups and users")


async def _error(question: Callable[[], Any]) -> str | None:
    from slack_sdk.errors import SlackApiError

    from sysop.surfaces.slack.clients import error_of

    try:
        await question()
    except SlackApiError as failed:
        return error_of(failed)
    return None


async def _traffic(app: App) -> Found:
    """Say what waits to be worked on or told. The process that serves tells more in its log."""
    try:
        taken, telling, since, absent = await app.store.read(
            lambda conn: (inbox.counts(conn), outbox.counts(conn), outbox.oldest_open(conn), outbox.waits_in(conn))
        )
        now = await app.store.now()
    except StoreError:
        return Found("traffic", "note", "nothing yet: there is no database", f"it is made by: {again('serve')}")
    waiting = taken.get("waiting", 0) + taken.get("working", 0)
    unsent = sum(telling.get(state, 0) for state in outbox.OPEN)
    given_up = taken.get("dead", 0) + telling.get("dead", 0)
    told = f"{waiting} to be worked on, {unsent} to be told, {given_up} given up in a week"
    if absent:
        fix = "invite the bot there (/invite @Sysop); what waits is told within a minute"
        return Found("traffic", "failed", f"{told}; the bot is not in {', '.join(absent)}", fix)
    if since is not None and now - since > LONG_MS:
        fix = f"is anything running? {again('serve')}; its log says what Slack answers"
        return Found("traffic", "failed", f"{told}; the oldest for {(now - since) // 60_000} minutes", fix)
    return Found("traffic", "ok", told)
