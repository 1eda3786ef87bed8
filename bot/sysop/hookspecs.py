"""Every hook a plugin may implement. The signatures are API; docs/hooks.md has a heading for each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pydantic import BaseModel

    from sysop.actions import Action
    from sysop.extension import (
        AlertSource,
        ChangeSource,
        HealthCheck,
        MetricSource,
        PlannerFactory,
        PluginContext,
        SilenceMirror,
        SlashCommand,
    )
    from sysop.model import Actor, AuditEntry, Call, Decision
    from sysop.page_source import PageSource

hookspec = pluggy.HookspecMarker("sysop")
hookimpl = pluggy.HookimplMarker("sysop")


@hookspec
def register_actions() -> Iterable[Action]:  # type: ignore[empty-body]
    """Return the plugin's actions; each gets the name `plugin.function`."""


@hookspec
def register_settings() -> type[BaseModel]:  # type: ignore[empty-body]
    """Return the model of this plugin's section of sysop.yaml, checked at start."""


@hookspec
def register_alert_sources(settings: Any) -> Iterable[AlertSource]:  # type: ignore[empty-body]
    """Return what takes deliveries at `/webhooks/NAME`. `settings` are those of `register_settings`, checked."""


@hookspec
def register_change_sources(settings: Any) -> Iterable[ChangeSource]:  # type: ignore[empty-body]
    """Return places that are asked what was changed. `settings` are those of `register_settings`, checked."""


@hookspec
def register_metric_sources() -> Iterable[MetricSource]:  # type: ignore[empty-body]
    """Return what answers the queries of watches."""


@hookspec
def register_silence_mirrors() -> Iterable[SilenceMirror]:  # type: ignore[empty-body]
    """Return other places where silences set in Sysop hold; of several that are connected, the first by name is."""


@hookspec
def register_runbooks() -> Iterable[Path | PageSource]:  # type: ignore[empty-body]
    """Return where pages come from: folders, or a `PageSource` that lists and reads them."""


@hookspec
def register_health_checks() -> Iterable[HealthCheck]:  # type: ignore[empty-body]
    """Return checks that `sysop doctor` runs and explains."""


@hookspec
def register_planners() -> Iterable[PlannerFactory]:  # type: ignore[empty-body]
    """Return further planners; a run names one, else the configured default works."""


@hookspec
def register_slash_commands() -> Iterable[SlashCommand]:  # type: ignore[empty-body]
    """Return commands of the chat, `/sysop NAME …`, each a run of one of the plugin's actions."""


@hookspec
def judge(call: Call, action: Action, actor: Actor) -> Decision | None:
    """Tighten policy for one call. The strictest answer wins, None has no opinion, an exception means forbid."""


@hookspec
def observe(entry: AuditEntry) -> None:
    """See one committed audit entry. Cannot veto; an exception is reported and goes no further."""


@hookspec
def startup(ctx: PluginContext) -> None:
    """Prepare, once, when a process that performs actions starts."""


@hookspec
def shutdown(ctx: PluginContext) -> None:
    """Let go of what startup took."""
