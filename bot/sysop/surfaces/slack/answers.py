"""Answers that only one person sees: to a command, to a click that lost, to a wish that cannot be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from sysop.errors import InvalidRequest
from sysop.surfaces.slack.blocks.shown import Shown, shown
from sysop.surfaces.slack.clients import UNREACHABLE, Clients, Installed, SlackUnavailable, error_of
from sysop.surfaces.slack.incoming import Incoming, table
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import rich, said, section
from sysop.surfaces.slack.text import mrkdwn, one_line

MAX_NOTICE = 2000
_FAILED = (SlackApiError, SlackClientError, *UNREACHABLE)

log = logging.getLogger(__name__)


def notice(text: str, links: Links | None = None) -> Shown:
    """Return one or a few plain sentences; whatever they quote is inert."""
    links = links or Links()
    return shown(mrkdwn(one_line(text, MAX_NOTICE), links), rich(section(*said(text, links, MAX_NOTICE))))


class Answers:
    """Tells one person something, by the nearest way that is open.

    Such an answer is sent at most once and never repeated: nobody could find out whether it had arrived.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def tell(self, it: Incoming, text: str) -> None:
        """Say a sentence."""
        await self.say(it, notice(text))

    async def say(self, it: Incoming, answer: Shown) -> None:
        """Show an answer: where the person clicked or typed, else in the channel, else in a message to them."""
        if it.response_url and await self._respond(it, answer):
            return
        try:
            installed = await self._clients.at(it.team)
        except (InvalidRequest, SlackUnavailable) as unknown:
            log.warning("nobody could be told about %s: %s", it.key, unknown)
            return
        if it.channel and await self._whisper(installed, it, answer):
            return
        await self._write_to(installed, it, answer)

    async def _respond(self, it: Incoming, answer: Shown) -> bool:
        client = AsyncWebhookClient(it.response_url, session=self._clients.http, retry_handlers=[])
        client.proxy = self._clients.proxy
        body: dict[str, Any] = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": answer.text,
            "blocks": answer.blocks,
        }
        if thread := reply_in(it):
            body["thread_ts"] = thread
        try:
            got = await client.send_dict(body)
        except _FAILED as failed:
            log.warning("an answer to %s may not have arrived (%s)", it.key, type(failed).__name__)
            return True
        if got.status_code != 200:
            log.info("the address for answers to %s is used up (%s)", it.key, got.status_code)
        return got.status_code == 200

    async def _whisper(self, installed: Installed, it: Incoming, answer: Shown) -> bool:
        try:
            await installed.write.chat_postEphemeral(
                channel=it.channel,
                user=it.user,
                thread_ts=reply_in(it) or None,
                text=answer.text,
                blocks=answer.blocks,
            )
        except SlackApiError as refused:
            log.info("no answer could be shown in %s: %s", it.channel, error_of(refused))
            return False
        except (SlackClientError, *UNREACHABLE) as failed:
            log.warning("an answer to %s may not have arrived (%s)", it.key, type(failed).__name__)
        return True

    async def _write_to(self, installed: Installed, it: Incoming, answer: Shown) -> None:
        try:
            opened: Mapping[str, Any] = (await installed.write.conversations_open(users=it.user)).data  # type: ignore[assignment]
            await installed.write.chat_postMessage(
                channel=str(opened["channel"]["id"]),
                text=answer.text,
                blocks=answer.blocks,
                unfurl_links=False,
                unfurl_media=False,
            )
        except _FAILED as failed:
            what = error_of(failed) if isinstance(failed, SlackApiError) else type(failed).__name__
            log.warning("nobody could be told about %s: %s", it.key, what)


def reply_in(it: Incoming) -> str:
    """Return the thread an answer belongs in, "" for the channel itself: where the person has just looked."""
    if it.kind == "event":
        return str(it.event.get("thread_ts") or (it.thread if it.event.get("channel_type") == "im" else ""))
    message = table(it.body.get("message"))
    return it.thread if message.get("thread_ts") not in (None, message.get("ts")) else ""
