"""A small real world for plugins: a context that performs actions, a server that speaks Prometheus, real pipelines."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from sysop.api import Action, ActionFailed, Change, Inventory, PluginContext, Preview, Reconciled, Service, Verification
from sysop_plugins import cicd, inventory, kubernetes, metrics

T = TypeVar("T")
PLUGINS: dict[str, ModuleType] = {"cicd": cicd, "inventory": inventory, "kubernetes": kubernetes, "metrics": metrics}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError as bad:
            raise ActionFailed(f"the answer is not JSON: {self.text[:80]}") from bad


@dataclass(frozen=True)
class Http:
    client: httpx2.AsyncClient

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> Answer:
        try:
            got = await self.client.request(method, url, params=params, json=json, headers=headers, timeout=timeout)
        except httpx2.ConnectError as failed:
            raise ActionFailed(f"{url} cannot be reached: {failed}") from failed
        return Answer(got.status_code, dict(got.headers), got.text)


@dataclass
class World:
    """Everything a call needs. `at` stops the clock of contexts, in milliseconds since the epoch."""

    folder: Path
    http: Http
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    inventory: Inventory = field(default_factory=Inventory)
    secrets: dict[str, str] = field(default_factory=dict)
    at: int | None = None
    calls: int = 0
    changes: list[Change] = field(default_factory=list)

    async def call(self, action: str, *, key: str | None = None, **args: Any) -> Any:
        """Perform an action like the gate does and return its result as JSON."""
        found, ctx, given = self._bound(action, key, args)
        result = await found._perform(ctx, **{name: getattr(given, name) for name in type(given).model_fields})
        as_json = found.result.dump_python(result, mode="json")
        return json.loads(json.dumps(as_json, allow_nan=False))

    async def preview(self, action: str, *, key: str | None = None, **args: Any) -> Preview:
        found, ctx, given = self._bound(action, key, args)
        assert found.preview
        return await found.preview(ctx, given)

    async def precondition(self, action: str, *, key: str | None = None, **args: Any) -> Any:
        found, ctx, given = self._bound(action, key, args)
        assert found.precondition
        return await found.precondition(ctx, given)

    async def reconcile(self, action: str, *, key: str, **args: Any) -> Reconciled:
        found, ctx, given = self._bound(action, key, args)
        assert found.reconcile
        return await found.reconcile(ctx, given)

    async def verify(self, action: str, result: Any, **args: Any) -> Verification:
        found, ctx, given = self._bound(action, None, args)
        assert found.verify
        return await found.verify.check(ctx, given, result)

    async def verdict(self, action: str, result: Any, **args: Any) -> Verification:
        """Ask the post-check until it is no longer pending."""
        return await until(lambda: self.verify(action, result, **args), lambda v: v.state != "pending")

    async def built(self, build: str) -> dict[str, Any]:
        """Wait for a build's end."""
        return await until(
            lambda: self.call("cicd.status", build=build), lambda b: b["state"] not in ("queued", "running")
        )

    async def seen(self, what: Callable[[], bool]) -> None:
        """Wait until something is so."""

        async def ask() -> bool:
            return what()

        await until(ask, bool)

    async def health(self, plugin: str) -> Any:
        state = self.folder / plugin
        state.mkdir(exist_ok=True)
        ctx = PluginContext(plugin, self.settings_of(plugin), state, self.inventory, self.http)
        (check,) = PLUGINS[plugin].register_health_checks()
        return await check.check(ctx)

    def settings_of(self, plugin: str) -> Any:
        module = PLUGINS[plugin]
        model = module.register_settings() if hasattr(module, "register_settings") else None
        return model and model.model_validate(self.settings.get(plugin, {}))

    def _bound(self, name: str, key: str | None, args: dict[str, Any]) -> tuple[Action, Context, Any]:
        plugin = name.partition(".")[0]
        actions = {f"{plugin}.{a.name}": a for a in PLUGINS[plugin].register_actions()}
        self.calls += 1
        state = self.folder / plugin
        state.mkdir(exist_ok=True)
        ctx = Context(self, plugin, key or f"run-test:call-{self.calls}", state)
        return actions[name].owned(plugin, "1"), ctx, actions[name].parameters.model_validate(args)


@dataclass(frozen=True)
class Context:
    world: World
    plugin: str
    key: str
    state: Path
    run: str = "run-test"
    call: str = "call-1"

    @property
    def settings(self) -> Any:
        return self.world.settings_of(self.plugin)

    @property
    def inventory(self) -> Inventory:
        return self.world.inventory

    @property
    def http(self) -> Http:
        return self.world.http

    def now(self) -> int:
        return self.world.at or time.time_ns() // 1_000_000

    def secret(self, name: str) -> str:
        return self.world.secrets[name]

    async def changes(self, since: int, until: int, services: Sequence[str] | None = None) -> Sequence[Change]:
        told = [one for one in self.world.changes if since <= one.at <= until]
        return [one for one in told if services is None or one.service in services]

    async def read(self, action: str, **args: Any) -> Any:
        return await self.world.call(action, **args)


