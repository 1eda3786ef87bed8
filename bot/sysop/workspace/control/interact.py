"""What people ask the app for: commands, clicks on messages, shortcuts, options."""

from __future__ import annotations

from sysop.workspace.control import elements
from sysop.workspace.control.desk import Desk, text
from sysop.workspace.delivery import payloads
from sysop.workspace.delivery.envelope import Answer
from sysop.workspace.delivery.reply import respond
from sysop.workspace.errors import ControlError, SlackError
from sysop.workspace.manifest import Shortcut
from sysop.workspace.methods.method import Call
from sysop.workspace.state import publish, shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.elements import VALUE
from sysop.workspace.state.messages import Message
from sysop.workspace.state.people import User
from sysop.workspace.state.typed import stored
from sysop.workspace.state.views import View
from sysop.workspace.wire import Json

OPTIONS = 100


def interactive(desk: Desk) -> None:
    """Refuse where the manifest switches interactivity off."""
    if not desk.world.app.manifest.interactive:
        raise ControlError("interactivity_disabled", "the app's manifest does not enable interactivity")


async def command(desk: Desk, body: Json) -> Json:
    """Run a slash command."""
    user = desk.person(body)
    channel, world = desk.place(body, user), desk.world
    word, _, rest = text(body, "text").strip().partition(" ")
    known = next((one for one in world.app.manifest.commands if one.command == word), None)
    if known is None:
        raise ControlError("no_such_command", f"{word} is not a valid command.")
    words = stored(world, rest.strip(), labels=True, references=known.should_escape)
    answer = await desk.courier.send(payloads.command(world, user, channel, word, words))
    if not answer.acknowledged:
        return desk.unanswered(user, answer, word)
    return answer.as_json() | _answered(desk, user, channel, answer, f"{word} {words}".strip())


def _answered(desk: Desk, user: User, channel: Channel, answer: Answer, typed: str) -> Json:
    """Show what a command was answered with."""
    body = answer.body
    if isinstance(body, str):
        body = {"text": body}
    if not isinstance(body, dict) or not any(body.get(part) for part in ("text", "blocks", "attachments")):
        return {}
    if body.get("response_type") == "in_channel":
        publish.post(desk.world, Message(channel.id, desk.world.ts(), user.id, typed))
    try:
        said = respond(Call(desk.world, body), user.id, channel.id)
    except SlackError as refusal:
        desk.world.log.add("refused", answer=body, error=refusal.error, messages=list(refusal.messages))
        desk.toast(user, f'{typed.partition(" ")[0]} failed with the error "{refusal.error}"')
        return {"ok": False, "error": refusal.error, "message": "; ".join(refusal.messages) or refusal.error}
    return {"message": shapes.on_page(desk.world, said)}


async def interact(desk: Desk, body: Json) -> Json:
    """Use an element of a message."""
    interactive(desk)
    user = desk.person(body)
    channel = desk.place(body, user)
    message = desk.message(channel, text(body, "message_ts"), user)
    if not message.from_app:
        raise ControlError("element_not_found", "that message is not the app's")
    blocks = message.shown_blocks
    block, element = elements.find(blocks, text(body, "action_id"), body.get("block_id"))
    action = elements.action(block, element, body, desk.world.ts(), user.id)
    state = elements.state(blocks, body.get("state"))
    if (name := VALUE.get(element["type"])) and element["type"] != "overflow":
        state[block["block_id"]][element["action_id"]][name] = action[name]
    answer = await desk.courier.send(payloads.message_actions(desk.world, user, message, channel, action, state))
    return clicked(desk, user, answer)


def clicked(desk: Desk, user: User, answer: Answer) -> Json:
    """Return what became of a click; its answer's body means nothing."""
    if not answer.acknowledged:
        return desk.unanswered(user, answer, desk.world.app.manifest.name)
    return answer.as_json()


def _shortcut(desk: Desk, callback_id: str, kind: str) -> Shortcut:
    for one in desk.world.app.manifest.shortcuts:
        if (one.callback_id, one.type) == (callback_id, kind):
            return one
    raise ControlError("no_such_shortcut", f"the manifest has no {kind} shortcut {callback_id!r}")


async def shortcut(desk: Desk, body: Json) -> Json:
    """Use a shortcut, on a message if one is named."""
    interactive(desk)
    user, callback_id = desk.person(body), text(body, "callback_id")
    if body.get("message_ts"):
        _shortcut(desk, callback_id, "message")
        channel = desk.place(body, user)
        message = desk.message(channel, text(body, "message_ts"))
        envelope = payloads.message_shortcut(desk.world, user, message, channel, callback_id)
    else:
        _shortcut(desk, callback_id, "global")
        envelope = payloads.shortcut(desk.world, user, callback_id)
    return clicked(desk, user, await desk.courier.send(envelope))


async def suggest(desk: Desk, body: Json) -> Json:
    """Ask the app for the options of a select."""
    interactive(desk)
    user = desk.person(body)
    where = _where(desk, user, body)
    blocks = where.body["blocks"] if isinstance(where, View) else where[0].shown_blocks
    block, element = elements.find(blocks, text(body, "action_id"), body.get("block_id"))
    if "external" not in element["type"]:
        raise ControlError("invalid_arguments", "only an external select asks for options")
    typed = text(body, "value", "")
    if len(typed) < element.get("min_query_length", 3):
        return {"options": []}
    asked: Json = {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
    answer = await desk.courier.send(payloads.suggestion(desk.world, user, asked, where))
    if not answer.acknowledged:
        return desk.unanswered(user, answer, desk.world.app.manifest.name)
    return _options(answer)


def _where(desk: Desk, user: User, body: Json) -> View | tuple[Message, Channel]:
    if body.get("view_id"):
        view = desk.world.views.get(text(body, "view_id"))
        if view is None or view.user != user.id:
            raise ControlError("view_not_found", "that view is closed")
        return view
    channel = desk.place(body, user)
    return desk.message(channel, text(body, "message_ts"), user), channel


def _options(answer: Answer) -> Json:
    said = answer.body if isinstance(answer.body, dict) else {}
    options, groups = said.get("options"), said.get("option_groups")
    found = options if options is not None else groups
    if not isinstance(found, list) or len(found) > OPTIONS:
        raise ControlError("invalid_options", f"the app must answer options or option_groups, {OPTIONS} at most")
    return {"options": found} if options is not None else {"option_groups": found}


HANDLERS = {"command": command, "interact": interact, "shortcut": shortcut, "suggest": suggest}
