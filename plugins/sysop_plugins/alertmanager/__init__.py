"""Alertmanager: understand its webhooks, and keep alerts quiet there as well as here."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import (
    Action,
    ActionFailed,
    AlertSource,
    Health,
    HealthCheck,
    PluginContext,
    SilenceMirror,
    basic,
    bearer,
    either,
    hookimpl,
)
from sysop_plugins.alertmanager import asked, silences
from sysop_plugins.alertmanager.settings import NO_URL, Settings
from sysop_plugins.alertmanager.webhook import parse

__all__ = ["parse"]


async def _health(ctx: PluginContext) -> Health:
    settings: Settings = ctx.settings
    if settings.url is None:
        return Health(None, "no server is configured: silences hold in Sysop only", NO_URL)
    fix = f"check that {settings.url} is Alertmanager's base URL and can be reached from here"
    try:
        answer = await ctx.http.request("GET", f"{settings.url}/api/v2/status", timeout=settings.timeout)
    except (ActionFailed, OSError) as failed:
        return Health(False, str(failed), fix)
    if answer.status in (401, 403) and settings.token_secret:
        return Health(True, f"{settings.url} answers and wants the token, which is sent in calls only")
    return Health(answer.status == 200, f"{settings.url} answers {answer.status}", "" if answer.status == 200 else fix)


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/alertmanager`, and ask the servers that cannot send any."""
    pulls = tuple(asked.pull(place) for place in settings.pull)
    return [AlertSource("alertmanager", parse, either(bearer, basic), pulls=pulls)]


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the list of silences, and the two changes."""
    return [silences.silences, silences.silence, silences.unsilence]


@hookimpl
def register_silence_mirrors() -> Iterable[SilenceMirror]:
    """Let silences set in Sysop hold in Alertmanager, too, once it is known where that is."""
    return [SilenceMirror("Alertmanager", "silence", "unsilence", lambda settings: settings.url is not None)]


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return where Alertmanager is."""
    return Settings


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Ask the server how it is."""
    return [HealthCheck("alertmanager", _health)]
