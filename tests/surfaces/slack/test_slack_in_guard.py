"""The guard: whatever Slack has not signed, or is not shaped as Slack shapes it, gets no further and is no 5xx."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import in_kit
import pytest
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_fuzz import FORM, JSON, SECRET, any_body, shaped, signed, wrong_headers

from scale import size
from sysop.store import audit, inbox
from sysop.store.store import Store
from sysop.surfaces.refusals import Refusals
from sysop.surfaces.server import Server
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.guard import MAX_BODY, Guard
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.intake import Intake

PATH = "/slack/events"
Json = dict[str, Any]


def command(trigger: str, text: str = "help", **more: str) -> str:
    fields = {"command": "/sysop", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": "C1"}
    return urlencode({**fields, "trigger_id": trigger, "response_url": "http://127.0.0.1:9/x", **more})


def event(id: str = "Ev1", **inner: Any) -> str:
    said = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1.1", "text": "<@U0> hi", **inner}
    return json.dumps({"type": "event_callback", "team_id": "T1", "event_id": id, "event": said})


def payload(body: Json) -> str:
    return f"payload={quote(json.dumps(body))}"


async def _nothing(*_: Any) -> None:
    return


class Ingress:
    """The guard before a real Bolt app with our intake, on a real database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.refusals = Refusals(store, "service:slack")
        self.clients = Clients("http://127.0.0.1:9/api/", token="xoxb-1", installations=None)
        self.intake = Intake(store, self.clients, self.refusals, wake=lambda: None, open=_nothing, tell=_nothing)

        async def identity(**_: Any) -> AuthorizeResult:
            return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1", bot_id="B1", bot_user_id="U0")

        self.bolt = AsyncApp(
            name="guarded",
            client=self.clients.plain,
            signing_secret=SECRET,
            authorize=identity,
            before_authorize=self.intake,
            process_before_response=True,
            attaching_conversation_kwargs_enabled=False,
        )
        inner: Any = AsyncSlackRequestHandler(self.bolt, path=PATH)
        self.app = Guard(inner, SECRET, self.refusals, path=PATH)

    async def rows(self) -> int:
        return sum((await self.store.read(inbox.counts)).values())


@pytest.fixture
async def store(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Store]:
    """Return a database of one kind: what the guard lets through is the same for both."""
    shutil.copy(migrated_file, tmp_path / "sysop.db")
    opened = Store.open(f"sqlite:///{tmp_path / 'sysop.db'}")
    yield opened
    await opened.close()


@pytest.fixture
async def ingress(store: Store) -> Any:
    made = Ingress(store)
    yield made
    await made.intake.drain()
    await made.clients.close()


@pytest.fixture
async def door(ingress: Ingress) -> Any:
    listener, address = in_kit.listen()
    server = Server(ingress.app, listener)
    await server.start()
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:

        async def post(body: str | bytes, headers: dict[str, str] | None = None, more: str = "") -> httpx2.Response:
            content = body if isinstance(body, bytes) else body.encode()
            return await client.post(f"{address}{more}", content=content, headers=headers or {})

        post.get = lambda: client.get(address)  # type: ignore[attr-defined]
        yield post
    await server.stop()


