"""Several workspaces: each installs Sysop by OAuth, and its bot token is kept in our database.

The tables are the SDK's own and are made when this is switched on, beside ours and not by our migrations: their columns
belong to the version of the SDK that reads them, and nobody has them who does not use this.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from slack_bolt.adapter.asgi.http_request import AsgiHttpRequest
from slack_bolt.adapter.asgi.http_response import AsgiHttpResponse
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore
from sqlalchemy import delete, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from sysop.errors import InvalidRequest, StoreUnavailable
from sysop.sections import SlackOauthSettings, SlackSettings
from sysop.store.engine import place, postgres_engine, what_to_do
from sysop.store.store import Store
from sysop.surfaces.slack.clients import ODD, UNREACHABLE, Clients
from sysop.surfaces.slack.guard import Asgi, Receive, Scope, Send

SCOPES: Final = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "groups:history",
    "im:history",
    "im:write",
    "chat:write",
    "commands",
    "files:write",
    "reactions:write",
    "users:read",
    "usergroups:read",
)
"""What is asked for at the installation; the same as in the manifest."""
INSTALL: Final = "/slack/install"
REDIRECT: Final = "/slack/oauth_redirect"
PER_MINUTE: Final = 10
"""Each begin of an installation writes a row, and anybody can ask for the page."""
_PLAIN: Final[dict[str, str | Sequence[str]]] = {"content-type": "text/plain; charset=utf-8"}

log = logging.getLogger(__name__)


class Door:
    """Lets so many through in a minute: all of them at once, then one after another."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._clock = clock
        self._left, self._at = self._most, clock()

    def opens(self) -> bool:
        """Tell whether one more may pass now."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._most / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _States(AsyncSQLAlchemyOAuthStateStore):
    """States of installations that were begun; those nobody came back with in time go when the next one begins."""

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        now = datetime.now(tz=UTC).replace(tzinfo=None)
        async with self.engine.begin() as connection:
            await connection.execute(delete(self.oauth_states).where(self.oauth_states.c.expire_at <= now))
        return await super().async_issue(*args, **kwargs)


class _Flow(AsyncOAuthFlow):
    """An installation that ends, before anything is kept, for a workspace the settings do not name."""

    allowed: Sequence[str] = ()

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        workspace = installation.team_id or installation.enterprise_id
        if workspace not in self.allowed:
            log.warning("workspace %s has tried to install Sysop; slack.oauth.teams does not name it", workspace)
            raise InvalidRequest("Sysop does not serve this workspace; its operator names those it does")
        await super().store_installation(request, installation)


class Oauth:
    """Installs the workspaces that the settings name, and knows their tokens. Open it and close it."""

    def __init__(self, settings: SlackOauthSettings, secret: str, engine: AsyncEngine, store: Store) -> None:
        self._settings = settings
        self._secret = secret
        self._engine = engine
        self._store = store
        self._kept = AsyncSQLAlchemyInstallationStore(settings.client_id, engine)
        self._states = _States(settings.state_minutes * 60, engine)

        self._door = Door(PER_MINUTE)

    @property
    def allowed(self) -> Sequence[str]:
        """Return the workspaces that may install and are served, the one at home first."""
        return self._settings.teams

    @classmethod
    async def open(cls, settings: SlackSettings, resolve: Callable[[str, str], str], store: Store) -> Oauth:
        """Make the tables where they are missing. Raises SettingsError and StoreUnavailable."""
        assert settings.oauth is not None
        secret = resolve(settings.oauth.client_secret, "slack.oauth.client_secret")
        made = cls(settings.oauth, secret, _engine(store), store)
        try:
            async with made._engine.begin() as connection:
                await connection.run_sync(made._kept.metadata.create_all)
                await connection.run_sync(made._states.metadata.create_all)
        except DBAPIError as failed:
            await made.close()
            raise made._unavailable(failed) from failed
        return made

    def _unavailable(self, failed: DBAPIError) -> StoreUnavailable:
        why = what_to_do(failed, self._store.url)
        return StoreUnavailable(f"the database {place(self._store.url)} does not keep installations; {why}")

    async def token(self, team: str) -> str | None:
        """Return the newest bot token of a workspace, None where it is not installed or not served."""
        if team not in self.allowed:
            return None
        c = self._kept.bots.c
        mine = (c.client_id == self._settings.client_id) & (c.team_id == team) & c.bot_token.is_not(None)
        rows = await self._read(select(c.bot_token).where(mine).order_by(c.installed_at.desc(), c.id.desc()).limit(1))
        return str(rows[0][0]) if rows else None

    async def teams(self) -> Sequence[str]:
        """Return the workspaces that have Sysop and may."""
        c = self._kept.bots.c
        mine = (c.client_id == self._settings.client_id) & c.team_id.is_not(None)
        mine &= c.team_id.in_(self.allowed)
        return [str(row[0]) for row in await self._read(select(c.team_id).where(mine).distinct().order_by(c.team_id))]

    async def forget(self, team: str, token: str) -> None:
        """Remove a token of a workspace, and those before it; a newer one is of an installation that stands."""
        try:
            async with self._engine.begin() as connection:
                for table in (self._kept.bots, self._kept.installations):
                    mine = (table.c.client_id == self._settings.client_id) & (table.c.team_id == team)
                    last = select(func.max(table.c.id)).where(mine, table.c.bot_token == token).scalar_subquery()
                    await connection.execute(delete(table).where(mine, table.c.id <= last))
        except DBAPIError as failed:
            raise self._unavailable(failed) from failed

    async def _read(self, query: Any) -> Sequence[Any]:
        try:
            async with self._engine.connect() as connection:
                return (await connection.execute(query)).all()
        except DBAPIError as failed:
            raise self._unavailable(failed) from failed

    def app(self, clients: Clients) -> Asgi:
        """Return the two pages of an installation: where it begins, and where Slack sends the browser back to."""
        flow = self._flow(clients)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            page = _page(str(scope["path"]))
            if page is None:
                answer = BoltResponse(status=404, body="not found", headers=_PLAIN)
            elif page == INSTALL and not self._door.opens():
                answer = BoltResponse(status=429, body="try again in a minute", headers={**_PLAIN, "retry-after": "60"})
            else:
                answer = await _answered(flow, page, scope, receive)
            shown = AsgiHttpResponse(status=answer.status, headers=answer.headers, body=answer.body)
            await send(shown.get_response_start())
            await send(shown.get_response_body())

        return serve

    def _flow(self, clients: Clients) -> _Flow:
        flow = _Flow(
            client=clients.plain,
            logger=log,
            settings=AsyncOAuthSettings(
                client_id=self._settings.client_id,
                client_secret=self._secret,
                scopes=SCOPES,
                redirect_uri=self._settings.redirect_url,
                install_path=INSTALL,
                redirect_uri_path=REDIRECT,
                installation_store=self._kept,
                state_store=self._states,
                logger=log,
            ),
        )
        flow.allowed = self.allowed
        return flow

    async def close(self) -> None:
        """Close connections."""
        await self._engine.dispose()


def _page(path: str) -> str | None:
    """Return which of the two pages is asked for."""
    return next((page for page in (INSTALL, REDIRECT) if path.endswith(page.removeprefix("/slack"))), None)


async def _answered(flow: _Flow, page: str, scope: Scope, receive: Receive) -> BoltResponse:
    try:
        given = AsgiHttpRequest(dict(scope), receive)
        request = AsyncBoltRequest(body="", query=given.query_string, headers=given.get_headers())
    except ValueError:  # bytes that are no text
        return BoltResponse(status=400, body="malformed", headers=_PLAIN)
    try:
        return await (flow.handle_installation if page == INSTALL else flow.handle_callback)(request)
    except InvalidRequest as refused:
        return BoltResponse(status=403, body=str(refused), headers=_PLAIN)
    except (SlackClientError, DBAPIError, *UNREACHABLE, *ODD) as failed:
        log.warning("a page of an installation failed (%s)", type(failed).__name__)
        return BoltResponse(status=503, body="try again in a moment", headers=_PLAIN)


def _engine(store: Store) -> AsyncEngine:
    """Return an engine of our own on the same database: installations are rare and share no transaction with ours."""
    if not store.embedded:
        return postgres_engine(store.url, 2)
    engine = create_async_engine(store.url.set(drivername="sqlite+aiosqlite"), poolclass=NullPool)
    event.listen(engine.sync_engine, "connect", _connected)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
