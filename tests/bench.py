"""A Sysop for tests: the lab plugin, people, a policy, on either database."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import Lab, LabPlugin
from sysop import app as composition
from sysop import host as plugin_host
from sysop.app import App
from sysop.extension import Planner
from sysop.host import Host
from sysop.incidents.lifecycle import Taken
from sysop.model import Alert
from sysop.sections import Person
from sysop.settings import Settings
from sysop.store import schema
from sysop.store.engine import is_sqlite, parse_url, sqlite_file
from sysop.store.store import Store

PEOPLE = {
    "ann": Person(uid=60001, roles=("approver",)),
    "bob": Person(uid=60002, roles=("approver",)),
    "cat": Person(uid=60003, roles=("approver", "lead")),
    "dan": Person(uid=60004, roles=()),
}


@dataclass(frozen=True)
class Point:
    """An entry point that is already loaded."""

    name: str
    module: Any
    value: str = "lab"
    dist: Any = None

    def load(self) -> Any:
        return self.module


def lab_host(folder: Path, lab: Lab | None = None, **more: Any) -> Host:
    points = [Point("lab", LabPlugin(lab)), *(Point(name, module) for name, module in more.items())]
    return plugin_host.load({"lab": {"folder": str(folder)}}, points=points)  # type: ignore[arg-type]


def settings(folder: Path, url: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "state": folder,
        "database": {"url": url},
        "people": {name: person.model_dump() for name, person in PEOPLE.items()},
        "shipped_runbooks": False,
        "budgets": {"change": 100000, "destructive": 100000},
    }
    return Settings(**{**values, **changes})


def build(
    folder: Path,
    url: str,
    *,
    lab: Lab | None = None,
    planners: Mapping[str, Callable[[], Planner]] | None = None,
    probe: Callable[[str], None] = lambda _point: None,
    store: Store | None = None,
    people: Callable[[], Mapping[str, Person]] | None = None,
    plugins: Mapping[str, Any] | None = None,
    **changes: Any,
) -> App:
    """Build an app with the lab plugin. `planners` are further planners by name."""
    host = lab_host(folder, lab, **(plugins or {}))
    app = composition.build(settings(folder, url, **changes), probe=probe, store=store, host=host, people=people)
    for name, make in (planners or {}).items():
        app.planners.add(name, make)
    return app


_templates: dict[int, Path] = {}


def upgrade(url: str) -> None:
    """Migrate an empty database. On SQLite by copying one this process migrated before."""
    parsed = parse_url(url)
    if not is_sqlite(parsed):
        schema.upgrade(parsed)
        return
    template = _templates.get(os.getpid())
    if template is None:
        template = Path(tempfile.mkdtemp(prefix="sysop-template-")) / "sysop.db"
        schema.upgrade(parse_url(f"sqlite:///{template}"))
        _templates[os.getpid()] = template
        atexit.register(shutil.rmtree, template.parent, ignore_errors=True)
    file = sqlite_file(parsed)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(template, file)


async def take(app: App, alerts: Iterable[Alert]) -> Taken:
    """Take alerts in and place them, as a running process does a moment later."""
    taken = await app.lifecycle.take(alerts)
    await place(app)
    return taken


async def place(app: App) -> None:
    """Place every alert that waits."""
    while await app.placing.place():
        pass
    await app.lifecycle.settle()
