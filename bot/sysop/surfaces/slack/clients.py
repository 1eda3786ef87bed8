"""Clients of Slack's Web API: one session, one client that writes and one that reads for each workspace."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from sysop.errors import InvalidRequest, SettingsError, SysopError

TIMEOUT_S = 10.0
RETEST_S = 30.0
TOKEN_ERRORS = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "not_allowed_token_type",
    }
)
UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
"""What a call raises when Slack was not reached, or did not answer in time."""
ODD = (AttributeError, KeyError, TypeError, ValueError)
"""What reading an answer raises that is not shaped as Slack shapes it: the SDK itself trips over a list."""

log = logging.getLogger(__name__)


class SlackUnavailable(SysopError):
    """Slack could not be asked, so nothing was decided."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in one workspace, as `auth.test` said."""

    team: str
    team_name: str
    user: str
    bot: str
    url: str
    enterprise: str | None = None


@dataclass(frozen=True, slots=True)
class Installed:
    """One workspace that has Sysop: who we are there, and the two clients."""

    identity: Identity
    token: str
    write: AsyncWebClient
    read: AsyncWebClient


class Installations(Protocol):
    """Where tokens of several workspaces are kept."""

    @property
    def allowed(self) -> Sequence[str]:
        """Return the workspaces that may install, the one at home first."""
        ...

    async def token(self, team: str) -> str | None:
        """Return the bot token of a workspace, None where it is not installed."""
        ...

    async def teams(self) -> Sequence[str]:
        """Return the workspaces that have Sysop."""
        ...

    async def forget(self, team: str, token: str) -> None:
        """Remove a workspace's tokens: they were revoked."""
        ...


class Clients:
    """Every client of one process. Open it inside a running loop and close it.

    A call that changes something is never repeated by the client itself: only the outbox knows whether it may. A
    proxy is used if the operator names one; what the environment says is not asked, since the SDK would send even
    loopback calls there.
    """

    def __init__(
        self, api_url: str, *, token: str | None, installations: Installations | None, proxy: str | None = None
    ):
        if token is None and installations is None:
            raise SettingsError("slack: set bot_token, or oauth for several workspaces")
        self._api_url = api_url
        self._token = token
        self._installations = installations
        self._proxy = proxy
        self._teams: dict[str, Installed] = {}
        self._direct: dict[tuple[str, str], str] = {}
        self._revoked: dict[str, str] = {}
        self._tested = time.monotonic()
        self._lock = asyncio.Lock()
        self.known = asyncio.Event()
        """Set once it is known who we are somewhere."""
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        self.plain = self.client(None)
        """A client without a token, for what needs none and for the app-level token."""

    @property
    def several(self) -> bool:
        """Tell whether this serves whichever workspace has installed it."""
        return self._token is None

    @property
    def home(self) -> str | None:
        """Return the workspace whose people and groups the settings speak of, None while it is not known."""
        if self._installations is not None:
            return self._installations.allowed[0]
        return next(iter(self._teams), None)

    def serves(self, team: str) -> bool:
        """Tell whether deliveries of a workspace are taken; with one token, Slack sends those of one alone."""
        return self._installations is None or team in self._installations.allowed

    @property
    def proxy(self) -> str | None:
        """Return the proxy the operator named."""
        return self._proxy

    @property
    def teams(self) -> tuple[str, ...]:
        """Return the workspaces known so far."""
        return tuple(sorted(self._teams))

    def site(self, team: str) -> str:
        """Return the address of a workspace, "" while it is not known."""
        found = self.if_known(team)
        return found.identity.url if found is not None else ""

    @property
    def revoked(self) -> dict[str, str]:
        """Return the workspaces whose token does not work any more, with the reason."""
        return dict(self._revoked)

    def client(self, token: str | None, *, retries: bool = False) -> AsyncWebClient:
        """Return a client on the one session."""
        made = AsyncWebClient(
            token=token,
            base_url=self._api_url,
            session=self.http,
            retry_handlers=_reading() if retries else [],
        )
        made.proxy = self._proxy  # given to the constructor, None would mean what the environment says
        return made

    async def meet(self) -> None:
        """Learn who we are. Raises SettingsError for a token Slack does not take, SlackUnavailable if it is away."""
        if self._token is not None:
            await self._add(self._token)
        elif self._installations is not None:
            for team in await self._installations.teams():
                await self.at(team)

    async def at(self, team: str) -> Installed:
        """Return a workspace's clients. Raises InvalidRequest for one that has not installed us."""
        found = self._teams.get(team)
        if found is not None:
            return found
        async with self._lock:
            if team not in self._teams and self._installations is not None:
                token = await self._installations.token(team)
                if token is not None:
                    await self._add(token)
        if team not in self._teams:
            raise InvalidRequest(f"workspace {team or '?'} has not installed Sysop")
        return self._teams[team]

    def only(self) -> Installed | None:
        """Return the one workspace of a single token, None while it is not known."""
        return next(iter(self._teams.values()), None) if not self.several else None

    def if_known(self, team: str) -> Installed | None:
        """Return a workspace's clients without asking anybody."""
        return self._teams.get(team)

    async def direct(self, team: str, user: str) -> str:
        """Return the channel of messages between us and a user. Raises SlackUnavailable."""
        if (team, user) not in self._direct:
            write = (await self.at(team)).write
            self._direct[team, user] = await asked(lambda: _direct(write, user), "slack.bot_token")
        return self._direct[team, user]

    async def _add(self, token: str) -> None:
        write = self.client(token)
        identity = await asked(lambda: _identity(write), "slack.bot_token")
        self._teams[identity.team] = Installed(identity, token, write, self.client(token, retries=True))
        self._revoked.pop(identity.team, None)
        self.known.set()

    async def revoke(self, team: str, reason: str) -> bool:
        """Note that a workspace has taken our token away: it is red in the health until a token works again.

        False where it has been installed anew meanwhile: such news may come late. Raises SlackUnavailable.
        """
        if self._installations is not None:
            token = await self._installations.token(team)
            known = self._teams.pop(team, None)
            if token is not None and await self._works(token):
                if known is not None and known.token == token:
                    self._teams[team] = known
                return False
            if token is not None:
                await self._installations.forget(team, token)
        self._revoked[team] = reason
        return True

    async def _works(self, token: str) -> bool:
        try:
            await asked(lambda: _identity(self.client(token)), "slack.oauth")
        except SettingsError:
            return False
        return True

    async def retest(self) -> None:
        """Now and then look at tokens again: the app may have been installed anew, or by another process."""
        if time.monotonic() - self._tested < RETEST_S:
            return
        self._tested = time.monotonic()
        try:
            if self._token is not None and self._revoked:
                await self._add(self._token)
            elif self._installations is not None:
                for team, known in list(self._teams.items()):
                    if await self._installations.token(team) != known.token:
                        self._teams.pop(team, None)
        except (SettingsError, SlackUnavailable) as still:
            log.info("the token of slack.bot_token does not work yet: %s", still)

    async def close(self) -> None:
        """Close every connection."""
        await self.http.close()


