"""Alerts in over real HTTP: who may, what is refused, and nothing is acknowledged that is not stored."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

import bench
from sysop.app import App
from sysop.model import Alert
from sysop.store import alerts, audit
from sysop.surfaces.server import Server, listen
from sysop_plugins import alertmanager

TOKEN = "correct horse battery staple"


@dataclass
class Door:
    """A listening Sysop."""

    app: App
    client: httpx2.AsyncClient
    asgi: Starlette

    async def post(self, body: Any, *, token: str | None = TOKEN, source: str = "alertmanager") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(f"/webhooks/{source}", content=content, headers=headers)

    async def stored(self) -> list[Alert]:
        return [row.alert for row in await self.app.store.read(alerts.listed)]


@pytest.fixture
async def door(tmp_path: Path, url: str) -> AsyncIterator[Door]:
    (tmp_path / "token").write_text(TOKEN)
    hooks = {"tokens": {"alertmanager": f"file:{tmp_path / 'token'}"}, "max_body_bytes": 50_000}
    app = bench.build(tmp_path, url, plugins={"alertmanager": alertmanager}, webhooks=hooks)
    asgi = app.webhooks()
    server = Server(asgi, listen("127.0.0.1", 0))
    address = await server.start()
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        yield Door(app, client, asgi)
    await server.stop()
    await app.close()


def webhook(*services: str, status: str = "firing", note: str = "") -> dict[str, Any]:
    alerts = [
        {
            "status": status,
            "labels": {"alertname": "High", "service": service, "severity": "critical"},
            "annotations": {"summary": f"{service} is bad {note}"},
            "startsAt": "2026-01-02T03:04:05.678Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-02T03:14:05.678Z",
            "generatorURL": "http://prometheus.example/graph",
            "fingerprint": f"f{number:015x}",
        }
        for number, service in enumerate(services)
    ]
    common = {"receiver": "sysop", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}
    return {
        **common,
        "version": "4",
        "status": status,
        "alerts": alerts,
        "externalURL": "http://am.example",
        "groupKey": "{}",
        "truncatedAlerts": 0,
    }


async def test_a_delivery_is_stored_when_it_is_acknowledged(door: Door) -> None:
    answer = await door.post(webhook("checkout"))
    assert (answer.status_code, answer.json()) == (200, {"new": 1, "ended": 0, "known": 0})
    again = await door.post(webhook("checkout"))
    assert again.json() == {"new": 0, "ended": 0, "known": 1}
    ended = await door.post(webhook("checkout", status="resolved"))
    assert ended.json() == {"new": 0, "ended": 1, "known": 0}
    (alert,) = await door.stored()
    assert (alert.name, alert.service, alert.ends_at) == ("High", "checkout", alert.starts_at + 600_000)


async def test_a_stranger_is_turned_away_and_counted(door: Door) -> None:
    for token in (None, "wrong", TOKEN[:-1], TOKEN + "x", "ünicode", TOKEN.upper()):
        header = {} if token is None else {b"Authorization": f"Bearer {token}".encode()}
        answer = await door.client.post("/webhooks/alertmanager", json=webhook("checkout"), headers=header)
        assert (token, answer.status_code) == (token, 401)
    assert await door.stored() == []
    assert await refused(door) == [{"unauthorized": 1}], "the others come with the next entry"


async def test_an_unknown_source_answers_like_a_wrong_token(door: Door) -> None:
    stranger, wrong = await door.post(webhook(), source="nagios"), await door.post(webhook(), token="wrong")
    assert (stranger.status_code, stranger.json()) == (wrong.status_code, wrong.json())


MALFORMED: dict[str, tuple[Any, int, str]] = {
    "empty": (b"", 400, "not JSON"),
    "not utf-8": (b"\xff\xfe", 400, "not JSON"),
    "cut": (b"[1, 2", 400, "not JSON"),
    "bomb": (b"[" * 2000, 400, "nested deeper"),
    "deep": (b'{"a":' * 40 + b"1" + b"}" * 40, 400, "nested deeper"),
    "string of brackets": (b'"' + b"[" * 100 + b'"', 400, "body: "),
    "not a number": (b'{"a": NaN}', 400, "NaN is no JSON number"),
    "infinity": (b'{"a": -Infinity}', 400, "-Infinity is no JSON number"),
    "too large a number": (b'{"a": 1e999}', 400, "too large"),
    "too many digits": (b'{"a": ' + b"1" * 5000 + b"}", 400, "not JSON"),
    "utf-16": ('{"version": "4"}'.encode("utf-16"), 400, "not JSON in UTF-8"),
    "large": (b"x" * 60_000, 413, "larger"),
    "no alerts": ({"version": "4"}, 400, "alerts: "),
    "version": ({**webhook("a"), "version": "3"}, 400, "version: "),
    "list": ([], 400, "body: "),
}


async def test_what_is_malformed_is_refused_with_the_place(door: Door) -> None:
    for name, (body, status, says) in MALFORMED.items():
        answer = await door.post(body)
        assert (name, answer.status_code) == (name, status)
        assert says in answer.json()["error"], name
    assert await door.stored() == []


@pytest.mark.parametrize("fingerprint", ["f\0", "f\ud800"])
async def test_an_id_no_database_can_keep_is_refused_for_good_and_named(door: Door, fingerprint: str) -> None:
    body = webhook("payments", "checkout")
    body["alerts"][1]["fingerprint"] = fingerprint
    answer = await door.post(body)
    assert answer.status_code == 400, "the sender would try again for ever"
    assert "alerts[1].fingerprint: " in answer.json()["error"]
    assert await door.stored() == []


async def test_a_label_that_no_database_can_keep_is_mended_and_takes_no_other_alert_with_it(door: Door) -> None:
    """Alertmanager takes such labels in and sends them on, in one delivery with others."""
    body = webhook("payments", "checkout")
    body["alerts"][1]["labels"] = {
        "severity": "crit\0ical",
        "service": "check\udc00out",
        "team\0": "a",
        "half\ud800": "b",
    }
    assert (await door.post(body)).json() == {"new": 2, "ended": 0, "known": 0}
    marked = {"severity": "crit\ufffdical", "service": "check\ufffdout", "team\ufffd": "a", "half\ufffd": "b"}
    labels = [dict(alert.labels) for alert in await door.stored()]
    assert marked in labels
    assert len(labels) == 2


async def test_a_note_that_no_database_can_keep_is_mended_and_the_alert_is_taken(door: Door) -> None:
    body = webhook("checkout", note="a\0b \ud800")
    body["alerts"][0]["generatorURL"] += "\0"
    assert (await door.post(body)).status_code == 200
    (alert,) = await door.stored()
    assert alert.annotations["summary"] == "checkout is bad a\ufffdb \ufffd"
    assert alert.url.endswith("graph\ufffd")


async def test_what_a_sender_will_not_send_again_is_told_in_the_log(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await door.post({"version": "3\nERROR forged"})).status_code == 400
    assert (await door.post(webhook("checkout", note="x" * 2_000_000))).status_code == 413
    told = [record.getMessage() for record in caplog.records if record.name == "sysop.surfaces.webhooks"]
    assert 'a delivery from alertmanager is lost: "not an Alertmanager webhook: version: ' in told[0]
    assert told[1].endswith("is larger than 50000 bytes; raise webhooks.max_body_bytes")
    assert not any("\n" in line for line in told)


async def test_a_note_whose_name_no_database_can_keep_is_mended_and_the_alert_is_taken(door: Door) -> None:
    body = webhook("checkout")
    body["alerts"][0]["annotations"] = {"\ud800": "\x00"}
    assert (await door.post(body)).status_code == 200, "with a 500 Alertmanager would send the group again for ever"
    (alert,) = await door.stored()
    assert alert.annotations == {"\ufffd": "\ufffd"}


async def test_a_field_with_half_a_character_in_its_name_is_refused_and_not_an_error(door: Door) -> None:
    body = webhook("checkout")
    body["alerts"][0]["labels"] = {"half\ud800": 5}
    assert (await door.post(body)).status_code == 400


async def test_what_was_refused_since_the_last_entry_is_counted_at_the_stop(door: Door) -> None:
    async with door.asgi.router.lifespan_context(door.asgi):
        for _ in range(3):
            await door.post(webhook("checkout"), token="wrong")
        await door.post(b"")
        assert await refused(door) == [{"unauthorized": 1}]
    assert await refused(door) == [{"unauthorized": 1}, {"unauthorized": 2, "malformed": 1}]


async def test_refusals_that_could_not_be_written_are_counted_with_the_next(door: Door) -> None:
    await door.app.store.write(lambda tx: tx.conn.execute(text("ALTER TABLE audit RENAME TO lost")))
    await door.post(webhook("checkout"), token="wrong")
    await door.app.store.write(lambda tx: tx.conn.execute(text("ALTER TABLE lost RENAME TO audit")))
    async with door.asgi.router.lifespan_context(door.asgi):
        await door.post(webhook("checkout"), token="wrong")
    assert await refused(door) == [{"unauthorized": 2}]


async def refused(door: Door) -> list[Any]:
    entries = await door.app.store.read(lambda conn: audit.entries(conn, kind="ingress.refused"))
    return [json.loads(entry.body)["counts"] for entry in entries]


async def test_nothing_is_acknowledged_that_is_not_stored(door: Door) -> None:
    await door.app.store.write(lambda tx: tx.conn.execute(text("ALTER TABLE alert RENAME TO lost")))
    answer = await door.post(webhook("checkout"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


async def test_health_and_readiness_are_two_things(door: Door) -> None:
    assert (await door.client.get("/healthz")).status_code == 200
    assert (await door.client.get("/readyz")).status_code == 503
    door.app.set_ready(True)
    assert (await door.client.get("/readyz")).status_code == 200


async def test_a_secret_in_an_annotation_does_not_reach_the_audit_log(door: Door) -> None:
    await door.post(webhook("checkout", note="password=hunter2hunter2"))
    lines = await door.app.store.read(lambda conn: list(audit.export(conn)))
    assert not any("hunter2" in line for line in lines)
