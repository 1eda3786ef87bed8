"""The demo's own folder: settings, token, and nothing from anywhere else."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sysop.demo.company.topology import SERVICES
from sysop.errors import SettingsError
from sysop.paths import private_folder
from sysop.runner.lock import RunnerLock

MARK = "demo.json"
APPROVER = "demo-approver"


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
    def settings(self) -> Path:
        """Return the settings file."""
        return self.root / "sysop.yaml"

    @property
    def pipelines(self) -> Path:
        """Return the pipelines as the company's own people use them."""
        return self.root / "pipelines.json"

    @property
    def token(self) -> Path:
        """Return the file with the webhook's bearer token."""
        return self.root / "webhook-token"


def prepare(root: Path) -> Place:
    """Make an empty folder, after removing an earlier demo's. Raises SettingsError where it is not ours to remove."""
    place = Place(root.absolute())
    if place.root.exists() and any(place.root.iterdir()):
        _refuse_foreign(place)
        shutil.rmtree(place.root)
    for folder in (place.root, place.company, place.builds):
        private_folder(folder)
    (place.root / MARK).write_text("{}\n")
    place.token.touch(mode=0o600)
    place.token.write_text(secrets.token_urlsafe(32))
    return place


def _refuse_foreign(place: Place) -> None:
    if not (place.root / MARK).exists():
        raise SettingsError(f"{place.root} is not a demo's folder; name an empty one with --folder")
    holder = RunnerLock(place.root / "sysop.db").holder()
    if holder is not None:
        raise SettingsError(f"a demo is running in {place.root} (process {holder}); stop it or name another --folder")


def write_settings(
    place: Place, *, metrics_url: str, port: int, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write the demo's sysop.yaml: an ordinary one, as a company would. `more` adds sections."""
    pipeline = {
        "command": [
            *(sys.executable, "-m", "sysop.demo.company.deploy", "--folder", str(place.company)),
            *("--service", "{service}", "--version", "{version}"),
        ],
        "parameters": ["service", "version"],
        "deploys": True,
        "timeout_seconds": 60,
        "description": "deploy a version of a service",
    }
    local = {"folder": str(place.builds), "pipelines": {"deploy": pipeline}}
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
        "inventory": {
            service.name: {"owner": service.team, "depends_on": [service.calls] if service.calls else []}
            for service in SERVICES.values()
        },
        "webhooks": {"port": port, "tokens": {"alertmanager": f"file:{place.token}"}},
        "incidents": {"quiet_seconds": 3, "triage_after_seconds": 2},
        "plugins": {
            "metrics": {"url": metrics_url},
            "cicd": {"provider": "local", "local": local, "default_service": {"pipeline": "deploy", "health": health}},
        },
        **(more or {}),
    }
    place.settings.write_text(
        f"# The settings of `sysop demo`, as a company would write them.\n{yaml.safe_dump(values, sort_keys=False)}"
    )
    place.pipelines.write_text(json.dumps(local))
    return values


def you() -> dict[str, Any]:
    """Return the person at this terminal, who may approve; under a name of their own if the system knows one."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user-{uid}"
    return {name: {"uid": uid, "roles": ["approver"]}}
