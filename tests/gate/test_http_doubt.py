"""What an HTTP request may still do: one that was sent has perhaps happened, and one under way may yet arrive."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import BaseModel

import bench
from gate.kit import Attack
from sysop import host as plugin_host
from sysop.api import Action, ActionFailed, Context, Reconciled, Risk, action, hookimpl
from sysop.store import runs

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}
TRAVEL_S = 30.0  # at most so long from a request's arrival to its effect, whoever has died meanwhile
TIMEOUT = timedelta(seconds=1)
PATIENT = timedelta(seconds=30)
"""For what ends by itself: a loaded machine must not make a timeout of it."""


class Target:
    """A real server that counts what happened, by key. It does twice what it is asked twice."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.let_through = threading.Event()
        self.done: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def post(self, path: str, key: str) -> tuple[int, str]:
        if path == "/refuse":
            return 409, "no"
        if path.startswith("/gateway/"):  # the target has done it, and what stands before it gave up waiting
            self.done.append(key)
            return int(path.rpartition("/")[2]), "gateway"
        self.arrived.set()
        if path == "/slow":
            self.let_through.wait(TRAVEL_S)
        self.done.append(key)
        return 200, "<html>" if path == "/page" else "{}"

    def stop(self) -> None:
        self.let_through.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(target: Target) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if self.path == "/page":
                self._answer(200, "<html>")
            else:
                self._answer(200, json.dumps({"done": target.done.count(query.get("key", [""])[0])}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._answer(*target.post(self.path, body["key"]))

        def _answer(self, status: int, text: str) -> None:
            with suppress(ConnectionError):  # whoever asked is dead by now
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *_given: Any) -> None:
            """Keep quiet."""

    return Handler


class FarSettings(BaseModel):
    """Where the target is, and where nobody is."""

    address: str
    nobody: str


async def found(ctx: Context, args: Any) -> Reconciled:
    answer = await ctx.http.request("GET", f"{ctx.settings.address}/find", params={"key": ctx.key})
    done = answer.json()["done"] > 0
    return Reconciled("done" if done else "not_done", "it is there" if done else "it is not there", "")


async def _post(ctx: Context, path: str) -> Any:
    answer = await ctx.http.request("POST", f"{ctx.settings.address}{path}", json={"key": ctx.key})
    if answer.status == 409 or path.startswith("/gateway/"):
        raise ActionFailed("the target refused")
    return answer.json()


async def _then(ctx: Context, step: str) -> Any:
    """Do what cannot work, each in another way."""
    match step:
        case "/refuse" | "/page":
            return await _post(ctx, step)
        case "read a page":
            return (await ctx.http.request("GET", f"{ctx.settings.address}/page")).json()
        case "read nobody":
            return await ctx.http.request("GET", f"{ctx.settings.nobody}/x")
        case "change nobody":
            return await ctx.http.request("POST", f"{ctx.settings.nobody}/x", json={})
        case "change elsewhere":
            return await ctx.http.request("POST", "http://elsewhere.example/x", json={})
        case "secret":
            return ctx.secret("nobody-set-this")
        case "evidence":
            return await ctx.read("lab.broken")
    raise AssertionError(step)


@action(risk=Risk.CHANGE, idempotent=True, reconcile=found, timeout=TIMEOUT)
async def asked(ctx: Context) -> str:
    """Do something that takes a while to arrive; the target can be asked."""
    return str(await _post(ctx, "/slow"))


@action(risk=Risk.CHANGE, idempotent=True, timeout=TIMEOUT)
async def trusted(ctx: Context) -> str:
    """Do the same, and claim wrongly that doing it twice is harmless: the control that must show it done twice."""
    return str(await _post(ctx, "/slow"))


@action(risk=Risk.CHANGE, timeout=PATIENT)
async def change_then(ctx: Context, step: str) -> str:
    """Change something, then go on; nobody can tell afterwards."""
    await _post(ctx, "/now")
    return str(await _then(ctx, step))


@action(risk=Risk.CHANGE, reconcile=found, timeout=PATIENT)
async def change_then_asked(ctx: Context, step: str) -> str:
    """Change something, then go on; the target can be asked."""
    await _post(ctx, "/now")
    return str(await _then(ctx, step))


@action(risk=Risk.CHANGE, timeout=TIMEOUT)
async def only(ctx: Context, path: str) -> str:
    """Make one change; whatever is not success is called a refusal, as a careless plugin would."""
    return str(await _post(ctx, path))


@action(risk=Risk.CHANGE, timeout=TIMEOUT, reconcile=found)
async def only_asked(ctx: Context, path: str) -> str:
    """Do the same; the target can be asked."""
    return str(await _post(ctx, path))


@action(risk=Risk.CHANGE, timeout=PATIENT)
async def look_then(ctx: Context, step: str) -> str:
    """Look, fail to reach somebody, then go on."""
    await ctx.http.request("GET", f"{ctx.settings.address}/find")
    with suppress(ActionFailed):
        await _then(ctx, "change nobody")
    return str(await _then(ctx, step))


@action(risk=Risk.READ, timeout=TIMEOUT)
async def query_then(ctx: Context, step: str) -> str:
    """Ask by a request that changes nothing though it is a POST, then go on, and make do without."""
    await _post(ctx, "/now")
    with suppress(ActionFailed):
        return str(await _then(ctx, step))
    return "made do"


class Far:
    """The plugin of these actions."""

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        return [asked, trusted, change_then, change_then_asked, only, only_asked, look_then, query_then]

    @hookimpl
    def register_settings(self) -> type[BaseModel]:
        return FarSettings


@pytest.fixture
def target() -> Iterator[Target]:
    running = Target()
    yield running
    running.stop()


@pytest.fixture
def nobody() -> Iterator[str]:
    """Return an address at which nobody listens, and nobody will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def far(
    attack: Callable[..., Attack], target: Target, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Attack]:
    """Return a function that opens one process's view, with the plugin."""
    load = plugin_host.load

    def with_settings(given: Any, **more: Any) -> Any:
        return load({**given, "far": {"address": target.address, "nobody": nobody}}, **more)

    monkeypatch.setattr(bench.plugin_host, "load", with_settings)
    return lambda: attack(policy=FREE, plugins={"far": Far()})


async def _dies_waiting(gate: Attack, target: Target, run: str) -> None:
    """Let the process die while its request is on the way."""
    work = asyncio.create_task(gate.advance(run))
    await asyncio.to_thread(target.arrived.wait, 10)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await gate.app.store.write(runs.release_all)
    assert (await gate.state(run), target.done) == ("executing", [])


async def test_not_done_is_not_believed_while_a_dead_process_s_request_is_on_the_way(
    far: Callable[[], Attack], target: Target
) -> None:
    gate = far()
    after = far()
    run = await gate.submit("far.asked")
    await _dies_waiting(gate, target, run)
    await after.advance(run)
    assert (await after.run(run)).waiting_for == "settle:call"
    target.let_through.set()
    await after.work()
    assert target.done == [f"{run}:call"], "it was done again, though the first request only had not arrived yet"
    assert await after.state(run) == "done"


async def test_control_an_action_that_is_trusted_to_be_idempotent_goes_again_at_once(
    far: Callable[[], Attack], target: Target
) -> None:
    gate = far()
    run = await gate.submit("far.trusted")
    await _dies_waiting(gate, target, run)
    after = far()
    asyncio.get_running_loop().call_later(0.3, target.let_through.set)
    await after.advance(run)
    assert await after.state(run) == "done"
    assert target.done == [f"{run}:call"] * 2, "the request on the way was not there: the test above proves nothing"


async def test_done_is_believed_at_once(far: Callable[[], Attack], target: Target) -> None:
    gate = far()
    run = await gate.submit("far.asked")
    await _dies_waiting(gate, target, run)
    target.let_through.set()
    while not target.done:
        await asyncio.sleep(0.01)
    after = far()
    await after.advance(run)
    row = await after.row(run)
    assert row is not None
    assert row.state == "done"
    assert (row.finished_at or 0) < (row.started_at or 0) + TIMEOUT.total_seconds() * 1000 + 1000
    assert len(target.done) == 1


LATER = ["change nobody", "change elsewhere", "read nobody", "read a page", "/page", "secret", "evidence"]


@pytest.mark.parametrize("step", LATER)
async def test_what_fails_after_a_change_was_sent_is_never_called_nothing_happened(
    far: Callable[[], Attack], target: Target, step: str
) -> None:
    gate = far()
    run = await gate.submit("far.change_then", {"step": step})
    await gate.work()
    assert f"{run}:call" in target.done
    row = await gate.row(run)
    assert row is not None
    assert (row.state, (await gate.run(run)).waiting_for) == ("unknown", "unknown:call")


async def test_the_target_says_that_the_change_before_the_failure_is_done(
    far: Callable[[], Attack], target: Target
) -> None:
    gate = far()
    run = await gate.submit("far.change_then_asked", {"step": "change nobody"})
    await gate.work()
    assert await gate.state(run) == "done"
    assert target.done == [f"{run}:call"]


@pytest.mark.parametrize("step", ["change nobody", "change elsewhere", "read nobody", "read a page", "secret"])
async def test_a_read_or_a_request_that_reached_nobody_leaves_a_failure_certain(
    far: Callable[[], Attack], target: Target, step: str
) -> None:
    gate = far()
    run = await gate.submit("far.look_then", {"step": step})
    await gate.work()
    assert (await gate.state(run), target.done) == ("failed", [])


async def test_a_plugin_s_own_word_that_nothing_happened_counts(far: Callable[[], Attack], target: Target) -> None:
    gate = far()
    run = await gate.submit("far.look_then", {"step": "/refuse"})
    await gate.work()
    row = await gate.row(run)
    assert row is not None
    assert (row.state, row.error, target.done) == ("failed", "the target refused", [])


@pytest.mark.parametrize("status", [502, 503, 504, 408])
async def test_a_refusal_by_something_that_gave_up_waiting_is_doubt(
    far: Callable[[], Attack], target: Target, status: int
) -> None:
    gate = far()
    run = await gate.submit("far.only", {"path": f"/gateway/{status}"})
    asked = await gate.submit("far.only_asked", {"path": f"/gateway/{status}"})
    await gate.work()
    assert await gate.state(run) == "unknown"
    assert await gate.state(asked) == "done"
    assert sorted(target.done) == sorted([f"{run}:call", f"{asked}:call"])


async def test_a_read_that_asks_by_post_can_make_do_without_an_answer(far: Callable[[], Attack]) -> None:
    gate = far()
    run = await gate.submit("far.query_then", {"step": "read nobody"})
    await gate.work()
    row = await gate.row(run)
    assert row is not None
    assert (row.state, row.result) == ("done", '"made do"')
