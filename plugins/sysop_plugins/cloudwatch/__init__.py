"""CloudWatch: understand alarms that come through topics of Amazon SNS, and nothing that SNS has not signed."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import AlertSource, Delivery, Health, HealthCheck, PluginContext, hookimpl
from sysop_plugins.cloudwatch.alarm import parse
from sysop_plugins.cloudwatch.certificates import MISSING, available
from sysop_plugins.cloudwatch.door import Door
from sysop_plugins.cloudwatch.settings import Settings

__all__ = ["parse"]


def _by_signature(_delivery: Delivery, _token: str) -> bool:
    """Let everything on: SNS sends no token, it signs. What it signed is checked next, against its certificate."""
    return True


async def _health(ctx: PluginContext) -> Health:
    settings: Settings = ctx.settings
    if not settings.topics:
        return Health(None, "no topic is configured", "add the topics' names to plugins.cloudwatch.topics")
    if not available():
        return Health(False, MISSING, "install sysop[aws]")
    return Health(True, f"{'1 topic is' if len(settings.topics) == 1 else f'{len(settings.topics)} topics are'} let in")


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which topics are let in."""
    return Settings


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Tell whether a message of SNS can be checked."""
    return [HealthCheck("cloudwatch", _health)]


@hookimpl
def register_alert_sources() -> Iterable[AlertSource]:
    """Accept deliveries of SNS at `/webhooks/cloudwatch`."""
    return [AlertSource("cloudwatch", parse, _by_signature, accept=Door().accept)]
