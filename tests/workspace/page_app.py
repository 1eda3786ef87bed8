"""A small app for the page to show: every kind of block, modals, a stream, an approval, Home."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.models.messages.chunk import MarkdownTextChunk, PlanUpdateChunk, TaskUpdateChunk
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import AppManifest, Workspace
from workspace import kit, page_blocks, page_gallery
from workspace.kit import Json


def manifest() -> AppManifest:
    """Return the probe's manifest under a name and with a command that read like an operations app's."""

    def change(text: Json) -> None:
        text["display_information"] = {"name": "Ops", "description": "IT operations agent"}
        features = text["features"]
        features["bot_user"] = {"display_name": "Ops"}
        hint = "ask | status | incident | run | help"
        features["slash_commands"] = [
            {"command": "/ops", "description": "Ask or operate Ops", "usage_hint": hint, "should_escape": True},
            {"command": "/slow", "description": "Answers too late"},
        ]
        features["shortcuts"] = [
            {"name": "Triage this", "type": "message", "callback_id": "triage"},
            {"name": "New incident", "type": "global", "callback_id": "new_incident"},
        ]
        features["agent_view"]["suggested_prompts"] = [
            {"title": "What is broken?", "message": "What is broken right now?"},
            {"title": "My approvals", "message": "Show my open approvals"},
        ]

    return kit.manifest(change)


class PageApp(kit.App):
    """What the app does when people use the page. `gate` holds a stream until a test lets it go on."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self.workspace = workspace
        self.bolt = AsyncApp(
            client=self.client, signing_secret=workspace.signing_secret, attaching_conversation_kwargs_enabled=False
        )
        self.gate = asyncio.Event()
        self.clicks: list[Json] = []
        self.submitted: list[Json] = []
        self.stopped: list[Json] = []
        self.commands: list[str] = []
        for register in (self._commands, self._actions, self._views, self._events):
            register(self.bolt)

    def _commands(self, app: AsyncApp) -> None:
        words: dict[str, Callable[[Json], Any]] = {
            "status": lambda command: self.client.chat_postMessage(
                channel=command["channel_id"], text="All services answer.", blocks=page_blocks.STATUS
            ),
            "run": lambda command: self.approval(command["channel_id"], command["user_id"]),
            "ask": lambda command: self.answer(command["channel_id"], command["user_id"]),
            "incident": lambda command: self.client.views_open(
                trigger_id=command["trigger_id"], view=page_blocks.incident_modal()
            ),
            "gallery": lambda command: self.gallery(command["channel_id"]),
        }

        @app.command("/ops")
        async def ops(ack: Any, command: Json) -> None:
            self.commands.append(command["text"])
            word = command["text"].split(" ")[0] if command["text"] else "help"
            if word not in words:
                await ack("Try `/ops ask`, `status`, `incident` or `run`.")
                return
            await ack()
            await words[word](command)

        @app.command("/slow")
        async def slow(ack: Any) -> None:
            raise RuntimeError("this app never answers")

    async def approval(self, channel: str, requester: str) -> Json:
        """Post a root message and the approval card in its thread."""
        root = await self.client.chat_postMessage(
            channel=channel, text=f"<@{requester}> asked to roll `checkout` back."
        )
        await self.client.agents_sessions_setStatus(
            channel_id=channel, thread_ts=root["ts"], status="suspended", title="Roll back checkout"
        )
        card = page_blocks.approval(requester)
        return dict(
            (
                await self.client.chat_postMessage(
                    channel=channel, thread_ts=root["ts"], text="Approval needed: roll back checkout", blocks=card
                )
            ).data
        )

    async def answer(self, channel: str, user: str, thread_ts: str | None = None) -> None:
        """Stream an answer with a plan; the end waits for the gate."""
        if thread_ts is None:
            root = await self.client.chat_postMessage(channel=channel, text=f"<@{user}> asked: why is checkout slow?")
            thread_ts = root["ts"]
        await self.client.agents_sessions_setStatus(
            channel_id=channel, thread_ts=thread_ts, status="processing", title="Why is checkout slow"
        )
        stream = await self.client.chat_stream(
            channel=channel,
            thread_ts=thread_ts,
            recipient_user_id=user,
            recipient_team_id=self.workspace.team_id,
            task_display_mode="plan",
            buffer_size=1,
        )
        await stream.append(
            chunks=[
                PlanUpdateChunk(title="Find out why checkout is slow"),
                TaskUpdateChunk(
                    id="1", title="Read the error ratio of checkout", status="complete", output="4.1 % for 6 minutes"
                ),
                TaskUpdateChunk(id="2", title="Compare with the last release", status="in_progress"),
                TaskUpdateChunk(id="3", title="Look for a runbook", status="pending"),
            ]
        )
        await self.gate.wait()
        source = {"type": "url", "url": "https://shop.example/runbooks/checkout", "text": "checkout-errors.md"}
        try:
            await stream.append(
                chunks=[
                    TaskUpdateChunk(id="2", title="Compare with the last release", status="complete"),
                    TaskUpdateChunk(id="3", title="Look for a runbook", status="complete", sources=[source]),
                ]
            )
            await stream.stop(
                chunks=[MarkdownTextChunk(text=page_blocks.ANSWER)],
                blocks=page_blocks.FEEDBACK,
                session_status="active",
            )
        except SlackApiError as stopped:
            if stopped.response["error"] not in ("stopped_by_user", "message_not_in_streaming_state"):
                raise

    async def gallery(self, channel: str) -> None:
        """Post every kind of block in one message."""
        await self.client.chat_postMessage(channel=channel, text="Gallery", blocks=page_gallery.GALLERY)

    def _actions(self, app: AsyncApp) -> None:
        @app.action("approve")
        async def approve(ack: Any, body: Json) -> None:
            await ack()
            self.clicks.append(body)
            requester = self.workspace.users["requester"]
            if body["user"]["id"] == requester:
                await self._tell(body, "You asked for it, so somebody else must approve.")
                return
            await self.client.chat_update(
                channel=body["channel"]["id"],
                ts=body["message"]["ts"],
                text="Approved",
                blocks=page_blocks.decided(body["user"]["id"]),
            )

        @app.action("deny")
        async def deny(ack: Any, body: Json) -> None:
            await ack()
            self.clicks.append(body)
            await self.client.views_open(trigger_id=body["trigger_id"], view=page_blocks.deny_modal())

        @app.action("push")
        async def push(ack: Any, body: Json) -> None:
            await ack()
            await self.client.views_push(trigger_id=body["trigger_id"], view=page_blocks.detail_modal())

        @app.action("home_refresh")
        async def refresh(ack: Any, body: Json) -> None:
            await ack()
            await self.client.views_publish(user_id=body["user"]["id"], view=page_blocks.home(refreshed=True))

        @app.action({"action_id": "never"})
        async def never(ack: Any) -> None:
            raise RuntimeError("this click is never answered")

        @app.action({"type": "block_actions", "action_id": "service"})
        @app.action({"type": "block_actions", "action_id": "feedback"})
        @app.action({"type": "block_actions", "action_id": "more"})
        @app.action({"type": "block_actions", "action_id": "owners"})
        @app.action({"type": "block_actions", "action_id": "when"})
        async def noted(ack: Any, body: Json) -> None:
            await ack()
            self.clicks.append(body)

        @app.options("runbook")
        async def options(ack: Any, body: Json) -> None:
            names = [name for name in ("checkout-errors", "checkout-slow", "payments") if body["value"] in name]
            await ack(options=[{"text": {"type": "plain_text", "text": name}, "value": name} for name in names])

    async def _tell(self, body: Json, text: str) -> None:
        await self.client.chat_postEphemeral(
            channel=body["channel"]["id"],
            user=body["user"]["id"],
            text=text,
            thread_ts=body["message"].get("thread_ts"),
        )

    def _views(self, app: AsyncApp) -> None:
        @app.view("new_incident")
        async def new_incident(ack: Any, body: Json, view: Json) -> None:
            title = view["state"]["values"]["title"]["title"]["value"]
            if len(title) < 8:
                await ack(response_action="errors", errors={"title": "Say a little more, please."})
                return
            await ack()
            self.submitted.append(view["state"]["values"])
            await self.client.chat_postMessage(channel=self.workspace.channels["incidents"], text=f"*Incident* {title}")

        @app.view("deny")
        async def denied(ack: Any, view: Json) -> None:
            await ack()
            self.submitted.append(view["state"]["values"])

        @app.shortcut("new_incident")
        async def shortcut(ack: Any, body: Json) -> None:
            await ack()
            await self.client.views_open(trigger_id=body["trigger_id"], view=page_blocks.incident_modal())

        @app.shortcut("triage")
        async def triage(ack: Any, body: Json) -> None:
            await ack()
            await self.client.chat_postMessage(
                channel=body["channel"]["id"], thread_ts=body["message"]["ts"], text="Looking at this message."
            )

    def _events(self, app: AsyncApp) -> None:
        @app.event("app_home_opened")
        async def opened(event: Json) -> None:
            if event["tab"] == "home":
                await self.client.views_publish(user_id=event["user"], view=page_blocks.home())

        @app.event("agent_session_stopped")
        async def stopped(event: Json) -> None:
            self.stopped.append(event)
            await self.client.agents_sessions_setStatus(
                channel_id=event["channel"], thread_ts=event["thread_ts"], status="active"
            )

        @app.event({"type": "message", "subtype": None})
        async def message(event: Json) -> None:
            if event.get("channel_type") == "im" and "broken" in event.get("text", ""):
                await self.answer(event["channel"], event["user"], event.get("thread_ts") or event["ts"])

        @app.event("message")
        @app.event("app_mention")
        @app.event("reaction_added")
        @app.event("agent_session_title_changed")
        async def other(event: Json) -> None:
            self.heard.append({"event": event})


def client(workspace: Workspace) -> AsyncWebClient:
    """Return the app's client."""
    return kit.client_of(workspace)