GARBAGE: dict[str, tuple[str | bytes, Callable[[str | bytes], dict[str, str]], int]] = {
    "no signature": (event(), lambda b: {"content-type": JSON}, 401),
    "another secret": (event(), lambda b: signed(b, secret="x" * 32), 401),
    "an old timestamp": (event(), lambda b: signed(b, at=time.time() - 301), 401),
    "a timestamp to come": (event(), lambda b: signed(b, at=time.time() + 400), 401),
    "a timestamp of words": (event(), lambda b: {**signed(b), "x-slack-request-timestamp": "now"}, 401),
    "a huge timestamp": (event(), lambda b: {**signed(b), "x-slack-request-timestamp": "9" * 400}, 401),
    "a negative timestamp": (event(), lambda b: {**signed(b), "x-slack-request-timestamp": "-1"}, 401),
    "a timestamp of other digits": (event(), lambda b: {**signed(b), "x-slack-request-timestamp": "¹²³"}, 401),
    "an empty signature": (event(), lambda b: {**signed(b), "x-slack-signature": ""}, 401),
    "a signature of another version": (event(), lambda b: {**signed(b), "x-slack-signature": "v1=" + "0" * 64}, 401),
    "a signature with accents": (event(), lambda b: {**signed(b), "x-slack-signature": "v0=" + "é" * 64}, 401),
    "a signature of a changed body": (event() + " ", lambda b: signed(event()), 401),
    "no UTF-8": (b'{"a": "\xff\xfe"}', lambda b: {**signed("x"), "content-type": JSON}, 401),
    "cut JSON": ('{"type": "event_callback"', signed, 400),
    "a list": ("[1]", signed, 400),
    "a number": ("1", signed, 400),
    "a text": ('"event_callback"', signed, 400),
    "null": ("null", signed, 400),
    "an event that is a number": ('{"type": "event_callback", "event": 1}', signed, 400),
    "an event that is a text": ('{"type": "event_callback", "event": "message"}', signed, 400),
    "a user that is a list": (payload({"type": "block_actions", "user": []}), lambda b: signed(b, kind=FORM), 400),
    "a channel that is a text": (
        payload({"type": "block_actions", "channel": "C"}),
        lambda b: signed(b, kind=FORM),
        400,
    ),
    "actions that are none": (payload({"type": "block_actions", "actions": {}}), lambda b: signed(b, kind=FORM), 400),
    "a payload that is a list": ("payload=%5B1%5D", lambda b: signed(b, kind=FORM), 400),
    "a payload that is cut": ("payload=%7B", lambda b: signed(b, kind=FORM), 400),
    "an empty body": ("", signed, 400),
    "an event without an id": (json.dumps({"type": "event_callback", "event": {"type": "message"}}), signed, 400),
    "an id with a NUL": (event("Ev\x00"), signed, 400),
    "an id that is a number": (event(7), signed, 400),  # type: ignore[arg-type]
    "half a surrogate as id": ('{"type":"event_callback","event_id":"\\ud800","event":{}}', signed, 400),
    "a command without a trigger": ("command=%2Fsysop&text=help", lambda b: signed(b, kind=FORM), 400),
    "a type nobody knows": ('{"type": "surprise"}', signed, 400),
    "nested too deep": (
        '{"type":"event_callback","event_id":"E","event":{"a":' + "[" * 90 + "]" * 90 + "}}",
        signed,
        400,
    ),
    "a bracket bomb": ("[" * 200_000, signed, 400),
    "too large": ("x" * (MAX_BODY + 1), signed, 413),
}


async def test_garbage_is_refused_as_such_and_nothing_is_written_down(door: Any, ingress: Ingress) -> None:
    answered: dict[str, int] = {}
    for kind, (body, headers, _) in GARBAGE.items():
        raw = {name: value.encode() for name, value in headers(body).items()}
        answered[kind] = (await door(body, raw)).status_code
    assert answered == {kind: status for kind, (_, _, status) in GARBAGE.items()}
    assert await ingress.rows() == 0


async def test_only_posts_to_the_one_address_are_taken(door: Any) -> None:
    assert (await door.get()).status_code == 405
    body = command("1.1.c")
    assert (await door(body, signed(body, kind=FORM), "/other")).status_code == 404


async def test_what_slack_signed_is_written_down_once_and_answered(door: Any, ingress: Ingress) -> None:
    body = command("1.1.a")
    headers = signed(body, kind=FORM)
    assert (await door(body, headers)).status_code == 200
    assert await ingress.rows() == 1
    assert (await door(body, headers)).status_code == 200, "the very same request again"
    again = command("1.1.a", text="status")
    assert (await door(again, signed(again, kind=FORM))).status_code == 200, "the same trigger, signed anew"
    assert await ingress.rows() == 1


async def test_the_same_signed_request_under_another_id_is_no_second_one(door: Any, ingress: Ingress) -> None:
    """A copy within Slack's 300 s has the same signature; the ledger of signatures stops it whatever it names."""
    body = event("Ev1")
    headers = signed(body)
    for _ in range(3):
        assert (await door(body, headers)).status_code == 200
    assert await ingress.rows() == 1


