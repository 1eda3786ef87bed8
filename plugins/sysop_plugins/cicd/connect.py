"""From settings to the provider they name."""

from __future__ import annotations

from pathlib import Path

from sysop.api import Context, PluginContext
from sysop_plugins.cicd.local import LocalProvider
from sysop_plugins.cicd.provider import Provider
from sysop_plugins.cicd.settings import Settings


def provider_of(ctx: Context | PluginContext) -> Provider:
    """Return the provider the settings name, with its records in the plugin's own folder unless they say otherwise."""
    settings: Settings = ctx.settings
    return LocalProvider(builds_folder(settings, ctx.state), settings)


def builds_folder(settings: Settings, state: Path) -> Path:
    """Return where the local provider keeps its builds."""
    return settings.local.folder or state / "builds"