async def until(ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], seconds: float = 20.0) -> T:
    deadline = time.monotonic() + seconds
    while not good(answer := await ask()):
        assert time.monotonic() < deadline, f"still {answer}"
        await asyncio.sleep(0.02)
    return answer


@dataclass
class Prometheus:
    """Series by exact query: a function of time, or the whole answer of the server as (status, body)."""

    url: str
    series: dict[str, list[tuple[dict[str, str], Callable[[float], str]]]] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)

    def gives(self, query: str, value: Callable[[float], str] | str, **labels: str) -> None:
        at = value if callable(value) else lambda _time: value
        self.series.setdefault(query, []).append((labels, at))

    def answer(self, path: str, params: dict[str, str]) -> tuple[int, Any]:
        query = params.get("query", "")
        if query in self.answers:
            return self.answers[query]
        if query.endswith("("):
            message = f'invalid parameter "query": 1:{len(query) + 1}: parse error: unclosed left parenthesis'
            return 400, {"status": "error", "errorType": "bad_data", "error": message}
        found = self.series.get(query, [])
        if path == "/api/v1/query":
            now = round(time.time(), 3)
            vector = [{"metric": labels, "value": [now, at(now)]} for labels, at in found]
            return 200, {"status": "success", "data": {"resultType": "vector", "result": vector}}
        start, end, step = float(params["start"]), float(params["end"]), float(params["step"])
        times = [start + i * step for i in range(int((end - start) / step) + 1)]
        matrix = [{"metric": labels, "values": [[t, at(t)] for t in times]} for labels, at in found]
        return 200, {"status": "success", "data": {"resultType": "matrix", "result": matrix}}


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            params = {name: values[0] for name, values in parse_qs(parts.query).items()}
            server.asked.append({"path": parts.path, **params})
            server.authorization.append(self.headers.get("Authorization"))
            status, body = server.answer(parts.path, params)
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Prometheus(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    yield server
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    services = {
        "gateway": Service("gateway", depends_on=("checkout",), owner="team-edge"),
        "checkout": Service("checkout", depends_on=("payments",), owner="team-shop", description="Takes orders"),
        "payments": Service("payments", environment="staging"),
    }
    async with httpx2.AsyncClient() as client:
        yield World(tmp_path, Http(client), inventory=Inventory(services))


@pytest.fixture
def company(world: World, tmp_path: Path) -> World:
    """The world with pipelines. Every execution adds its build to `executed`; version 0.0.0 cannot be deployed."""
    executed = f'echo "$SYSOP_BUILD_ID" >> {tmp_path}/executed; '

    def sh(text: str, *arguments: str) -> list[str]:
        return ["/bin/sh", "-c", executed + text, "sh", *arguments]

    pipelines: dict[str, Any] = {
        "deploy": {
            "command": sh('test "$2" != 0.0.0; echo $? > /dev/null; [ "$2" != 0.0.0 ]', "{service}", "{version}"),
            "parameters": ["service", "version"],
            "deploys": True,
            "description": "Bring a version live",
        },
        "slow-deploy": {
            "command": sh("sleep 30", "{service}", "{version}"),
            "parameters": ["service", "version"],
            "deploys": True,
        },
        "sleep": {"command": sh('sleep "$1"', "{seconds}"), "parameters": ["seconds"]},
        "stubborn": {"command": sh("trap '' TERM; sleep 30 & wait; sleep 30"), "timeout_seconds": 0.3},
        "show": {
            "command": ["/bin/sh", "-c", 'env; printf "<%s>\\n" "$@"', "sh", "{what}", "--file={what}.txt", "{ not }"],
            "parameters": ["what"],
        },
        "loud": {
            "command": ["/bin/sh", "-c", "yes 'a line of sixteen' | head -n 20000; printf 'the \\033[1mend\\377'"]
        },
        "fail": {"command": sh("echo no luck; exit 3")},
        "flaky": {
            "command": sh('if [ -e done ]; then exit 0; fi; touch done; echo "E   assert 1 == 2"; exit 1'),
            "directory": str(tmp_path),
        },
        "missing": {"command": ["/no/such/program"]},
    }
    world.settings["cicd"] = {
        "local": {"pipelines": pipelines},
        "services": {"payments": {"pipeline": "slow-deploy"}},
        "default_service": {"pipeline": "deploy"},
    }
    return world


@pytest.fixture
def executed(tmp_path: Path) -> Callable[[], list[str]]:
    def read() -> list[str]:
        file = tmp_path / "executed"
        return file.read_text().split() if file.exists() else []

    return read
