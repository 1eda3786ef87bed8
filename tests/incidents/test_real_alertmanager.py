"""A real Prometheus and a real Alertmanager watch the demo company; what they send becomes an incident, and ends it.

One story is told to two Sysops at once, one on each kind of database; a third one is told nothing, and asks.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).parent.parent / "demo"))

from company_kit import Company, binary, free_port, running, seed_where, start_company

import bench
import postgres
from sysop import app as composition
from sysop import host as plugin_host
from sysop.app import App
from sysop.demo.company import rules
from sysop.extension import Pulled
from sysop.incidents.pulling import Place, Pulling
from sysop.model import Incident, IncidentState
from sysop.store import alerts, incidents
from sysop.store import tables as t
from sysop.store.alerts import Key, key_of
from sysop.store.writer import host_clock
from sysop.surfaces.server import Server, listen
from sysop_plugins import alertmanager

T = TypeVar("T")
TOKEN = "a-token-of-alertmanager"
RULES_FILE = Path(rules.__file__).with_name("rules.yml")
CHAIN = {"gateway": {"depends_on": ["checkout"]}, "checkout": {"depends_on": ["payments"]}, "payments": {}}
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Site:
    """The company, what watches it, and where the two Sysops listen."""

    company: Company
    prometheus: str
    alertmanager: str
    doors: tuple[socket.socket, socket.socket]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    seed = seed_where(lambda made: made.fault.kind == "errors" and made.guilty_service == "payments")
    doors = (listen("127.0.0.1", 0), listen("127.0.0.1", 0))
    with ExitStack() as stack:
        for door in doors:
            stack.callback(door.close)
        notifies = stack.enter_context(_alertmanager(_made(tmp_path / "alertmanager"), doors))
        company = stack.enter_context(start_company(_made(tmp_path / "company"), seed))
        watches = stack.enter_context(_prometheus(_made(tmp_path / "prometheus"), company, notifies))
        yield Site(company, watches, notifies, doors)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _alertmanager(folder: Path, doors: tuple[socket.socket, ...]) -> AbstractContextManager[str]:
    bearer = {"authorization": {"type": "Bearer", "credentials": TOKEN}}
    hooks = [
        {
            "url": f"http://127.0.0.1:{door.getsockname()[1]}/webhooks/alertmanager",
            "send_resolved": True,
            "http_config": bearer,
        }
        for door in doors
    ]
    pace = {"group_wait": "100ms", "group_interval": "1s", "repeat_interval": "1h"}
    config = {
        "route": {"receiver": "sysop", "group_by": ["alertname", "service"], **pace},
        "receivers": [{"name": "sysop", "webhook_configs": hooks}],
    }
    (folder / "am.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [binary("prometheus-alertmanager"), "--config.file=am.yml", "--storage.path=am"]
    place = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    return running([*command, *place], folder, f"http://127.0.0.1:{port}")


def _prometheus(folder: Path, company: Company, notifies: str) -> AbstractContextManager[str]:
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"cluster": "demo"}},
        "rule_files": [str(RULES_FILE)],
        "scrape_configs": [{"job_name": "company", "static_configs": [{"targets": company.targets}]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [notifies.removeprefix("http://")]}]}]},
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [binary("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    return running([*command, f"--web.listen-address=127.0.0.1:{port}"], folder, f"http://127.0.0.1:{port}")


@pytest.fixture
def urls(tmp_path: Path, migrated_file: Path, postgres_server: str, migrated_database: str) -> Iterator[list[str]]:
    """Return a database of each kind, and one more."""
    files, name = [tmp_path / "told.db", tmp_path / "asks.db"], f"sysop_{os.getpid()}_real_alertmanager"
    for file in files:
        shutil.copy(migrated_file, file)
    told, asks = (f"sqlite:///{file}" for file in files)
    yield [told, postgres.fresh_database(postgres_server, name, migrated_database), asks]
    postgres.drop_database(postgres_server, name)


@asynccontextmanager
async def serving(folder: Path, url: str, site: Site, door: socket.socket | None) -> AsyncIterator[App]:
    """Run a whole Sysop that takes what comes in at a door; without one it asks."""
    (folder / "token").write_text(TOKEN)
    pull = [
        {
            "url": site.alertmanager,
            "every": 3600 if door else 1,
            "gone_after": 1,
        },  # who is told asks once, when all is well
        {"url": site.prometheus, "kind": "prometheus", "every": 3600, "external_labels": {"cluster": "demo"}},
    ]
    points = [bench.Point("alertmanager", alertmanager)]
    host = plugin_host.load({"alertmanager": {"pull": pull}}, points=points)  # type: ignore[arg-type]
    settings = bench.settings(
        folder,
        url,
        webhooks={"tokens": {"alertmanager": f"file:{folder / 'token'}"}},
        inventory=CHAIN,
        incidents={"quiet_seconds": 1, "triage_after_seconds": 0.5},
    )
    app = composition.build(settings, host=host)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.close)
        await app.begin()
        stack.push_async_callback(app.end)
        if door is not None:
            server = Server(app.webhooks(), door)
            await server.start()
            stack.push_async_callback(server.stop)
        else:
            stack.push_async_callback(_stop, asyncio.create_task(_pulling(app).run()))
        yield app


def _pulling(app: App) -> Pulling:
    """Return what asks Alertmanager, and not Prometheus: on a busy machine that may have another start for an alert."""
    source = app.host.alert_sources()["alertmanager"]
    place = Place(source.pulls[0], lambda: app.contexts.for_plugin(app.host.plugins[source.plugin]))
    return Pulling([place], app.lifecycle.take, str, host_clock)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], bool], what: str) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while not good(found := await look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}: {found}"
        await asyncio.sleep(0.1)
    return found


async def all_of(app: App) -> list[Incident]:
    """Return the incidents that did not become part of another one."""
    return [one for one in await app.store.read(incidents.listed) if one.merged_into is None]


def chain_fires(found: list[Incident]) -> bool:
    return len(found) == 1 and set(found[0].services) == set(CHAIN) and found[0].firing >= len(CHAIN)


async def runs_of(app: App, incident: str) -> int:
    mine = select(func.count()).select_from(t.run).where(t.run.c.incident == incident)
    return await app.store.read(lambda conn: conn.scalar(mine) or 0)


async def asked(app: App) -> list[Pulled]:
    """Ask Alertmanager and Prometheus themselves."""
    source = app.host.alert_sources()["alertmanager"]
    context = app.contexts.for_plugin(app.host.plugins[source.plugin])
    return [await pull.look(context, str) for pull in source.pulls]


async def keys_of(app: App) -> set[Key]:
    return {one.key for one in await app.store.read(alerts.listed)}


async def test_a_bad_release_is_one_incident_with_one_run_that_ends_with_the_return_to_the_good_one(
    site: Site, urls: list[str], tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        apps = [
            await stack.enter_async_context(serving(_made(tmp_path / f"sysop{number}"), url, site, door))
            for number, (url, door) in enumerate(zip(urls, (*site.doors, None), strict=True))
        ]
        await deploy(site, "bad_version")
        for app in apps:
            (incident,) = await until(lambda app=app: all_of(app), chain_fires, "one incident of the whole chain")
            assert incident.state is IncidentState.OPEN
            assert incident.severity == "critical"
            assert {alert.labels["cluster"] for alert in incident.alerts} == {"demo"}
            assert all(alert.url.startswith("http") for alert in incident.alerts)
            await told_alike_when_asked(app)

        await deploy(site, "good_version")
        for app in apps:
            (incident,) = await until(
                lambda app=app: all_of(app), lambda found: found[0].state is IncidentState.RESOLVED, "it to be resolved"
            )
            assert incident.firing == 0
            assert all(alert.ends_at is not None and alert.ends_at > alert.starts_at for alert in incident.alerts)
            assert await runs_of(app, incident.id) == 1


async def deploy(site: Site, version: str) -> None:
    story = site.company.scenario
    done = await asyncio.to_thread(site.company.deploy, story["guilty_service"], story[version])
    assert done.returncode == 0, done.stderr


async def told_alike_when_asked(app: App) -> None:
    """Make sure that who asks has the same occurrences as who is told, whichever of the two servers is asked."""

    async def strangers() -> list[Key]:
        listed, evaluated = [[key_of(one) for one in place.firing] for place in await asked(app)]
        if not listed or not evaluated:
            return [("nothing", "fires", 0)]
        known = await keys_of(app)
        return [key for key in listed if key not in known] + [key for key in evaluated if not _has(known, key)]

    assert await until(strangers, lambda found: not found, "both to know the same alerts") == []


def _has(known: set[Key], key: Key) -> bool:
    """Tell whether an occurrence is known; a busy Prometheus may have missed whole evaluations, of a second each."""
    source, fingerprint, start = key
    return any(one[:2] == (source, fingerprint) and (start - one[2]) % 1000 == 0 for one in known)
