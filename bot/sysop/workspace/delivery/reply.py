"""Response URLs: the app answers an interaction later, without being in the channel."""

from __future__ import annotations

from aiohttp import web

from sysop.workspace.errors import SlackError
from sysop.workspace.methods.broken import unless_broken
from sysop.workspace.methods.chat import content, fill
from sysop.workspace.methods.method import Call
from sysop.workspace.state import publish, shapes
from sysop.workspace.state.hooks import Hook
from sysop.workspace.state.messages import Message
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json, arguments


class Replies:
    """Takes what the app posts to a response URL."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def take(self, request: web.Request) -> web.Response:
        """Use a response URL once."""
        return await unless_broken(self._world, request, "response_url", lambda _: self._take(request))

    async def _take(self, request: web.Request) -> web.Response:
        body: Json = {}
        status, text = 200, "ok"
        try:
            body = await arguments(request)
            self._use(self._world.hooks.use(request.match_info["token"]), body)
        except SlackError as refusal:
            gone = refusal.error in ("used_url", "expired_url", "no_such_url")
            status, text = 404 if gone else 400, refusal.error
        self._world.log.add("response_url", args=body, answer=text, status=status)
        if status == 200:
            return web.Response(text=text)
        return web.json_response({"ok": False, "error": text}, status=status)

    def _use(self, hook: Hook, body: Json) -> None:
        call = Call(self._world, body)
        source = original(self._world, hook)
        if call.flag("delete_original") and source is not None:
            publish.remove(self._world, source)
        elif call.flag("replace_original") and source is not None:
            self._replace(call, source)
        else:
            respond(call, hook.user, hook.channel)

    def _replace(self, call: Call, source: Message) -> None:
        before = shapes.message(self._world, source)
        fill(self._world, source, content(call))
        publish.change(self._world, source, before)


def original(world: World, hook: Hook) -> Message | None:
    """Return the message an interaction came from, if it is the app's and still there."""
    if hook.message_ts is None:
        return None
    find = world.messages.ephemeral if hook.ephemeral else world.messages.get
    source = find(hook.channel, hook.message_ts)
    return source if source is not None and source.from_app else None


def respond(call: Call, user: str, channel: str) -> Message:
    """Post an answer to an interaction: to its person alone, unless it is for the channel."""
    world, found = call.world, content(call)
    public = call.text("response_type") == "in_channel"
    message = Message(channel, world.ts(), world.app.user_id, from_app=True, only_for=None if public else user)
    message.thread_ts = call.text("thread_ts") or None
    fill(world, message, found)
    publish.post(world, message)
    return message
