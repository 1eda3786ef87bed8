"""Releases of the company's services, what may be wrong with them, and the catalogue that lists them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

RELEASES_FILE = "releases.json"

Kind = Literal["errors", "latency", "crash", "stuck", "leak"]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a release: the share of requests it fails, or the seconds it adds to each.

    Of a crash, `seconds` is how long a process serves before it ends.
    """

    kind: Kind
    share: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Release:
    """One version of a service and how it behaves."""

    version: str
    change: str
    team: str
    own_seconds: float
    fault: Fault | None = None


Catalogue = Mapping[str, tuple[Release, ...]]


class UnknownRelease(Exception):
    """The catalogue has no such service or version; the text lists what there is."""


def write_releases(releases: Catalogue, seed: int, folder: Path) -> None:
    """Write the catalogue into a folder."""
    plain = {service: [asdict(release) for release in made] for service, made in releases.items()}
    write_json(folder / RELEASES_FILE, {"seed": seed, "releases": plain})


def read_releases(folder: Path) -> Catalogue:
    """Read the catalogue that `write` left in a folder."""
    found = json.loads((folder / RELEASES_FILE).read_text())["releases"]
    return {service: tuple(_release(item) for item in items) for service, items in found.items()}


def _release(item: dict[str, Any]) -> Release:
    fault = item.pop("fault")
    return Release(**item, fault=Fault(**fault) if fault else None)


def find(releases: Catalogue, service: str, version: str) -> Release:
    """Return a release, or raise UnknownRelease with the names that exist."""
    if service not in releases:
        raise UnknownRelease(f"there is no service {service!r}; the services are {', '.join(releases)}")
    for release in releases[service]:
        if release.version == version:
            return release
    known = ", ".join(release.version for release in releases[service])
    raise UnknownRelease(f"{service} has no version {version!r}; the versions are {known}")


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps(value, indent=2) + "\n")
    draft.replace(path)
