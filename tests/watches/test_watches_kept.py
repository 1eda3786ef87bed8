"""Open findings are read without a look at those that have ended, in both databases."""

from __future__ import annotations

from sqlalchemy import Connection, event, text

from sysop.model import Alert
from sysop.store import alerts
from sysop.store.writer import Tx
from sysop.watches.kept import firing


async def filled(store):
    ended = [Alert("watch", f"{n:016x}", n, n + 1, {"alertname": "Load"}, {}) for n in range(3000)]
    other = [Alert("test", f"{n:016x}", n, None, {"alertname": "Down"}, {}) for n in range(500)]
    mine = [Alert("watch", f"{n:016x}", 9_000 + n, None, {"watch": "Load"}, {"value": str(n)}, "x") for n in (1, 7)]
    await store.write(lambda tx: alerts.add(tx, [*ended, *other, *mine], {}))
    return mine


async def test_only_what_is_open_of_watches_is_read_and_whole(store):
    mine = await filled(store)
    found = await store.read(firing)
    assert sorted(found, key=lambda one: one.starts_at) == mine


async def test_an_index_of_the_open_ones_alone_serves_it(store):
    await filled(store)

    def plan(tx: Tx) -> str:
        said: list[str] = []

        def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
            said.append(statement)

        event.listen(tx.conn, "before_cursor_execute", note)
        firing(tx.conn)
        event.remove(tx.conn, "before_cursor_execute", note)
        return explained(tx.conn, said[0], postgres=tx.postgres)

    assert "ix_alert_watch" in await store.write(plan)


def explained(conn: Connection, statement: str, *, postgres: bool) -> str:
    if postgres:
        conn.execute(text("ANALYZE alert"))
    words = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
    return " ".join(str(row) for row in conn.exec_driver_sql(f"{words} {statement}"))
