"""The HTTP side: who may ask, and where logs lie."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from sysop.testing.github.routes import ROUTES, World, refused
from sysop.testing.github.state import Repository
from sysop.testing.wire import Reply, Served, StandIn, send

READ_TOKEN = "read-token-of-a-test"  # noqa: S105  it opens nothing
WRITE_TOKEN = "write-token-of-a-test"  # noqa: S105  it opens nothing


class GitHub(StandIn):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.changes)
        self._logs = Served(self._serve_log)
        self.world.url, self.world.logs_url = self.url, self._logs.url

    @property
    def logs_url(self) -> str:
        """Return the address of the server that holds the logs."""
        return self._logs.url

    def repository(self, name: str, refs: Sequence[str] = ("main",)) -> Repository:
        """Make a repository."""
        self.world.repositories[name] = Repository(name, refs)
        return self.world.repositories[name]

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._logs.start()
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop. Raises AssertionError where something was asked that GitHub would not understand."""
        self._logs.stop()
        super().__exit__(kind, error, at)

    def refusal(self, status: int, message: str) -> Any:
        """Return the body with which GitHub refuses."""
        return refused(status, message).reply.body

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer as GitHub does."""
        self._may(method, path, headers)
        for wanted, pattern, to in ROUTES:
            found = pattern.fullmatch(path)
            if found and wanted == method:
                at = {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
                at["address"] = f"{self.url}{path}"
                return to(self.world, self.world.repository(at["repo"]), at, query, json.loads(raw) if raw else {})
        self.problems.append(f"{method} {path} is no address of GitHub's")
        raise refused(404, "Not Found")

    def _may(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token if scheme.lower() in ("bearer", "token") else ""
        if token not in (READ_TOKEN, WRITE_TOKEN):
            raise refused(401, "Bad credentials")
        if headers.get("x-github-api-version") != "2022-11-28":
            self.problems.append(f"{path}: asked without the version of the API")
        if method != "GET" and token != WRITE_TOKEN:
            raise refused(403, "Resource not accessible by personal access token")

    def _serve_log(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("authorization"):
            self.problems.append("a log was asked for with the token, at a server that is not GitHub's")
        path, _, signature = handler.path.partition("?sig=")
        owner, name, run, number = path.strip("/").split("/")
        repo = self.world.repositories[f"{owner}/{name}"]
        log = next(one for one in repo.runs if one.id == int(run)).attempts[int(number) - 1].outcome.log
        text = "\n".join(f"2026-09-21T14:00:00.0000000Z {line}" for line in log.splitlines())
        send(handler, Reply(200, text) if signature == "secret" else Reply(403, "denied"))