async def _identity(write: AsyncWebClient) -> Identity:
    said: Any = (await write.auth_test()).data  # the SDK's answer itself says None for what is not there
    return Identity(
        team=_id(said["team_id"]),
        team_name=str(said.get("team") or ""),
        user=_id(said["user_id"]),
        bot=str(said.get("bot_id") or ""),
        url=str(said.get("url") or ""),
        enterprise=said.get("enterprise_id"),
    )


def _id(said: object) -> str:
    if not isinstance(said, str) or not said:
        raise TypeError("an id is no text")
    return said


async def _direct(write: AsyncWebClient, user: str) -> str:
    said: Any = await write.conversations_open(users=user)
    return _id(said["channel"]["id"])


def _reading() -> list[Any]:
    return [
        AsyncConnectionErrorRetryHandler(),
        AsyncRateLimitErrorRetryHandler(max_retry_count=2),
        AsyncServerErrorRetryHandler(),
    ]


def error_of(failed: SlackApiError) -> str:
    """Return Slack's word for what is wrong; some answers are no JSON at all."""
    response: Any = failed.response
    data = getattr(response, "data", response)
    found = data.get("error") if isinstance(data, Mapping) else None
    return str(found or f"http_{getattr(response, 'status_code', 0)}")


async def asked(question: Callable[[], Awaitable[Any]], setting: str) -> Any:
    """Await a call that proves a token. Raises SettingsError where Slack refuses it, else SlackUnavailable."""
    try:
        return await question()
    except SlackApiError as failed:
        error = error_of(failed)
        if error in TOKEN_ERRORS:
            raise SettingsError(f"{setting}: Slack does not take this token ({error}); see docs/slack.md") from failed
        raise SlackUnavailable(f"Slack answered {error}") from failed
    except (SlackClientError, *UNREACHABLE) as away:
        raise SlackUnavailable(f"Slack cannot be reached ({type(away).__name__})") from away
    except ODD as odd:
        raise SlackUnavailable(f"Slack's answer makes no sense ({type(odd).__name__})") from odd
