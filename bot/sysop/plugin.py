"""One plugin: what its module hands in, checked and put together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pluggy
from pydantic import BaseModel, ValidationError

from sysop.actions import Action
from sysop.errors import PluginError, SettingsError
from sysop.extension import BUILT_IN_COMMANDS, AlertSource, SlashCommand
from sysop.inventory import nearest

NAME = re.compile(r"[a-z][a-z0-9_]*")
_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that works: what it registered, and its checked settings."""

    name: str
    version: str
    settings: Any
    actions: tuple[Action, ...]
    commands: tuple[SlashCommand, ...] = ()
    sources: tuple[AlertSource, ...] = ()


def assemble(name: str, release: str, module: Any, section: Mapping[str, Any], manager: pluggy.PluginManager) -> Plugin:
    """Return what a loaded module hands in. Raises SettingsError for a wrong section and PluginError for the rest."""
    registered = getattr(module, "register_actions", None)
    actions = [action.owned(name, release) for action in (registered() if registered else ())]
    names = [action.name for action in actions]
    if len(names) != len(set(names)):
        raise PluginError("two actions have the same name")
    model = getattr(module, "register_settings", None)
    commands = getattr(module, "register_slash_commands", None)
    plugin = Plugin(
        name,
        release,
        _settings(name, model() if model else None, section),
        tuple(actions),
        tuple(_owned(name, command, names) for command in (commands() if commands else ())),
    )
    return replace(plugin, sources=tuple(_sources(manager, plugin)))


def _owned(plugin: str, command: SlashCommand, actions: Sequence[str]) -> SlashCommand:
    """Return the command with the full name of its action. Raises PluginError."""
    if not NAME.fullmatch(command.name) or command.name in BUILT_IN_COMMANDS:
        raise PluginError(f"the command {command.name!r} must match {NAME.pattern} and not be one of ours")
    action = f"{plugin}.{command.action}"
    if action not in actions:
        raise PluginError(f"the command {command.name} names the action {command.action!r}{nearest(action, actions)}")
    return replace(command, action=action)


def _sources(manager: pluggy.PluginManager, plugin: Plugin) -> Iterator[AlertSource]:
    """Yield the plugin's alert sources, made from its own settings. Raises PluginError."""
    for implementation in manager.hook.register_alert_sources.get_hookimpls():
        if implementation.plugin_name != plugin.name:
            continue
        found: Any = implementation.function(*([plugin.settings] if implementation.argnames else []))
        for source in found:
            if not _SOURCE.fullmatch(source.name):
                raise PluginError(f"the alert source {source.name!r} must match {_SOURCE.pattern}")
            yield replace(source, plugin=plugin.name)


def _settings(name: str, model: type[BaseModel] | None, section: Mapping[str, Any]) -> Any:
    if model is None:
        if section:
            raise SettingsError(f"plugins.{name}: this plugin has no settings; remove the section")
        return None
    try:
        return model.model_validate(section)
    except ValidationError as bad:
        lines = []
        for error in bad.errors():
            key = ".".join(str(part) for part in error["loc"])
            here = error["type"] == "extra_forbidden" and len(error["loc"]) == 1
            fix = nearest(str(error["loc"][-1]), model.model_fields) if here else ""
            lines.append(f"plugins.{name}.{key}: {error['msg'].removeprefix('Value error, ')}{fix}")
        raise SettingsError("\n".join(lines)) from None