@pytest.mark.parametrize("name", ["x-slack-bolt-lazy-only", "X-Slack-Bolt-Lazy-Function-Name"])
async def test_headers_of_bolts_own_do_not_get_through(door: Any, ingress: Ingress, name: str) -> None:
    body = command("1.1.b")
    assert (await door(body, {**signed(body, kind=FORM), name: "1"})).status_code == 200
    assert await ingress.rows() == 1


async def test_a_header_that_stands_twice_proves_nothing(ingress: Ingress) -> None:
    body = event()
    good = signed(body)
    for name in ("x-slack-signature", "x-slack-request-timestamp"):
        twice = [*[(n.encode(), v.encode()) for n, v in good.items()], (name.encode(), good[name].encode())]
        assert await direct(ingress.app, twice, body.encode()) == 401


async def test_the_address_is_proven_with_the_challenge(door: Any, ingress: Ingress) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "t"})
    answer = await door(body, signed(body))
    assert (answer.status_code, "abc" in answer.text) == (200, True)
    assert await ingress.rows() == 0


async def test_events_that_are_held_back_are_noted(door: Any, ingress: Ingress) -> None:
    body = json.dumps({"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1518467820})
    assert (await door(body, signed(body))).status_code == 200
    assert ingress.intake.limited == 1
    assert await ingress.rows() == 0


async def test_refusals_are_counted_in_the_audit_log_and_do_not_fill_it(ingress: Ingress) -> None:
    for _ in range(50):
        assert await direct(ingress.app, [(b"content-type", b"application/json")], b"{}") == 401
    assert await direct(ingress.app, [(n.encode(), v.encode()) for n, v in signed("[]").items()], b"[]") == 400
    await ingress.refusals.flush()
    found = await ingress.store.read(lambda conn: audit.entries(conn, kind="ingress.refused"))
    counts = [json.loads(entry.body)["counts"] for entry in found]
    assert counts == [{"unauthorized": 1}, {"unauthorized": 49, "malformed": 1}]
    assert {entry.actor for entry in found} == {"service:slack"}


# -- at random --------------------------------------------------------------------------------------------------------


async def direct(app: Any, headers: list[tuple[bytes, bytes]], body: bytes, chunks: int = 1) -> int:
    """Call the application as a server does, and return the status."""
    step = max(1, -(-len(body) // chunks))
    parts = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": i < len(parts) - 1} for i, part in enumerate(parts)]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return int(sent[0]["status"])


async def test_no_unsigned_request_gets_through_and_none_breaks_the_guard(ingress: Ingress) -> None:
    luck = random.Random(20260101)
    through: list[bytes] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        through.append((await receive())["body"])

    guard = Guard(inner, SECRET, ingress.refusals, path=PATH)
    answered: dict[int, int] = {}
    for _ in range(size(100_000)):
        body, kind = any_body(luck)
        status = await direct(guard, wrong_headers(luck, body, kind), body, luck.choice((1, 1, 3)))
        answered[status] = answered.get(status, 0) + 1
    assert through == []
    assert set(answered) == {401}, answered


async def test_no_request_that_is_signed_and_odd_is_answered_with_a_5xx(ingress: Ingress) -> None:
    """Signed oddities come from Slack itself or from a leaked secret; each is refused or written down, none breaks."""
    luck = random.Random(7)
    answered: dict[int, int] = {}
    for _ in range(size(20_000)):
        body, kind = any_body(luck)
        try:
            headers = signed(body.decode(), kind=kind)
        except UnicodeDecodeError:
            continue
        status = await direct(ingress.app, [(n.encode(), v.encode()) for n, v in headers.items()], body)
        answered[status] = answered.get(status, 0) + 1
    assert set(answered) <= {200, 400, 404}, answered
    assert answered[400] > 100


def test_what_is_no_delivery_has_no_key() -> None:
    from sysop.surfaces.slack.incoming import parse

    luck = random.Random(3)
    for _ in range(size(20_000)):
        found = parse(shaped(luck))
        assert found is None or isinstance(found, Incoming)
        if found is not None:
            assert found.key.isascii()
            for id in (found.team, found.user, found.channel, found.thread):
                assert "\0" not in id
