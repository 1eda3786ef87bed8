"""The demo's own folder: settings, token, and nothing from anywhere else."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sysop.demo.company.topology import NAMESPACE, SERVICES, WHOLE, Service
from sysop.demo.pipelines import pipelines
from sysop.errors import SettingsError
from sysop.paths import private_folder
from sysop.runner.lock import RunnerLock

MARK = "demo.json"
APPROVER = "demo-approver"
_AGAIN = {"triage_again_after_seconds": 5}
"""Drills are over in a minute or two; a second cause that shows after the first was mended must be looked into."""
MOST_REPLICAS = 4


@dataclass(frozen=True)
class Place:
    """The demo's folder and what lies in it."""

    root: Path

    @property
    def company(self) -> Path:
        """Return the company's folder."""
        return self.root / "company"

    @property
    def builds(self) -> Path:
        """Return where the pipeline runner keeps its builds."""
        return self.root / "builds"

    @property
    def database(self) -> Path:
        """Return the database."""
        return self.root / "sysop.db"

    @property
    def settings(self) -> Path:
        """Return the settings file."""
        return self.root / "sysop.yaml"

    @property
    def pipelines(self) -> Path:
        """Return the pipelines as the company's own people use them."""
        return self.root / "pipelines.json"

    @property
    def kubernetes_token(self) -> Path:
        """Return the file with the bearer token of the whole company's Kubernetes API."""
        return self.root / "kubernetes-token"

    @property
    def token(self) -> Path:
        """Return the file with the webhook's bearer token."""
        return self.root / "webhook-token"


def prepare(root: Path, *, again: bool = False) -> Place:
    """Make an empty folder, after removing an earlier demo's. Raises SettingsError where it is not ours to remove.

    `again`: what the earlier demo has written into its database stays, and without one this raises.
    """
    place = Place(root.absolute())
    if place.root.exists() and any(place.root.iterdir()):
        _refuse_foreign(place)
        for old in (place.company, place.builds) if again else (place.root,):
            shutil.rmtree(old, ignore_errors=again)
    if again and not place.database.exists():
        raise SettingsError(f"there is no earlier demo in {place.root}; run one first, without --again")
    for folder in (place.root, place.company, place.builds):
        private_folder(folder)
    (place.root / MARK).write_text("{}\n")
    for file in (place.token, place.kubernetes_token):
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return place


def _refuse_foreign(place: Place) -> None:
    if not (place.root / MARK).exists():
        raise SettingsError(f"{place.root} is not a demo's folder; name an empty one with --folder")
    holder = RunnerLock(place.database).holder()
    if holder is not None:
        raise SettingsError(f"a demo is running in {place.root} (process {holder}); stop it or name another --folder")


def write_settings(
    place: Place,
    *,
    metrics_url: str,
    port: int,
    more: Mapping[str, Any] | None = None,
    whole: bool = False,
    kubernetes_url: str | None = None,
) -> dict[str, Any]:
    """Write the demo's sysop.yaml: an ordinary one, as a company would. `more` adds sections.

    `whole`: for the company with all its services and pipelines, whose Kubernetes API is at `kubernetes_url`.
    """
    local = {"folder": str(place.builds), "pipelines": pipelines(place.company, whole=whole)}
    health = {
        "query": 'service:own_error_ratio:rate10s{service="{service}"}',
        "below": 0.05,
        "within_seconds": 60,
        "every_seconds": 1,
    }
    values: dict[str, Any] = {
        "state": str(place.root),
        "environment": "demo",
        "people": {APPROVER: {"roles": ["approver"]}, **you()},
        "inventory": _inventory(WHOLE if whole else SERVICES),
        "webhooks": {"port": port, "tokens": {"alertmanager": f"file:{place.token}"}},
        "incidents": {"quiet_seconds": 3, "triage_after_seconds": 2, **(_AGAIN if whole else {})},
        "plugins": {
            "metrics": {"url": metrics_url},
            "cicd": {"local": local, "default_service": {"pipeline": "deploy", "health": health}},
            **(_kubernetes(kubernetes_url, health) if kubernetes_url else {}),
        },
        **({"secrets": {"kubernetes": _both(place.kubernetes_token)}} if kubernetes_url else {}),
        **(more or {}),
    }
    place.settings.write_text(
        f"# The settings of `sysop demo`, as a company would write them.\n{yaml.safe_dump(values, sort_keys=False)}"
    )
    place.pipelines.write_text(json.dumps(local))
    return values


def _inventory(services: Mapping[str, Service]) -> dict[str, Any]:
    return {
        service.name: {
            "owner": service.team,
            "depends_on": [called for called in service.routes.values() if called in services],
        }
        for service in services.values()
    }


def _kubernetes(url: str, health: Mapping[str, Any]) -> dict[str, Any]:
    bounds = {"min": 1, "max": MOST_REPLICAS}
    section = {"url": url, "namespaces": [NAMESPACE], "scale": bounds, "health": dict(health), "steady_seconds": 3}
    return {"kubernetes": section}


def _both(file: Path) -> dict[str, str]:
    return {"read": f"file:{file}", "write": f"file:{file}"}


def you() -> dict[str, Any]:
    """Return the person at this terminal, who may approve; under a name of their own if the system knows one."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user-{uid}"
    return {name: {"uid": uid, "roles": ["approver"]}}
