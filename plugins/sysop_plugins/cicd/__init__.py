"""CI/CD: look at pipelines and builds, deploy, roll back."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import Action, ChangeSource, HealthCheck, hookimpl
from sysop_plugins.cicd import build_actions, changing, deploy_actions, doctor
from sysop_plugins.cicd.settings import Settings


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the reads and the changes."""
    return [
        build_actions.pipelines,
        build_actions.status,
        build_actions.logs,
        build_actions.builds,
        build_actions.pipeline_health,
        deploy_actions.recent_deploys,
        deploy_actions.live_version,
        deploy_actions.compare,
        build_actions.trigger,
        build_actions.rerun,
        build_actions.cancel,
        deploy_actions.deploy,
        deploy_actions.rollback,
    ]


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return the pipelines and how services are deployed and judged."""
    return Settings


@hookimpl
def register_change_sources(settings: Settings) -> Iterable[ChangeSource]:
    """Ask every provider that deploys what was deployed."""
    return changing.sources(settings)


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Check that every pipeline's program is there, and every provider's server answers."""
    return [HealthCheck("cicd", doctor.check)]
