"""A language model server on this machine for tests: OpenAI's chat completions over real HTTP, answers by script.

It is strict. A request that a real server would refuse (a call without its answer, an answer without its call, ids
used twice, a tool without a schema) is refused with status 400 and kept in `problems`; leaving the `with` block then
raises AssertionError.

    def script(asked: Asked) -> Answer | Fault:
        return Answer("let me look", [Use("lab-look")]) if asked.turn == 0 else Answer("all is well")

    with LlmServer(script) as server:
        ...  # base_url=server.url; afterwards len(server.asked) is the number of requests
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self, cast

from sysop.testing.llm_rules import problem_of

FaultKind = Literal["status", "hang", "cut", "garbage", "empty"]


@dataclass(frozen=True, slots=True)
class Use:
    """A call in an answer. `args` may be a text that is no JSON; without `id` the server gives a unique one."""

    tool: str
    args: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: text, calls or both. `usage` is (input, output) tokens, None where the server is silent."""

    text: str = ""
    uses: Sequence[Use] = ()
    usage: tuple[int, int] | None = (100, 20)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: a `status`, no answer at all, a connection cut in the middle, no JSON, or no choices."""

    kind: FaultKind
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    message: str = "scripted fault"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `number` counts all requests of this server from 0, `turn` the model's answers in this one."""

    number: int
    turn: int
    body: Mapping[str, Any]

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """Return the conversation."""
        return cast(Sequence[Mapping[str, Any]], self.body["messages"])

    @property
    def tools(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the offered functions by name."""
        return {tool["function"]["name"]: tool["function"] for tool in self.body.get("tools", [])}

    @property
    def results(self) -> Sequence[str]:
        """Return the texts of all tool results, oldest first."""
        return [str(message["content"]) for message in self.messages if message["role"] == "tool"]

    @property
    def text(self) -> str:
        """Return the whole conversation as one text, to look for words in."""
        return json.dumps(self.messages, ensure_ascii=False)


Script = Callable[[Asked], Answer | Fault]


def turns(*steps: Answer | Fault | Callable[[Asked], Answer | Fault]) -> Script:
    """Return a script that gives one step for each answer in the conversation; a repeated request repeats its step."""

    def script(asked: Asked) -> Answer | Fault:
        step = steps[min(asked.turn, len(steps) - 1)]
        return step(asked) if callable(step) else step

    return script


class LlmServer:
    """The server. `url` ends in /v1; `asked` are the requests it took, `problems` the ones it refused."""

    def __init__(self, script: Script, *, key: str | None = None) -> None:
        self.script = script
        self.key = key
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.wire = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Return the base URL for a client."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def take(self, body: Mapping[str, Any]) -> Answer | Fault:
        """Check a request, note it, and ask the script."""
        problem = problem_of(body)
        with self._lock:
            if problem is not None:
                self.problems.append(problem)
                return Fault("status", 400, code="invalid_request", message=problem)
            turn = sum(message["role"] == "assistant" for message in body["messages"])
            asked = Asked(len(self.asked), turn, body)
            self.asked.append(asked)
        return self.script(asked)

    def close(self) -> None:
        """Stop, and let go of requests that hang."""
        self.released.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.problems:
            raise AssertionError(f"the model server refused requests: {self.problems}")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    wire: LlmServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients under test die in the middle."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        wire = self.server.wire
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/chat/completions":
            return self._error(Fault("status", 404, message=f"there is no {self.path}"))
        if wire.key is not None and self.headers.get("Authorization") != f"Bearer {wire.key}":
            return self._error(Fault("status", 401, code="invalid_api_key", message="wrong key"))
        try:
            body = json.loads(raw)
        except ValueError:
            return self._error(Fault("status", 400, message="not JSON"))
        given = wire.take(body)
        if isinstance(given, Fault):
            return self._fault(given)
        completion = _completion(given, len(wire.asked), body)
        return self._stream(completion, body) if body.get("stream") else self._json(200, completion)

    def _fault(self, fault: Fault) -> None:
        if fault.kind == "status":
            self._error(fault)
        elif fault.kind == "hang":
            self.server.wire.released.wait(60)
        elif fault.kind == "cut":
            self._head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
            self.wfile.write(b'{"id": "chatcmpl-1", "choi')
        elif fault.kind == "garbage":
            self._send(200, b"<html>this is not an answer", {"Content-Type": "application/json"})
        else:
            self._json(200, {**_completion(Answer("x"), 0, {"model": "x"}), "choices": []})
        self.close_connection = True

    def _error(self, fault: Fault) -> None:
        body = {"error": {"message": fault.message, "type": "scripted", "code": fault.code}}
        self._send(fault.status, json.dumps(body).encode(), {"Content-Type": "application/json", **fault.headers})

    def _json(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._head(status, {**headers, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, completion: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        for chunk in _chunks(completion, with_usage):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


def _completion(answer: Answer, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.uses:
        message["tool_calls"] = [_tool_call(use, f"call_{number}_{i}") for i, use in enumerate(answer.uses)]
    completion: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if answer.uses else "stop"}],
    }
    if answer.usage is not None:
        prompt, output = answer.usage
        total = prompt + output
        completion["usage"] = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": total}
    return completion


def _tool_call(use: Use, id: str) -> dict[str, Any]:
    arguments = use.args if isinstance(use.args, str) else json.dumps(dict(use.args))
    return {"id": use.id or id, "type": "function", "function": {"name": use.tool, "arguments": arguments}}


def _chunks(completion: Mapping[str, Any], with_usage: bool) -> Iterator[dict[str, Any]]:
    head = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    choice = completion["choices"][0]
    calls = [{"index": index, **call} for index, call in enumerate(choice["message"].get("tool_calls", []))]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": choice["message"]["content"] or ""}]
    deltas.extend({"tool_calls": [call]} for call in calls)
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if with_usage and "usage" in completion:
        yield {**head, "choices": [], "usage": completion["usage"]}
