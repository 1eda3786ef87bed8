"""Delivery: acks, retries, and everything that goes astray on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from sysop.workspace import Workspace
from workspace import kit
from workspace.kit import App, People, client_of, until

Connect = Callable[..., Any]


class Listener:
    """An app written by hand, to see the bare wire: every request, and an answer of the test's choice."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers = 200, {}
        self.hang = False

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if b"url_verification" in body:
            return web.json_response({"challenge": (await request.json())["challenge"]})
        self.requests.append((dict(request.headers), body))
        if self.hang:
            await asyncio.sleep(60)
        return web.Response(status=self.status, headers=self.headers)

    @asynccontextmanager
    async def serve(self, http: aiohttp.ClientSession) -> AsyncIterator[People]:
        """Serve, with a workspace that delivers here."""
        listener, url = kit.listen()
        application = web.Application()
        application.router.add_post("/slack/events", self.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        try:
            async with Workspace(kit.settings(request_url=url)) as workspace:
                await workspace.verified()
                yield People(workspace, http)
        finally:
            await runner.cleanup()


async def test_every_request_is_signed_and_in_its_shape(http: aiohttp.ClientSession) -> None:
    app = Listener()
    async with app.serve(http) as people:
        await people.say("@probe hi")
        await people.did("command", channel="general", text="/probe x")
        await people.did("shortcut", callback_id="begin")
        await until(lambda: len(app.requests) == 4)
        verifier = SignatureVerifier(people.workspace.signing_secret)
        for headers, body in app.requests:
            assert verifier.is_valid(body, headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"])
        kinds = [headers["Content-Type"] for headers, _ in app.requests]
        assert kinds == ["application/json"] * 2 + ["application/x-www-form-urlencoded"] * 2
        assert app.requests[2][1].startswith(b"token=")
        assert app.requests[3][1].startswith(b"payload=%7B")


async def test_a_failed_event_comes_again_at_once_then_after_one_and_five_minutes(http: aiohttp.ClientSession) -> None:
    app = Listener()
    app.status = 500
    async with app.serve(http) as people:
        await people.say("x")
        await until(lambda: len(app.requests) == 2)
        await people.advance(59)
        await asyncio.sleep(0.05)
        assert len(app.requests) == 2
        await people.advance(1)
        await until(lambda: len(app.requests) == 3)
        await people.advance(300)
        await until(lambda: len(app.requests) == 4)
        await people.advance(3600)
        await asyncio.sleep(0.05)
        retries = [(h.get("X-Slack-Retry-Num"), h.get("X-Slack-Retry-Reason")) for h, _ in app.requests]
        assert retries == [(None, None), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
        assert len({body for _, body in app.requests}) == 1


async def test_an_app_can_ask_for_no_retry(http: aiohttp.ClientSession) -> None:
    app = Listener()
    app.status, app.headers = 500, {"X-Slack-No-Retry": "1"}
    async with app.serve(http) as people:
        await people.say("x")
        await until(lambda: app.requests)
        await people.advance(3600)
        await asyncio.sleep(0.05)
        assert len(app.requests) == 1


async def test_silence_of_three_seconds_is_a_timeout(http: aiohttp.ClientSession) -> None:
    app = Listener()
    app.hang = True
    async with app.serve(http) as people:
        await people.say("x")
        await until(lambda: app.requests)
        app.hang = False
        await people.advance(3)
        await until(lambda: len(app.requests) == 2)
        assert app.requests[1][0]["X-Slack-Retry-Reason"] == "http_timeout"


async def test_a_failed_command_is_not_sent_again(http: aiohttp.ClientSession) -> None:
    app = Listener()
    app.status = 500
    async with app.serve(http) as people:
        answer = await people.do("command", channel="general", text="/probe x")
        assert answer["message"] == '/probe failed with the error "dispatch_failed"'
        await people.advance(3600)
        await asyncio.sleep(0.05)
        assert len(app.requests) == 1


async def test_nothing_is_sent_to_a_url_that_has_not_proven_itself(http: aiohttp.ClientSession) -> None:
    listener, url = kit.listen()
    async with Workspace(kit.settings(request_url=url)) as workspace:
        people, app = People(workspace, http), App(workspace)
        app.hears("message")
        await people.say("early")
        assert (await people.do("command", channel="general", text="/probe"))["reason"] == "connection_failed"
        async with kit.over_http(listener, app):
            assert (await app.hear("message"))["text"] == "early"
            await workspace.verified()
        listener.close()


async def test_an_event_is_lost_to_nobody_when_the_ack_is(connect: Connect) -> None:
    people, app = await connect(lambda app: app.hears("message"))
    await people.did("deliveries", kind="lose_ack", type="events_api")
    await people.say("x")
    await app.hear("message")
    await people.advance(3)
    await until(lambda: len(app.heard) == 2)
    assert app.heard[0]["event_id"] == app.heard[1]["event_id"]
    assert len(await people.log("envelope", attempt=1)) == 1


async def test_a_delivery_can_come_twice_late_or_out_of_order(connect: Connect) -> None:
    people, app = await connect(lambda app: app.hears("message"))
    await people.did("deliveries", kind="duplicate", type="events_api")
    await people.say("twice")
    await until(lambda: len(app.heard) == 2)
    assert app.heard[0]["event_id"] == app.heard[1]["event_id"]
    app.heard.clear()
    await people.did("deliveries", kind="reorder", type="events_api")
    await people.say("first")
    await people.say("second")
    await until(lambda: len(app.heard) == 2)
    assert [body["event"]["text"] for body in app.heard] == ["second", "first"]
    await people.did("deliveries", kind="delay", type="events_api", seconds=30)
    await people.say("late")
    await asyncio.sleep(0.05)
    assert app.events("message", text="late") == []
    await people.advance(30)
    await app.hear("message", text="late")


async def link(workspace: Workspace, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    """Open one bare connection and return it after its hello."""
    url = (await client_of(workspace).apps_connections_open(app_token=workspace.app_token))["url"]
    socket = await http.ws_connect(url)
    assert (await socket.receive_json(timeout=5))["type"] == "hello"
    return socket


async def test_a_ticket_is_good_once(workspace: Workspace, http: aiohttp.ClientSession) -> None:
    url = (await client_of(workspace).apps_connections_open(app_token=workspace.app_token))["url"]
    assert url.startswith(f"{workspace.url.replace('http', 'ws')}/link/?ticket=")
    async with http.ws_connect(url) as socket:
        hello = await socket.receive_json()
        assert (hello["num_connections"], hello["connection_info"]["app_id"]) == (1, workspace.app_id)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(url)


async def test_envelopes_go_round_and_the_eleventh_connection_is_sent_away(
    workspace: Workspace, http: aiohttp.ClientSession, people: People
) -> None:
    sockets = [await link(workspace, http) for _ in range(10)]
    url = (await client_of(workspace).apps_connections_open(app_token=workspace.app_token))["url"]
    async with http.ws_connect(url) as eleventh:
        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
    for number in range(10):
        await people.say(f"message {number}")
    told = []
    for socket in sockets:
        envelope = await socket.receive_json(timeout=5)
        await socket.send_json({"envelope_id": envelope["envelope_id"]})
        assert (envelope["type"], envelope["accepts_response_payload"]) == ("events_api", False)
        told.append(envelope["payload"]["event"]["text"])
    assert told == [f"message {number}" for number in range(10)]
    for socket in sockets:
        await socket.close()
    await until(lambda: workspace.connections == 0)


async def test_a_retry_over_a_socket_is_a_new_envelope_of_the_same_event(
    workspace: Workspace, http: aiohttp.ClientSession, people: People
) -> None:
    socket = await link(workspace, http)
    await people.say("x")
    first = await socket.receive_json(timeout=5)
    await people.advance(3)
    second = await socket.receive_json(timeout=5)
    assert "retry_attempt" not in first
    assert (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")
    assert first["envelope_id"] != second["envelope_id"]
    assert first["payload"]["event_id"] == second["payload"]["event_id"]
    await socket.send_json({"envelope_id": first["envelope_id"]})
    await socket.send_str("not json")
    await socket.send_json({"envelope_id": second["envelope_id"]})
    await kit.eventually(lambda: entries(people, "ack", attempt=1), 1)
    assert await entries(people, "ack", late=True) == 1
    await socket.close()


async def entries(people: People, kind: str, **facts: Any) -> int:
    return len(await people.log(kind, **facts))


async def test_pings_are_answered(workspace: Workspace, http: aiohttp.ClientSession) -> None:
    url = (await client_of(workspace).apps_connections_open(app_token=workspace.app_token))["url"]
    async with http.ws_connect(url, autoping=False) as socket:
        await socket.receive_json()
        await socket.ping(b"sdk-ping-pong:1.5")
        pong = await socket.receive(timeout=5)
        assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1.5")


async def test_a_ghost_swallows_every_other_click(
    workspace: Workspace, http: aiohttp.ClientSession, people: People
) -> None:
    app = App(workspace)

    @app.bolt.shortcut("begin")
    async def begin(ack: Any) -> None:
        await ack()

    async with kit.over_socket(workspace, app):
        await until(lambda: workspace.connections)
        await people.did("sockets", kind="ghost")
        assert (await people.do("shortcut", callback_id="begin"))["ok"]
        assert (await people.late("shortcut", callback_id="begin"))["error"] == "operation_timeout"
        await people.did("reset")
        for _ in range(2):
            await people.did("shortcut", callback_id="begin")


@pytest.mark.parametrize("kind", ["refresh", "drop"])
async def test_an_app_comes_back_after_its_connection_ends(workspace: Workspace, people: People, kind: str) -> None:
    app = App(workspace)
    app.hears("message")
    async with kit.over_socket(workspace, app):
        await until(lambda: workspace.connections)
        await people.did("sockets", kind=kind)
        await until(lambda: workspace.connections, "a new connection")
        await people.say("still there?")
        await app.hear("message")


async def test_a_warning_ends_in_a_refresh(workspace: Workspace, http: aiohttp.ClientSession, people: People) -> None:
    socket = await link(workspace, http)
    await people.did("sockets", kind="warning")
    assert (await socket.receive_json(timeout=5))["reason"] == "warning"
    assert workspace.connections == 1
    await people.advance(10)
    assert (await socket.receive_json(timeout=5))["reason"] == "refresh_requested"
    await until(lambda: workspace.connections == 0)
    assert (await people.do("sockets", kind="nonsense"))["error"] == "invalid_kind"


async def test_a_refreshed_connection_may_still_acknowledge(
    workspace: Workspace, http: aiohttp.ClientSession, people: People
) -> None:
    socket = await link(workspace, http)
    await people.say("x")
    envelope = await socket.receive_json(timeout=5)
    await people.did("sockets", kind="refresh")
    assert (await socket.receive_json(timeout=5))["reason"] == "refresh_requested"
    assert workspace.connections == 0
    await socket.send_json({"envelope_id": envelope["envelope_id"]})
    await kit.eventually(lambda: entries(people, "ack", reason="", attempt=0), 1)
    await people.advance(10)
    assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


async def test_a_disabled_link_is_closed_at_once(
    workspace: Workspace, http: aiohttp.ClientSession, people: People
) -> None:
    socket = await link(workspace, http)
    closing = asyncio.ensure_future(people.did("sockets", kind="link_disabled"))
    assert (await socket.receive_json(timeout=5))["reason"] == "link_disabled"
    assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
    assert (await closing)["connections"] == 0


async def test_without_a_connection_commands_fail_and_events_wait_for_their_retries(
    workspace: Workspace, people: People
) -> None:
    await people.say("x")
    answer = await people.do("command", channel="general", text="/probe")
    assert (answer["reason"], answer["error"]) == ("connection_failed", "dispatch_failed")
    app = App(workspace)
    app.hears("message")
    async with kit.over_socket(workspace, app):
        await people.advance(60)
        await app.hear("message", text="x")
