"""The manifest we ship names exactly what the code listens to and calls, and Slack would take it."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from sysop.extension import SlashCommand
from sysop.surfaces.slack import installations, listeners
from sysop.surfaces.slack.commands import sysop
from sysop.surfaces.slack.events import home

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "bot/sysop/surfaces/slack"
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "deploy/slack/manifest.yaml").read_text())
SCHEMAS = (os.environ.get("SYSOP_TEST_SLACK_SCHEMA"), ROOT.parent / "shared/data/slack/manifest.schema.2.0.0.json")

MESSAGES = {"message.channels", "message.groups", "message.im", "message.mpim"}
EVENT_SCOPES: dict[str, str | None] = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "app_home_opened": None,
    "app_context_changed": "assistant:write",
    "agent_session_stopped": "assistant:write",
    "agent_session_title_changed": "assistant:write",
    "app_uninstalled": None,
    "tokens_revoked": None,
}
"""Every event we may subscribe to, with the scope it needs."""
METHOD_SCOPES: dict[str, set[str]] = {
    "auth_test": set(),
    "apps_connections_open": set(),
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "chat_startStream": {"chat:write"},
    "chat_appendStream": {"chat:write"},
    "chat_stopStream": {"chat:write"},
    "chat_getPermalink": set(),
    "views_open": set(),
    "views_publish": set(),
    "conversations_open": {"im:write"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "users_info": {"users:read"},
    "usergroups_users_list": {"usergroups:read"},
    "reactions_add": {"reactions:write"},
    "files_getUploadURLExternal": {"files:write"},
    "files_completeUploadExternal": {"files:write"},
    "agents_sessions_setStatus": {"assistant:write"},
    "agents_sessions_rename": {"assistant:write"},
    "assistant_threads_setStatus": {"assistant:write"},
    "assistant_threads_setSuggestedPrompts": {"assistant:write"},
}
"""Every Web API method we may call, with the scopes it needs."""


class Recorder:
    """Takes what listeners register, as Bolt's app does, and refuses everything else."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.events: set[str] = set()
        self.actions: list[str] = []
        self.views: list[str] = []
        self.shortcuts: list[tuple[str, str]] = []

    def _keep(self, keep: Callable[[Any], object], given: Any) -> Callable[[Any], None]:
        keep(given)
        return lambda listener: None

    def command(self, word: str) -> Callable[[Any], None]:
        return self._keep(self.commands.append, word)

    def event(self, event: str | dict[str, Any]) -> Callable[[Any], None]:
        return self._keep(self.events.add, event if isinstance(event, str) else event["type"])

    def action(self, id: str) -> Callable[[Any], None]:
        return self._keep(self.actions.append, id)

    def view(self, id: str) -> Callable[[Any], None]:
        return self._keep(self.views.append, id)

    def message_shortcut(self, id: str) -> Callable[[Any], None]:
        return self._keep(self.shortcuts.append, ("message", id))

    def global_shortcut(self, id: str) -> Callable[[Any], None]:
        return self._keep(self.shortcuts.append, ("global", id))


@pytest.fixture(scope="module")
def registered() -> Recorder:
    desk: Any = SimpleNamespace(host=SimpleNamespace(commands={}))
    recorder: Any = Recorder()
    listeners.register(recorder, desk)
    return recorder


def _events() -> list[str]:
    return list(MANIFEST["settings"]["event_subscriptions"]["bot_events"])


def test_every_command_of_the_manifest_is_listened_to_and_no_other(registered: Recorder) -> None:
    assert [one["command"] for one in MANIFEST["features"]["slash_commands"]] == registered.commands


def test_the_hint_of_the_command_offers_every_word_in_the_order_of_help() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    desk: Any = SimpleNamespace(host=SimpleNamespace(commands={}))
    assert command["usage_hint"].split(" | ") == list(sysop.book(desk))


def test_every_event_of_the_manifest_is_listened_to_and_no_other(registered: Recorder) -> None:
    subscribed = {"message" if event in MESSAGES else event for event in _events()}
    assert subscribed == registered.events
    assert set(_events()) == set(EVENT_SCOPES), "an event without a known scope, or one that is not subscribed to"


def test_every_shortcut_of_the_manifest_is_listened_to_and_no_other(registered: Recorder) -> None:
    named = sorted((one["type"], one["callback_id"]) for one in MANIFEST["features"]["shortcuts"])
    assert named == sorted(registered.shortcuts)


def test_nothing_is_listened_to_twice(registered: Recorder) -> None:
    for ids in (registered.actions, registered.views, registered.shortcuts):
        assert len(ids) == len(set(ids))


