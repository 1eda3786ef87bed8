"""An upgrade of a database that is in use: what was there is there afterwards, and means the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

import postgres
from sysop.model import IncidentState
from sysop.paths import data
from sysop.store import alerts, incidents, schema
from sysop.store.engine import migration_engine, parse_url
from sysop.store.store import Store

_ALERT = text(
    "INSERT INTO alert"
    " (source, fingerprint, starts_at, ends_at, labels, annotations, url, incident, reason, received_at)"
    " VALUES ('am', :fingerprint, :at, :ends, '{\"alertname\": \"Down\", \"service\": \"web\"}', '{}', '', :incident,"
    " 'same service', :at)"
)
_INCIDENT = text(
    "INSERT INTO incident (id, state, title, severity, services, opened_at, changed_at)"
    " VALUES (:id, 'open', 'Down on web', 'critical', '[\"web\"]', 1, 1)"
)


@pytest.fixture(params=["sqlite", "postgres"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database at revision 0002 with two incidents of three alerts."""
    server, name = None, f"before_{tmp_path.name.lower()[-40:]}"
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
    url = postgres.fresh_database(server, name) if server else f"sqlite:///{tmp_path / 'sysop.db'}"
    with migration_engine(parse_url(url)).begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(data("migrations")))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        _fill(connection)
    yield url
    if server:
        postgres.drop_database(server, name)


def _fill(connection: Connection) -> None:
    for incident in ("inc-1", "inc-2"):
        connection.execute(_INCIDENT, {"id": incident})
    for fingerprint, at, ends, incident in (("a", 1, None, "inc-1"), ("b", 2, 9, "inc-1"), ("a", 3, None, "inc-2")):
        values = {"fingerprint": fingerprint, "at": at, "ends": ends, "incident": incident}
        connection.execute(_ALERT, values)


async def test_alerts_of_an_older_database_are_placed_where_they_were(before: str) -> None:
    schema.upgrade(parse_url(before))
    store = Store.open(before)
    one, two = (await store.read(incidents.listed))[:2]
    found = {each.id: [(a.fingerprint, a.starts_at, a.ends_at) for a in each.alerts] for each in (one, two)}
    assert found == {"inc-1": [("a", 1, None), ("b", 2, 9)], "inc-2": [("a", 3, None)]}
    assert (one.state, one.merged_into, one.origins) == (IncidentState.OPEN, None, ())
    assert await store.read(lambda conn: alerts.waiting(conn, 10)) == []
    assert [each.why for each in await store.read(alerts.listed)] == [(), (), ()]
    assert await store.read(incidents.unsettled) == set()
    await store.close()


def test_an_upgraded_table_of_alerts_keeps_its_keys(before: str) -> None:
    schema.upgrade(parse_url(before))
    engine = migration_engine(parse_url(before))
    again = {"fingerprint": "a", "at": 1, "ends": None, "incident": "inc-1"}
    nowhere = {"fingerprint": "z", "at": 1, "ends": None, "incident": "inc-9"}
    for wrong in (again, nowhere):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(_ALERT, wrong)
    with engine.begin() as connection:
        connection.execute(_ALERT, {"fingerprint": "z", "at": 1, "ends": None, "incident": None})
        names = {index["name"] for index in inspect(connection).get_indexes("alert")}
    assert names == {f"ix_alert_{name}" for name in ("incident", "placed", "silence", "silenced", "starts_at", "watch")}
