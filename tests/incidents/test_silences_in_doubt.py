"""Silences through a proxy that wants tokens, and that loses or spoils what the real Alertmanager answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from silence_kit import ALLOWED, Alertmanager, Mirroring, running

from gate.kit import ANN, BOB
from sysop.incidents.silencing import Wish, matcher
from sysop.model import EffectState
from sysop.store import silences

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
WISH = Wish((matcher("service=checkout"),), 3600, "a migration")
READ, WRITE = "read-only-7f3a", "may-write-91bc"


@dataclass
class Proxy:
    """What stands before Alertmanager. `spoil` says what it makes of the answer to a POST."""

    target: str
    url: str = ""
    spoil: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        self.seen.append((method, token))
        if token not in (WRITE, *([READ] if method == "GET" else [])):
            return 403, b"no"
        headers = {"Content-Type": "application/json"}
        got = httpx2.request(method, f"{self.target}{path}", content=body, headers=headers, trust_env=False)
        spoil = self.spoil if method == "POST" else ""
        return {"502": (502, b"bad gateway"), "garbage": (200, b'{"ok": true}'), "text": (200, b"fine")}.get(
            spoil, (got.status_code, got.content)
        )


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with running(tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.fixture
def proxy(there: Alertmanager) -> Iterator[Proxy]:
    made = Proxy(there.url)

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, answer = made.answer(self.command, self.path, token, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = handle_one

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
    for one in there.silences():
        there.http.delete(f"/silence/{one['id']}")


def build(folder: Path, url: str, proxy: Proxy, **secrets: str) -> Mirroring:
    for scope, value in secrets.items():
        (folder / scope).write_text(value)
    named = {scope: f"file:{folder / scope}" for scope in secrets}
    return Mirroring(folder, url, proxy.url, rules=[ALLOWED], token="am", secrets={"am": named})


async def test_the_token_that_may_write_is_used_only_to_write(
    proxy: Proxy, there: Alertmanager, url: str, tmp_path: Path
) -> None:
    here = build(tmp_path, url, proxy, read=READ, write=WRITE)
    made = await here.app.silences.add(ANN, WISH)
    await here.work()
    assert len(there.silences()) == 1
    assert ("POST", WRITE) in proxy.seen
    assert ("GET", READ) in proxy.seen, "the post-check only looks"
    assert {token for method, token in proxy.seen if method == "POST"} == {WRITE}
    await here.app.silences.end(made.id, BOB)
    await here.work()
    assert there.silences() == []
    await here.close()


async def test_a_token_that_is_not_taken_is_named_and_nothing_is_set(
    proxy: Proxy, there: Alertmanager, url: str, tmp_path: Path
) -> None:
    here = build(tmp_path, url, proxy, read=READ, write=READ)
    made = await here.app.silences.add(ANN, WISH)
    await here.work()
    told = await here.told(str(made.run))
    assert "the server answered 403; see plugins.alertmanager.token_secret" in told
    assert READ not in told
    assert there.silences() == []
    await here.close()


@pytest.mark.parametrize("spoil", ["502", "garbage", "text"])
async def test_an_answer_that_is_lost_or_spoilt_leaves_one_silence_that_is_known(
    proxy: Proxy, there: Alertmanager, url: str, tmp_path: Path, spoil: str
) -> None:
    here = build(tmp_path, url, proxy, read=READ, write=WRITE)
    proxy.spoil = spoil
    made = await here.app.silences.add(ANN, WISH)
    await here.work()
    assert await here.state(str(made.run)) == EffectState.DONE, await here.told(str(made.run))
    assert len(there.silences()) == 1
    assert [method for method, _ in proxy.seen].count("POST") == 1, "it is found out, never tried again"

    def mirrored(conn: Any) -> str:
        return here.app.silences.mirrored(conn, silences.load(conn, made.id)).state

    assert await here.app.store.read(mirrored) == "set"
    await here.close()


@pytest.mark.parametrize(("configured", "ok"), [(True, True), (False, None)])
async def test_the_doctor_asks_the_server(
    proxy: Proxy, url: str, tmp_path: Path, configured: bool, ok: bool | None
) -> None:
    here = Mirroring(tmp_path, url, proxy.target if configured else None)
    (check,) = [one for plugin, one in here.app.host.health_checks() if plugin == "alertmanager"]
    health = await check.check(here.app.contexts.for_plugin(here.app.host.plugins["alertmanager"]))
    assert health.ok is ok
    assert configured or "plugins: {alertmanager: {url:" in health.fix
    await here.close()


async def test_the_doctor_says_that_a_server_is_away(url: str, tmp_path: Path) -> None:
    here = Mirroring(tmp_path, url, "http://127.0.0.1:9")
    (check,) = [one for plugin, one in here.app.host.health_checks() if plugin == "alertmanager"]
    health = await check.check(here.app.contexts.for_plugin(here.app.host.plugins["alertmanager"]))
    assert health.ok is False
    assert "127.0.0.1:9" in health.fix
    await here.close()
