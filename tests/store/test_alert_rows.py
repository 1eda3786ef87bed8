"""What every delivery and every second asks of alerts costs the same however many are stored: an index answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event

import bench
from sysop.model import Alert
from sysop.store import alerts, endings, incidents, silences
from sysop.store.silences import Silence
from sysop.store.spots import spots
from sysop.store.writer import Tx

KEY = ("test", "f1", 1)
ALERT = Alert(*KEY, 2, {"alertname": "Down"}, {})

ASKED: dict[str, Callable[[Tx], object]] = {
    "what is known of a delivery": lambda tx: alerts.find(tx.conn, [KEY, ("test", "f2", 2)]),
    "where alerts are": lambda tx: spots(tx.conn, [KEY, ("test", "f2", 2)]),
    "what waits": lambda tx: alerts.waiting(tx.conn, 100),
    "how much waits": lambda tx: alerts.backlog(tx.conn),
    "what was placed lately": lambda tx: alerts.placed_since(tx.conn, 1, 100),
    "what an incident comes to": lambda tx: alerts.digest(tx.conn, "inc-1"),
    "the alerts of an incident": lambda tx: alerts.of_incidents(tx.conn, ["inc-1", "inc-2"]),
    "the end of one": lambda tx: alerts.end(tx, ALERT),
    "the place of one": lambda tx: alerts.place(tx, KEY, None, "it stands alone", [], 1),
    "where a person put one": lambda tx: alerts.pin(tx, [KEY], "inc-1", "person:ann", "ann put it here"),
    "what a person left": lambda tx: alerts.keep(tx, [KEY], "person:ann"),
    "what a person lets go of": lambda tx: alerts.free(tx, KEY),
    "what waited and stays": lambda tx: alerts.stay(tx, [KEY], 1),
    "what a silence covers": lambda tx: alerts.hush(tx, {KEY: "sil-1"}),
    "an end without a start": lambda tx: endings.add(tx, [Alert("test", "f1", 5, 5, {}, {}, "", True)]),
    "an end that was told before": lambda tx: endings.applied(tx.conn, {KEY: Alert(*KEY, None, {}, {})}),
    "which incidents are out of date": lambda tx: incidents.unsettled(tx.conn),
    "which silences are over": lambda tx: silences.over(tx.conn),
    "what a silence lets go of": lambda tx: silences.release(tx, "sil-1"),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    url = f"sqlite:///{tmp_path_factory.mktemp('rows') / 'sysop.db'}"
    bench.upgrade(url)
    engine = create_engine(url)
    connection = engine.connect()
    tx = Tx(connection)
    for id in ("inc-1", "inc-2"):
        incidents.add(tx, id=id, state="open", title="", severity="error", services=[], opened_at=1, changed_at=1)
    silences.add(tx, Silence("sil-1", (), 0, 1, "", "person:ann", 0))
    many = [Alert("test", f"f{number}", number, None, {"alertname": "Down"}, {}) for number in range(2000)]
    alerts.add(tx, many, {alerts.key_of(one): "sil-1" for one in many[:5]})
    alerts.place_all(tx, [alerts.Put(alerts.key_of(one), "inc-1", "it fits") for one in many[5:]], 1)
    yield connection
    connection.close()
    engine.dispose()


@pytest.mark.parametrize("what", ASKED)
def test_an_index_answers(filled: Connection, what: str) -> None:
    said: list[tuple[str, Any]] = []

    def note(_conn: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        said.append((statement, parameters[0] if many else parameters))

    event.listen(filled, "before_cursor_execute", note)
    with filled.begin_nested() as point:
        ASKED[what](Tx(filled))
        point.rollback()
    event.remove(filled, "before_cursor_execute", note)
    for statement, parameters in said:
        if statement.startswith(("SELECT", "UPDATE")):
            plan = [row[3] for row in filled.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            few = "INDEX ix_alert_silenced"  # an index of those alone that fire while a silence covers them
            whole = [step for step in plan if step.startswith(("SCAN alert", "SCAN ending")) and few not in step]
            assert not whole, (statement, plan)


def test_what_waits_is_found_by_what_is_not_placed(filled: Connection) -> None:
    sql = "SELECT * FROM alert WHERE placed IS NULL AND silence IS NULL ORDER BY starts_at, fingerprint LIMIT 100"
    plan = [row[3] for row in filled.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert plan[0].startswith("SEARCH alert USING INDEX ix_alert_placed"), plan
