"""More deliveries than there is room for: some are told to come again, none is lost, nobody is starved."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

import bench
from sysop.app import App
from sysop.store import alerts, audit
from sysop.surfaces import receive, refusals, webhooks
from sysop.surfaces.backlog import Backlog, Full
from sysop.surfaces.server import Server, listen
from sysop_plugins import alertmanager

TOKEN = "the token of this door"


def body(number: int, size: int = 0) -> bytes:
    alert = {
        "status": "firing",
        "labels": {"alertname": "High", "service": "checkout"},
        "annotations": {"summary": "x" * size},
        "startsAt": "2026-01-02T03:04:05Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"f{number}",
    }
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


@asynccontextmanager
async def door(folder: Path, url: str, **hooks: Any) -> AsyncIterator[tuple[App, httpx2.AsyncClient, str]]:
    (folder / "token").write_text(TOKEN)
    section = {"tokens": {"alertmanager": f"file:{folder / 'token'}"}, **hooks}
    app = bench.build(folder, url, plugins={"alertmanager": alertmanager}, webhooks=section)
    asgi = app.webhooks()
    server = Server(asgi, listen("127.0.0.1", 0))
    address = await server.start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with httpx2.AsyncClient(base_url=address, trust_env=False, headers=headers) as client:
            yield app, client, address
    finally:
        await server.stop()
        await app.close()


@asynccontextmanager
async def held(app: App) -> AsyncIterator[asyncio.Event]:
    """Let no alert be written until the event is set."""
    free = asyncio.Event()
    hold = _one_writer if app.store.embedded else _locked
    task = asyncio.create_task(hold(app, free))
    try:
        yield free
    finally:
        free.set()
        await task


async def _one_writer(app: App, free: asyncio.Event) -> None:
    go_on = threading.Event()
    unit = asyncio.create_task(app.store.write(lambda _tx: go_on.wait(30)))
    await free.wait()
    go_on.set()
    assert await unit, "the test forgot to let the writer go on"


async def _locked(app: App, free: asyncio.Event) -> None:
    url = app.store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("LOCK TABLE alert IN EXCLUSIVE MODE")
        await free.wait()


async def storm(client: httpx2.AsyncClient, free: asyncio.Event, bodies: list[bytes], back: int) -> list[Any]:
    """Post all at once; let the database go on once so many are answered. Returns the answers in order of bodies."""
    posts = [asyncio.create_task(client.post("/webhooks/alertmanager", content=one)) for one in bodies]
    try:
        while sum(post.done() for post in posts) < back:
            await asyncio.wait([post for post in posts if not post.done()], return_when=asyncio.FIRST_COMPLETED)
        early = [post.result() for post in posts if post.done()]
        assert {answer.status_code for answer in early} == {503}
    finally:
        free.set()
    return await asyncio.gather(*posts)


@pytest.fixture(
    params=[{"max_waiting": 3}, {"max_waiting_bytes": 3 * 1200, "max_body_bytes": 1200}], ids=["many", "large"]
)
def bounds(request: pytest.FixtureRequest) -> dict[str, int]:
    return dict(request.param)


async def test_who_finds_no_room_comes_again_and_nothing_is_lost(
    tmp_path: Path, url: str, bounds: dict[str, int]
) -> None:
    bodies = [body(number, size=900) for number in range(8)]
    async with door(tmp_path, url, **bounds) as (app, client, _):
        async with held(app) as free:
            answers = await storm(client, free, bodies, back=5)
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 5
        refused = [one for one, answer in zip(bodies, answers, strict=True) if answer.status_code == 503]
        assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 503} == {"5"}
        for one in refused:
            assert (await client.post("/webhooks/alertmanager", content=one)).json()["new"] == 1
        rows = await app.store.read(alerts.listed)
        assert {row.alert.fingerprint for row in rows} == {f"f{number}" for number in range(8)}


async def test_strangers_take_no_place_of_those_who_wait(tmp_path: Path, url: str) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    async with door(tmp_path, url, max_waiting=1) as (app, client, _):
        await client.post("/webhooks/alertmanager", content=body(0), headers=wrong)  # written to the audit log
        async with held(app) as free:
            posts = (client.post("/webhooks/alertmanager", content=body(0), headers=wrong) for _ in range(5))
            assert {answer.status_code for answer in await asyncio.gather(*posts)} == {401}
            post = asyncio.create_task(client.post("/webhooks/alertmanager", content=body(1)))
            free.set()
            assert (await post).status_code == 200


async def test_those_told_to_come_again_are_counted_in_the_audit_log(tmp_path: Path, url: str) -> None:
    async with door(tmp_path, url, max_waiting=1) as (app, client, _):
        async with held(app) as free:
            await storm(client, free, [body(number) for number in range(3)], back=2)
        await client.post("/webhooks/alertmanager", content=b"")
        entries = await app.store.read(lambda conn: audit.entries(conn, kind="ingress.refused"))
        assert [json.loads(entry.body)["counts"] for entry in entries] == [{"full": 2, "malformed": 1}]


async def test_what_was_only_counted_is_written_after_a_while(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "EVERY_S", 0.05)
    async with door(tmp_path, url, max_waiting=1) as (app, client, _):
        async with held(app) as free:
            await storm(client, free, [body(number) for number in range(3)], back=2)
        while not (entries := await app.store.read(lambda conn: audit.entries(conn, kind="ingress.refused"))):
            await asyncio.sleep(0.01)
        assert sum(json.loads(entry.body)["counts"]["full"] for entry in entries) <= 2


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "BODY_S", 0.05)
    async with door(tmp_path, url) as (_, _, address):
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: sysop\r\nContent-Length: 100\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 "), "whoever meets a 4xx gives up"
        writer.close()


async def test_a_sender_that_hangs_up_leaves_nothing_behind(tmp_path: Path, url: str) -> None:
    async with door(tmp_path, url, max_waiting_bytes=1200, max_body_bytes=1200) as (_, client, address):
        host, port = address.removeprefix("http://").split(":")
        for _ in range(5):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: sysop\r\nContent-Length: 1100\r\n\r\n" + b"x" * 900
            )
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        for _ in range(50):  # until the server has noticed
            answer = await client.post("/webhooks/alertmanager", content=body(1, size=700))
            if answer.status_code == 200:
                return
        pytest.fail(f"what was never sent is still held: {answer.text}")


async def test_a_large_body_is_read_beside_others_and_answered_alike(tmp_path: Path, url: str) -> None:
    large = body(1, size=webhooks.LARGE)
    async with door(tmp_path, url) as (app, client, _):
        answers = [await client.post("/webhooks/alertmanager", content=one) for one in (large, large, b"[" + large)]
        assert [answer.status_code for answer in answers] == [200, 200, 400]
        wrong = large.replace(b'"fingerprint"', b'"footprint"')
        assert "alerts[0].fingerprint: " in (await client.post("/webhooks/alertmanager", content=wrong)).text
        assert len(await app.store.read(alerts.listed)) == 1


def test_a_share_is_given_back_whatever_happens() -> None:
    backlog = Backlog(max_waiting=1, max_bytes=100)
    with backlog.share() as share:
        share.grow(60)
        share.wait()
        with pytest.raises(Full):
            share.grow(41)
    assert (backlog.waiting, backlog.bytes) == (0, 0)
    with backlog.share() as share:
        share.grow(100)
        share.wait()
        with pytest.raises(Full), backlog.share() as other:
            other.wait()
        assert (backlog.waiting, backlog.bytes) == (1, 100)
