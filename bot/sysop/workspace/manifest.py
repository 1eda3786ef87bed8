"""The app's manifest, parsed once: what it may do, what it hears, what people can start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sysop.workspace.errors import ManifestError


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command."""

    command: str
    description: str
    usage_hint: str
    should_escape: bool


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut; `type` is `message` or `global`."""

    name: str
    type: str
    callback_id: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A suggested prompt."""

    title: str
    message: str


@dataclass(frozen=True, slots=True)
class AppManifest:
    """An app as its manifest describes it."""

    name: str
    description: str
    display_name: str
    scopes: frozenset[str]
    events: frozenset[str]
    commands: tuple[Command, ...]
    shortcuts: tuple[Shortcut, ...]
    prompts: tuple[Prompt, ...]
    agent_view: bool
    home_tab: bool
    messages_tab: bool
    interactive: bool
    socket_mode: bool

    @classmethod
    def parse(cls, manifest: Mapping[str, Any]) -> AppManifest:
        """Return the app of a manifest, or say what is wrong with it."""
        features, settings = _part(manifest, "features"), _part(manifest, "settings")
        name = str(_part(manifest, "display_information").get("name") or "")
        if not name:
            raise ManifestError("display_information.name is missing")
        home, agent = _part(features, "app_home"), _part(features, "agent_view")
        return cls(
            name=name,
            description=str(_part(manifest, "display_information").get("description", "")),
            display_name=str(_part(features, "bot_user").get("display_name") or name),
            scopes=_words(_part(_part(manifest, "oauth_config"), "scopes"), "bot"),
            events=_words(_part(settings, "event_subscriptions"), "bot_events"),
            commands=tuple(_command(entry) for entry in _entries(features, "slash_commands")),
            shortcuts=tuple(_shortcut(entry) for entry in _entries(features, "shortcuts")),
            prompts=tuple(_prompt(entry) for entry in _entries(agent, "suggested_prompts")),
            agent_view="agent_view" in features,
            home_tab=bool(home.get("home_tab_enabled")),
            messages_tab=bool(home.get("messages_tab_enabled")),
            interactive=bool(_part(settings, "interactivity").get("is_enabled")),
            socket_mode=bool(settings.get("socket_mode_enabled")),
        )


def _part(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = parent.get(name) or {}
    if not isinstance(part, Mapping):
        raise ManifestError(f"{name} must be an object")
    return part


def _entries(parent: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    entries = parent.get(name) or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ManifestError(f"{name} must be a list of objects")
    return entries


def _words(parent: Mapping[str, Any], name: str) -> frozenset[str]:
    words = parent.get(name) or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ManifestError(f"{name} must be a list of words")
    return frozenset(words)


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise ManifestError(f"{name} is missing in {dict(entry)}")
    return value


def _command(entry: Mapping[str, Any]) -> Command:
    command = _text(entry, "command")
    if not command.startswith("/"):
        raise ManifestError(f"the command {command} must begin with /")
    hint = str(entry.get("usage_hint", ""))
    return Command(command, str(entry.get("description", "")), hint, bool(entry.get("should_escape")))


def _shortcut(entry: Mapping[str, Any]) -> Shortcut:
    kind = _text(entry, "type")
    if kind not in ("message", "global"):
        raise ManifestError(f"a shortcut is for a message or global, not {kind}")
    return Shortcut(_text(entry, "name"), kind, _text(entry, "callback_id"))


def _prompt(entry: Mapping[str, Any]) -> Prompt:
    return Prompt(_text(entry, "title"), _text(entry, "message"))
