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
from sysop.store import audit, incidents
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


async def test_a_delivery_is_an_incident_when_it_is_acknowledged(door: Door) -> None:
    answer = await door.post(webhook("checkout"))
    assert (answer.status_code, answer.json()) == (200, {"new": 1, "ended": 0, "known": 0})
    again = await door.post(webhook("checkout"))
    assert again.json() == {"new": 0, "ended": 0, "known": 1}
    ended = await door.post(webhook("checkout", status="resolved"))
    assert ended.json() == {"new": 0, "ended": 1, "known": 0}
    (incident,) = await door.app.store.read(incidents.listed)
    assert incident.title == "High on checkout"


@pytest.mark.parametrize("token", [None, "wrong", TOKEN[:-1], TOKEN + "x", "ünicode", TOKEN.upper()])
async def test_a_stranger_is_turned_away_and_counted(door: Door, token: str | None) -> None:
    header = {} if token is None else {b"Authorization": f"Bearer {token}".encode()}
    answer = await door.client.post("/webhooks/alertmanager", json=webhook("checkout"), headers=header)
    assert answer.status_code == 401
    assert await door.app.store.read(incidents.listed) == []
    (entry,) = await door.app.store.read(lambda conn: audit.entries(conn, kind="ingress.refused"))
    assert json.loads(entry.body)["counts"] == {"unauthorized": 1}


async def test_an_unknown_source_answers_like_a_wrong_token(door: Door) -> None:
    stranger, wrong = await door.post(webhook(), source="nagios"), await door.post(webhook(), token="wrong")
    assert (stranger.status_code, stranger.json()) == (wrong.status_code, wrong.json())


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[1, 2", 400, "not JSON"),
        (b"[" * 2000, 400, "nested deeper"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 400, "nested deeper"),
        (b'"' + b"[" * 100 + b'"', 400, ""),
        (b"x" * 60_000, 413, "larger"),
        ({"version": "4"}, 400, "alerts"),
        ({**webhook("a"), "version": "3"}, 400, "version"),
        ([], 400, ""),
    ],
    ids=["empty", "not utf-8", "cut", "bomb", "deep", "string of brackets", "large", "no alerts", "version", "list"],
)
async def test_what_is_malformed_is_refused_with_the_place(door: Door, body: Any, status: int, says: str) -> None:
    answer = await door.post(body)
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert await door.app.store.read(incidents.listed) == []


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("fingerprint", {"fingerprint": "f\0"}),
        ("fingerprint", {"fingerprint": "f\ud800"}),
        ("labels.severity", {"labels": {"alertname": "High", "severity": "crit\0ical"}}),
        ("labels.service", {"labels": {"alertname": "High", "service": "check\udc00out"}}),
        ("labels.team\ufffd", {"labels": {"alertname": "High", "team\0": "a"}}),
        ("labels.half\ufffd", {"labels": {"alertname": "High", "half\ud800": "a"}}),
    ],
    ids=["NUL as id", "half as id", "NUL in a value", "half in a value", "NUL in a name", "half in a name"],
)
async def test_what_no_database_can_keep_is_refused_for_good_and_the_field_is_named(
    door: Door, field: str, values: dict[str, Any]
) -> None:
    body = webhook("payments", "checkout")
    body["alerts"][1].update(values)
    answer = await door.post(body)
    assert answer.status_code == 400, "the sender would try again for ever"
    assert f"alerts[1].{field}: " in answer.json()["error"]
    assert await door.app.store.read(incidents.listed) == []


async def test_a_note_that_no_database_can_keep_is_mended_and_the_alert_is_taken(door: Door) -> None:
    body = webhook("checkout", note="a\0b \ud800")
    body["alerts"][0]["generatorURL"] += "\0"
    assert (await door.post(body)).status_code == 200
    (incident,) = await door.app.store.read(incidents.listed)
    assert incident.alerts[0].annotations["summary"] == "checkout is bad a\ufffdb \ufffd"
    assert incident.alerts[0].url.endswith("graph\ufffd")


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
