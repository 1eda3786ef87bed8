"""What Slack delivers, parsed once at the edge: who, where, by which words, and under which key it is handled once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sysop.store.inbox import Kind

KINDS: Mapping[str, Kind] = {
    "event_callback": "event",
    "block_actions": "action",
    "message_action": "shortcut",
    "shortcut": "shortcut",
    "view_submission": "view",
}
_KEY = re.compile(r"[!-~]{1,300}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery. `name` is the event's type, the first word of a command, an action's, shortcut's or view's id.

    Where a field does not apply it is empty. `thread` names the root of a thread the person was in.
    """

    kind: Kind
    key: str
    name: str
    team: str
    user: str
    channel: str
    thread: str
    text: str
    body: Mapping[str, Any]

    @property
    def event(self) -> Mapping[str, Any]:
        """Return the inner event."""
        return table(self.body.get("event"))

    @property
    def view(self) -> Mapping[str, Any]:
        """Return the modal or Home this is about."""
        return table(self.body.get("view"))

    @property
    def state(self) -> Mapping[str, Any]:
        """Return what was filled into a modal, by block and action."""
        return table(table(self.view.get("state")).get("values"))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Return what we wrote into a modal for ourselves; one that holds a single id is no mapping."""
        return _metadata(self.view)

    @property
    def pressed(self) -> Mapping[str, Any]:
        """Return the first action of a click."""
        actions = self.body.get("actions")
        return table(actions[0]) if isinstance(actions, list) and actions else {}

    @property
    def value(self) -> str:
        """Return the opaque value of the button that was pressed, or of what was chosen in the menu behind it."""
        chosen = table(self.pressed.get("selected_option"))
        return words(self.pressed.get("value")) or words(chosen.get("value"))

    @property
    def trigger(self) -> str:
        """Return what opens a modal, for three seconds and once."""
        return words(self.body.get("trigger_id"))

    @property
    def response_url(self) -> str:
        """Return the address that takes answers for half an hour."""
        return words(self.body.get("response_url"))

    @property
    def lane(self) -> str:
        """Return what keeps deliveries in order: those of one thread, else those of one person."""
        return f"{self.team}/{self.channel}/{self.thread}" if self.thread else f"{self.team}/{self.user}"


def table(value: Any) -> Mapping[str, Any]:
    """Return a mapping; anything else counts as an empty one."""
    return value if isinstance(value, Mapping) else {}


def words(value: Any) -> str:
    """Return a text; anything else counts as none."""
    return value if isinstance(value, str) else ""


def id_in(value: Any) -> str:
    """Return an id or a timestamp of Slack's; anything else counts as none."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def parse(body: Mapping[str, Any]) -> Incoming | None:
    """Return what a body delivers; None for one that is not worked on later, or lacks what tells it from a repeat."""
    if "command" in body:
        return _with_key(body, "command", words(body.get("trigger_id")))
    kind = KINDS.get(words(body.get("type")))
    if kind is None:
        return None
    if kind == "event":
        return _with_key(body, kind, words(body.get("event_id")))
    if kind == "view":
        view = table(body.get("view"))
        id, version = words(view.get("id")), words(view.get("hash"))
        return _with_key(body, kind, f"{id}:{version}" if id and version else "")
    return _with_key(body, kind, words(body.get("trigger_id")))


def _with_key(body: Mapping[str, Any], kind: Kind, id: str) -> Incoming | None:
    if not _KEY.fullmatch(id):
        return None
    read = {"command": _command, "event": _event, "action": _action, "shortcut": _shortcut, "view": _view}[kind]
    return Incoming(kind=kind, key=f"{kind}:{id}", body=body, **read(body))


def _command(body: Mapping[str, Any]) -> dict[str, str]:
    text = words(body.get("text")).strip()
    name, _, rest = text.partition(" ")
    return {
        "name": name.lower(),
        "team": id_in(body.get("team_id")),
        "user": id_in(body.get("user_id")),
        "channel": id_in(body.get("channel_id")),
        "thread": "",
        "text": rest.strip(),
    }


def _event(body: Mapping[str, Any]) -> dict[str, str]:
    event, granted = table(body.get("event")), body.get("authorizations")
    seen_by = table(granted[0]) if isinstance(granted, list) and granted else {}
    return {
        "name": words(event.get("type")),
        "team": id_in(seen_by.get("team_id")) or id_in(body.get("team_id")),
        "user": id_in(event.get("user")),
        "channel": id_in(event.get("channel")),
        "thread": id_in(event.get("thread_ts")) or id_in(event.get("ts")),
        "text": words(event.get("text")),
    }


def _interaction(body: Mapping[str, Any]) -> dict[str, str]:
    user, container = table(body.get("user")), table(body.get("container"))
    message = table(body.get("message"))
    return {
        "team": id_in(table(body.get("team")).get("id")) or id_in(user.get("team_id")),
        "user": id_in(user.get("id")),
        "channel": id_in(table(body.get("channel")).get("id")) or id_in(container.get("channel_id")),
        "thread": id_in(message.get("thread_ts")) or id_in(message.get("ts")),
    }


def _action(body: Mapping[str, Any]) -> dict[str, str]:
    actions = body.get("actions")
    pressed = table(actions[0]) if isinstance(actions, list) and actions else {}
    return {**_interaction(body), "name": words(pressed.get("action_id")), "text": ""}


def _shortcut(body: Mapping[str, Any]) -> dict[str, str]:
    said = words(table(body.get("message")).get("text"))
    return {**_interaction(body), "name": words(body.get("callback_id")), "text": said}


def _view(body: Mapping[str, Any]) -> dict[str, str]:
    view = table(body.get("view"))
    at = id_in(_metadata(view).get("channel"))
    return {**_interaction(body), "name": words(view.get("callback_id")), "text": "", "channel": at}


def _metadata(view: Mapping[str, Any]) -> Mapping[str, Any]:
    text = words(view.get("private_metadata"))
    try:
        return table(json.loads(text)) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
