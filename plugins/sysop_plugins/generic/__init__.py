"""Any sender of JSON: alerts by expressions in sysop.yaml, `plugins.generic.sources`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import AlertSource, hookimpl
from sysop_plugins.generic.mapping import Mapper
from sysop_plugins.generic.settings import Settings


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return the sources and their expressions."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/NAME` for each source of the settings."""
    return [
        AlertSource(name, Mapper(name, source).parse, source.proof.proves())
        for name, source in settings.sources.items()
    ]
