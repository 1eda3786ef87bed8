"""Who may send, shown in several ways, and what a source of a plugin may answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

import bench
from sysop.api import (
    ActionFailed,
    Alert,
    AlertSource,
    Delivery,
    NotGenuine,
    PluginContext,
    basic,
    bearer,
    either,
    header,
    hookimpl,
    signed,
)
from sysop.app import App
from sysop.store import alerts

TOKEN = "Schlüssel: 17"


@dataclass
class Ways:
    """A plugin with one source for each way to prove oneself, and some that misbehave."""

    seen: list[tuple[Delivery, str]] = field(default_factory=list)

    @hookimpl
    def register_alert_sources(self) -> Iterable[AlertSource]:
        return [
            AlertSource("plain", read),
            AlertSource("password", read, basic),
            AlertSource("own", read, header("X-Token")),
            AlertSource("hmac", read, signed("X-Signature", prefix="v1=")),
            AlertSource("any", read, either(bearer, header("X-Token"))),
            AlertSource("asks", read, accept=self.asks),
            AlertSource("broken", breaks),
        ]

    async def asks(self, delivery: Delivery, context: PluginContext) -> None:
        self.seen.append((delivery, context.name))
        match delivery.json:
            case {"is": "forged"}:
                raise NotGenuine("the signature is that of somebody else")
            case {"is": "unchecked"}:
                raise ActionFailed("the certificate cannot be fetched")
            case {"is": "wrong"}:
                raise ValueError("TopicArn: is not in plugins.ways.topics")


def read(delivery: Delivery) -> Iterable[Alert]:
    yield Alert("ways", str(delivery.json.get("id", "a")), 1_767_323_045_000, None, {"alertname": "Way"}, {})


def breaks(delivery: Delivery) -> Iterable[Alert]:
    return [Alert("ways", "b", 1, None, {"alertname": delivery.json["missing"]}, {})]


@dataclass
class Gate:
    """A listening application and its one plugin."""

    app: App
    ways: Ways
    client: httpx2.AsyncClient

    async def post(self, source: str, json: Any = None, **headers: str | bytes) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/webhooks/{source}", json=json or {"id": "a"}, headers=named)


@pytest.fixture
async def gate(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Gate]:
    shutil.copy(migrated_file, tmp_path / "sysop.db")
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    ways = Ways()
    tokens = {source.name: f"file:{tmp_path / 'token'}" for source in ways.register_alert_sources()}
    app = bench.build(
        tmp_path, f"sqlite:///{tmp_path / 'sysop.db'}", plugins={"ways": ways}, webhooks={"tokens": tokens}
    )
    transport = httpx2.ASGITransport(app.webhooks())
    async with httpx2.AsyncClient(transport=transport, base_url="http://sysop") as client:
        yield Gate(app, ways, client)
    await app.close()


def password(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


BODY = b'{"id":"a"}'

WAYS = [
    ("plain", {"Authorization": f"Bearer {TOKEN}".encode()}),
    ("plain", {"Authorization": f"bearer {TOKEN}".encode()}),
    ("password", {"Authorization": password("sysop", TOKEN)}),
    ("password", {"Authorization": password("", TOKEN)}),
    ("own", {"X-Token": TOKEN.encode()}),
    ("hmac", {"X-Signature": f"v1={signature(TOKEN, BODY)}"}),
    ("hmac", {"X-Signature": f"v1={signature('the old one', BODY)}, v1={signature(TOKEN, BODY)}"}),
    ("any", {"Authorization": f"Bearer {TOKEN}".encode()}),
    ("any", {"X-Token": TOKEN.encode()}),
]


async def test_who_knows_the_token_may_send(gate: Gate) -> None:
    for number, (source, headers) in enumerate(WAYS):
        answer = await gate.client.post(f"/webhooks/{source}", content=BODY, headers=headers)
        counts = {"new": int(number == 0), "ended": 0, "known": int(number > 0)}
        assert (source, headers, answer.json()) == (source, headers, counts)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("plain", {}),
    ("plain", {"Authorization": "Bearer"}),
    ("plain", {"Authorization": "Bearer "}),
    ("plain", {"Authorization": TOKEN.encode()}),
    ("plain", {"Authorization": password("sysop", TOKEN)}),
    ("password", {"Authorization": f"Bearer {TOKEN}".encode()}),
    ("password", {"Authorization": "Basic"}),
    ("password", {"Authorization": "Basic !!!"}),
    ("password", {"Authorization": "Basic " + base64.b64encode(TOKEN.encode()).decode()}),
    ("password", {"Authorization": password("sysop", TOKEN + "x")}),
    ("own", {"X-Token": ""}),
    ("own", {"Authorization": f"Bearer {TOKEN}".encode()}),
    ("hmac", {}),
    ("hmac", {"X-Signature": ""}),
    ("hmac", {"X-Signature": "v1="}),
    ("hmac", {"X-Signature": signature(TOKEN, BODY)}),
    ("hmac", {"X-Signature": f"v1={signature(TOKEN, BODY + b' ')}"}),
    ("hmac", {"X-Signature": f"v0={signature(TOKEN, BODY)}"}),
    ("hmac", {"Authorization": f"Bearer {TOKEN}".encode()}),
    ("any", {"X-Token": TOKEN[:-1].encode()}),
    ("nobody", {"Authorization": f"Bearer {TOKEN}".encode()}),
]


async def test_who_does_not_know_the_token_is_a_stranger(gate: Gate) -> None:
    for source, headers in WRONG:
        answer = await gate.client.post(f"/webhooks/{source}", content=BODY, headers=headers)
        assert (source, headers, answer.status_code) == (source, headers, 401)
        assert answer.json() == {"error": "no source of this name takes this token"}
    assert await gate.app.store.read(alerts.listed) == []


async def test_a_token_in_the_address_is_none(gate: Gate) -> None:
    answer = await gate.client.post(f"/webhooks/plain?token={TOKEN}", content=BODY)
    assert answer.status_code == 401


async def test_a_stranger_s_body_is_not_even_parsed(gate: Gate) -> None:
    answer = await gate.client.post("/webhooks/plain", content=b"[" * 5000)
    assert answer.status_code == 401


def bearing() -> dict[str, bytes]:
    return {"Authorization": f"Bearer {TOKEN}".encode()}


async def test_a_source_may_ask_others_before_it_reads(gate: Gate) -> None:
    assert (await gate.post("asks", {"id": "x"}, **bearing())).status_code == 200
    ((delivery, plugin),) = gate.ways.seen
    assert (delivery.json, plugin) == ({"id": "x"}, "ways")
    assert delivery.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ("forged", 401, "no source of this name takes this token"),
        ("unchecked", 503, "cannot be checked now"),
        ("wrong", 400, "TopicArn: "),
    ],
)
async def test_what_asking_came_to_decides_the_answer(gate: Gate, said: str, status: int, error: str) -> None:
    answer = await gate.post("asks", {"is": said}, **bearing())
    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert ("retry-after" in answer.headers) == (status == 503)
    assert await gate.app.store.read(alerts.listed) == []


@pytest.mark.parametrize("said", ["forged", "unchecked"])
async def test_strangers_cannot_fill_the_log(gate: Gate, said: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        await gate.post("asks", {"is": said}, **bearing())
    told = [record for record in caplog.records if record.name == "sysop.surfaces.webhooks"]
    assert 1 <= len(told) <= 2, "the first, and the first after it was counted in the audit log"
    assert "the signature is that of somebody else" in caplog.text or "cannot be fetched" in caplog.text


async def test_a_plugin_that_breaks_loses_nothing_and_stops_nobody_else(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await gate.post("broken", **bearing())
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "the plugin ways failed to read this; its log says why"},
    )
    assert "KeyError: 'missing'" in caplog.text
    assert (await gate.post("plain", **bearing())).status_code == 200


@pytest.mark.parametrize(
    ("alert", "says"),
    [
        (Alert("ways", "", 1, None, {}, {}), "alerts[0].fingerprint: must have 1 to 200"),
        (Alert("ways", "x" * 201, 1, None, {}, {}), "alerts[0].fingerprint: must have 1 to 200"),
        (Alert("ways", "x", 2**60, None, {}, {}), "alerts[0].starts_at: is no time"),
        (Alert("ways", "x", 1, -(2**60), {}, {}), "alerts[0].ends_at: is no time"),
        (Alert("ways", "x", -62_135_596_800_001, None, {}, {}), "alerts[0].starts_at: is no time"),
        (Alert("ways", "x", 1, 253_402_300_800_000, {}, {}), "alerts[0].ends_at: is no time"),
    ],
)
async def test_what_a_plugin_reads_is_checked_as_well(tmp_path: Path, alert: Alert, says: str) -> None:
    from sysop.surfaces.storable import check

    with pytest.raises(ValueError, match="alerts") as refused:
        check([alert])
    assert says in str(refused.value)