def test_every_button_and_form_that_is_built_is_listened_to(registered: Recorder) -> None:
    built = {"actions": set[str](), "views": set[str]()}
    for file in (SOURCE / "blocks").glob("*.py"):
        for name in re.findall(r'Final = "((?:approval|incident|feedback|home|form)(?:\.[a-z]+)?)"', file.read_text()):
            built["views" if name.startswith("form.") else "actions"].add(name)
    assert built["views"] <= set(registered.views)
    answered = set(registered.actions) | {"feedback.helpful", "feedback.unhelpful"}  # values of one element
    assert built["actions"] <= answered
    assert {"approval.approve", "approval.deny", "approval.view", "feedback"} <= set(registered.actions)


METHODS = {
    name
    for name, member in vars(AsyncWebClient).items()
    if not name.startswith("_") and inspect.iscoroutinefunction(member)
} | {"api_call"}


def _called() -> Iterator[str]:
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                yield node.attr


def test_the_scopes_are_what_our_calls_and_events_need_and_no_more() -> None:
    called = set(_called())
    unknown = called - set(METHOD_SCOPES)
    assert not unknown, f"say which scopes these need: {sorted(unknown)}"
    needed = {scope for method in called for scope in METHOD_SCOPES[method]}
    needed |= {scope for event in _events() if (scope := EVENT_SCOPES[event])} | {"commands"}
    granted = MANIFEST["oauth_config"]["scopes"]["bot"]
    assert set(granted) == needed
    assert len(granted) == len(set(granted))
    assert set(installations.SCOPES) == needed


def test_the_prompts_are_those_that_are_offered_above_the_messages() -> None:
    assert MANIFEST["features"]["agent_view"]["suggested_prompts"] == [dict(prompt) for prompt in home.PROMPTS]


def test_stop_is_shown_only_because_the_event_is_subscribed_to() -> None:
    assert "agent_session_stopped" in _events()


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (("display_information", "name"), 35),
        (("display_information", "description"), 140),
        (("display_information", "long_description"), 4000),
        (("features", "agent_view", "agent_description"), 300),
        (("features", "bot_user", "display_name"), 80),
    ],
)
def test_texts_are_as_short_as_slack_wants_them(path: tuple[str, ...], most: int) -> None:
    part: Any = MANIFEST
    for name in path:
        part = part[name]
    assert 0 < len(part) <= most
    if path[-1] == "long_description":
        assert len(part) >= 174


def test_lists_are_as_short_as_slack_wants_them() -> None:
    features = MANIFEST["features"]
    assert len(features["agent_view"]["suggested_prompts"]) <= 4
    assert len(features["shortcuts"]) <= 10
    for one in features["shortcuts"]:
        assert len(one["name"]) <= 24
        assert len(one["description"]) <= 150
        assert len(one["callback_id"]) <= 255
    for one in features["slash_commands"]:
        assert re.fullmatch(r"/[a-z0-9_-]{1,31}", one["command"])
        assert len(one["description"]) <= 2000
        assert len(one["usage_hint"]) <= 1000
        assert one["should_escape"] is True, "mentions must arrive as ids"


def test_it_is_an_agent_and_not_the_assistant_of_old() -> None:
    assert "agent_view" in MANIFEST["features"]
    assert "assistant_view" not in MANIFEST["features"]
    assert MANIFEST["features"]["app_home"]["messages_tab_read_only_enabled"] is False
    assert MANIFEST["settings"]["token_rotation_enabled"] is False
    assert MANIFEST["settings"]["org_deploy_enabled"] is False


def test_only_known_parts_stand_in_it() -> None:
    assert set(MANIFEST) == {"display_information", "features", "oauth_config", "settings"}
    assert set(MANIFEST["features"]) == {"agent_view", "app_home", "bot_user", "slash_commands", "shortcuts"}
    assert set(MANIFEST["settings"]) == {
        "event_subscriptions",
        "interactivity",
        "org_deploy_enabled",
        "socket_mode_enabled",
        "token_rotation_enabled",
    }


def test_slacks_own_schema_takes_it_where_it_is_at_hand() -> None:
    """Checked besides the above, never instead of it: the schema knows neither events nor scopes."""
    for schema in SCHEMAS:
        if schema and Path(schema).is_file():
            jsonschema.validate(MANIFEST, json.loads(Path(schema).read_text()))


def test_the_names_of_our_commands_are_those_a_plugin_cannot_take() -> None:
    from sysop.extension import BUILT_IN_COMMANDS

    deploy = SlashCommand("deploy", "deploy a service", "/sysop deploy SERVICE", "x.deploy", lambda text: {})
    desk: Any = SimpleNamespace(host=SimpleNamespace(commands={"deploy": deploy}))
    ours = set(sysop.book(desk)) - {"deploy"}
    assert ours == BUILT_IN_COMMANDS - {"report", "cost"}, "these two come with the parts they are about"
    assert "deploy" in sysop.book(desk)
