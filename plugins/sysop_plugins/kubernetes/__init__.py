"""Kubernetes: look at workloads, restart, scale and roll back services, cordon nodes."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import Action, ChangeSource, HealthCheck, hookimpl
from sysop_plugins.kubernetes import access, changes, feed, nodes, reads
from sysop_plugins.kubernetes.health import health
from sysop_plugins.kubernetes.settings import Settings


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the reads and the changes."""
    return [
        reads.workloads,
        reads.rollout_status,
        reads.events,
        reads.pod_logs,
        reads.usage,
        access.access,
        changes.scale,
        changes.restart,
        changes.rollout_undo,
        nodes.cordon,
        nodes.uncordon,
    ]


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return the cluster, its namespaces and how far services may be scaled."""
    return Settings


@hookimpl
def register_change_sources(settings: Settings) -> Iterable[ChangeSource]:
    """Return the cluster as a place that is asked what was rolled out, where settings want that."""
    return feed.sources(settings)


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Check that the API server answers."""
    return [HealthCheck("kubernetes", health)]
