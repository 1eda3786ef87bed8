"""The one place that makes calls to Slack for the outbox: each waits for its turn and fails as a `CallFailed`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from sysop.errors import InvalidRequest, SettingsError
from sysop.surfaces.slack.clients import Clients, Identity, Installed, SlackUnavailable
from sysop.surfaces.slack.outbox import rates
from sysop.surfaces.slack.outbox.failures import CAUGHT, CallFailed, Kind, sort
from sysop.surfaces.slack.outbox.rates import Lane, Pass, Rates

Json = Mapping[str, Any]
Guard = Callable[[], None]
"""Raises when this process may not send any more."""

NO_UNFURL: Json = {"unfurl_links": False, "unfurl_media": False}


def _always() -> None:
    """Allow."""


class Calls:
    """Makes lines to workspaces. All of them share the budgets."""

    def __init__(self, clients: Clients, budgets: Rates | None = None) -> None:
        self._clients = clients
        self.rates = budgets or Rates()

    def team(self, team: str) -> str:
        """Return the workspace that is meant; "" means the only one, or of several the one at home."""
        return team or self._clients.home or ""

    async def line(self, team: str, paid: Pass | None = None, guard: Guard = _always) -> Line:
        """Return a line to a workspace. Raises CallFailed where there is no token for it."""
        return Line(await self._installed(team), self.rates, paid or Pass(self.rates), guard)

    async def _installed(self, team: str) -> Installed:
        meant = self.team(team)
        if not meant:
            raise CallFailed(rates.TEST, Kind.LATER, "not_known_yet")
        try:
            return await self._clients.at(meant)
        except (InvalidRequest, SettingsError) as no:
            raise CallFailed(rates.TEST, Kind.TOKEN, "not_installed", detail=str(no)) from no
        except SlackUnavailable as away:
            raise CallFailed(rates.TEST, Kind.LATER, "unreachable", detail=str(away)) from away

    async def direct(self, team: str, user: str) -> str:
        """Return the channel of messages between us and a user. Raises CallFailed."""
        try:
            return await self._clients.direct(self.team(team), user)
        except (InvalidRequest, SettingsError) as no:
            raise CallFailed(rates.TEST, Kind.TOKEN, "not_installed", detail=str(no)) from no
        except SlackUnavailable as away:
            raise CallFailed(rates.TEST, Kind.LATER, "unreachable", detail=str(away)) from away

    async def works(self, team: str) -> CallFailed | None:
        """Ask whether the token of a workspace works; None means yes."""
        try:
            line = await self.line(team)
            await line.test()
        except CallFailed as failed:
            return failed
        return None


class Line:
    """Calls to one workspace, for one row of the outbox."""

    def __init__(self, installed: Installed, budgets: Rates, paid: Pass, guard: Guard) -> None:
        self._installed = installed
        self._rates = budgets
        self._paid = paid
        self._guard = guard

    @property
    def identity(self) -> Identity:
        """Return who we are there."""
        return self._installed.identity

    def room(self, method: str) -> float:
        """Return in how many seconds a call could be made."""
        return self._paid.room(Lane(self.identity.team, method))

    async def post(self, channel: str, thread: str | None, message: Json) -> str:
        """Post a message and return its ts."""
        payload = {**message, **NO_UNFURL}
        made = self._write.chat_postMessage
        answer = await self._call(rates.POST, lambda: made(channel=channel, thread_ts=thread, **payload), channel)
        return str(answer["ts"])

    async def update(self, channel: str, ts: str, message: Json) -> None:
        """Change a message; its metadata stays."""
        made = self._write.chat_update
        await self._call(rates.UPDATE, lambda: made(channel=channel, ts=ts, **message, **NO_UNFURL))

    async def whisper(self, channel: str, thread: str | None, user: str, message: Json) -> None:
        """Show a message to one user."""
        payload = {**message, **NO_UNFURL}
        made = self._write.chat_postEphemeral
        await self._call(rates.EPHEMERAL, lambda: made(channel=channel, user=user, thread_ts=thread, **payload))

    async def publish(self, user: str, view: Json, hash: str | None) -> Json:
        """Show a user's Home and return the view as Slack has it."""
        made = self._write.views_publish
        answer = await self._call(rates.PUBLISH, lambda: made(user_id=user, view=dict(view), hash=hash))
        found = answer.get("view")
        return found if isinstance(found, dict) else {}

    async def start(self, channel: str, thread: str, chunks: Sequence[Json], recipient: tuple[str, str]) -> str:
        """Begin to write a message and return its ts."""
        team, user = recipient
        made = self._write.chat_startStream
        answer = await self._call(
            rates.START,
            lambda: made(
                channel=channel,
                thread_ts=thread,
                chunks=[dict(chunk) for chunk in chunks],
                recipient_team_id=team,
                recipient_user_id=user,
                task_display_mode="plan",
            ),
        )
        return str(answer["ts"])

    async def append(self, channel: str, ts: str, chunks: Sequence[Json]) -> None:
        """Write on."""
        made = self._write.chat_appendStream
        await self._call(rates.APPEND, lambda: made(channel=channel, ts=ts, chunks=[dict(chunk) for chunk in chunks]))

    async def stop(
        self, channel: str, ts: str, chunks: Sequence[Json], blocks: Sequence[Json], status: str, metadata: Json
    ) -> None:
        """End a message that is being written, with its last words."""
        made = self._write.chat_stopStream
        await self._call(
            rates.STOP,
            lambda: made(
                channel=channel,
                ts=ts,
                chunks=[dict(chunk) for chunk in chunks] or None,
                blocks=[dict(block) for block in blocks] or None,
                session_status=status,
                metadata=dict(metadata),
            ),
        )

    async def session(self, channel: str, thread: str, status: str, title: str, user: str | None) -> None:
        """Say how far the agent is in a thread."""
        made = self._write.agents_sessions_setStatus
        await self._call(
            rates.STATUS,
            lambda: made(channel_id=channel, thread_ts=thread, status=status, title=title, initiator_user_id=user),
        )

    async def old_session(self, channel: str, thread: str, status: str) -> None:
        """Say the same where agent sessions are not known."""
        made = self._write.assistant_threads_setStatus
        await self._call(rates.OLD_STATUS, lambda: made(channel_id=channel, thread_ts=thread, status=status))

    async def react(self, channel: str, ts: str, name: str) -> None:
        """Put a reaction on a message."""
        made = self._write.reactions_add
        await self._call(rates.REACT, lambda: made(channel=channel, timestamp=ts, name=name))

    async def upload(self, channel: str, thread: str | None, name: str, title: str, content: str, comment: str) -> None:
        """Share a text as a file. Only the last of the three calls shows anything; what fails before is `LATER`."""
        body = content.encode()
        ticket = await self._early(lambda: self._write.files_getUploadURLExternal(filename=name, length=len(body)))
        await self._early(lambda: self._put(str(ticket["upload_url"]), body))
        made = self._write.files_completeUploadExternal
        files: list[dict[str, str | None]] = [{"id": str(ticket["file_id"]), "title": title}]
        await self._call(
            rates.UPLOAD,
            lambda: made(files=files, channel_id=channel, thread_ts=thread, initial_comment=comment or None),
        )

    async def replies(self, channel: str, thread: str | None, oldest: str, cursor: str | None) -> Json:
        """Read a page of a thread, or of a channel where there is no thread yet."""
        read = self._installed.read
        page: dict[str, Any] = {"channel": channel, "oldest": oldest, "limit": 200, "include_all_metadata": True}
        if thread is None:
            answer = await self._call(rates.HISTORY, lambda: read.conversations_history(**page, cursor=cursor))
        else:
            within = {**page, "ts": thread}
            answer = await self._call(rates.REPLIES, lambda: read.conversations_replies(**within, cursor=cursor))
        return answer if isinstance(answer, dict) else {}

    async def test(self) -> None:
        """Ask whether the token works."""
        await self._call(rates.TEST, lambda: self._write.auth_test())

    @property
    def _write(self) -> AsyncWebClient:
        return self._installed.write

    async def _early(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call that shows nothing yet, so that an answer that was lost is no doubt."""
        try:
            return await self._call("files.getUploadURLExternal", call)
        except CallFailed as failed:
            if failed.kind is not Kind.DOUBT:
                raise
            raise CallFailed(failed.method, Kind.LATER, failed.code) from failed

    async def _put(self, url: str, body: bytes) -> Json:
        """Send a file's bytes, as Slack wants them: raw, and without our token."""
        session = self._write.session
        assert session is not None
        head = {"Content-Type": "application/octet-stream"}
        async with session.post(url, data=body, headers=head, proxy=self._write.proxy) as answer:
            if answer.status != 200:
                raise CallFailed("files.upload", Kind.LATER, f"http_{answer.status}")
            return {}

    async def _call(self, method: str, call: Callable[[], Awaitable[Any]], channel: str = "") -> Any:
        team = self.identity.team
        await self._paid.use(Lane(team, method, channel))
        self._guard()
        try:
            answer = await call()
        except CAUGHT as raised:
            failed = sort(method, raised)
            if failed.kind is Kind.LATER and failed.retry_s is not None:
                self._rates.hold(team, method, failed.retry_s)
            raise failed from raised
        return getattr(answer, "data", answer)
