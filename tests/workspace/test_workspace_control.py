"""The control API: who gets in, what pages are told, and trouble on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import Workspace
from workspace import kit
from workspace.kit import GENERAL, Json, People, client_of, error_of, refused, until


async def ask(http: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, Any]:
    async with http.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}) as response:
        return response.status, await response.text()


async def test_the_control_api_needs_its_token(workspace: Workspace, http: aiohttp.ClientSession) -> None:
    url = f"{workspace.url}/_control/state?user=lead"
    assert (await ask(http, url))[0] == 401
    assert (await ask(http, url, X_Workspace_Token="guess"))[0] == 401
    assert (await ask(http, url, X_Workspace_Token="gu€ss"))[0] == 401
    assert (await ask(http, url, Authorization=f"Bearer {workspace.bot_token}"))[0] == 401
    assert (await ask(http, url, X_Workspace_Token=workspace.control_token))[0] == 200
    assert (await ask(http, f"{url}&token={workspace.control_token}"))[0] == 200
    assert (await ask(http, f"{url}&token={Workspace(kit.settings()).control_token}"))[0] == 401


async def test_other_names_for_this_machine_and_other_pages_are_refused(
    workspace: Workspace, http: aiohttp.ClientSession
) -> None:
    url, token = f"{workspace.url}/_control/state?user=lead", workspace.control_token
    port = workspace.url.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil.example"):
        assert (await ask(http, url, Host=host, X_Workspace_Token=token))[0] == 403
        assert (await ask(http, workspace.api_url + "api.test", Host=host))[0] == 403
    assert (await ask(http, url, Host=f"localhost:{port}", X_Workspace_Token=token))[0] == 200
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1"):
        assert (await ask(http, url, Origin=origin, X_Workspace_Token=token))[0] == 403
        assert (await ask(http, workspace.api_url + "api.test", Origin=origin))[0] == 403
    assert (await ask(http, url, Origin=workspace.url, X_Workspace_Token=token))[0] == 200


async def test_the_workspace_listens_at_one_address_only(workspace: Workspace) -> None:
    port = int(workspace.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.2", port)


async def test_the_page_opens_with_the_token_and_reloads_without(
    workspace: Workspace, http: aiohttp.ClientSession
) -> None:
    assert (await ask(http, workspace.url + "/"))[0] == 401
    assert (await ask(http, workspace.url + "/?token=guess"))[0] == 401
    async with http.get(workspace.page_url) as response:
        assert response.status in (200, 404)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if response.status == 200:
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert workspace.control_token not in cookie
            name, _, value = cookie.partition(";")[0].partition("=")
            assert (await ask(http, workspace.url + "/", Cookie=f"{name}={value}"))[0] == 200
            state = f"{workspace.url}/_control/state?user=lead"
            assert (await ask(http, state, Cookie=f"{name}={value}"))[0] == 401


@pytest.mark.parametrize(
    "name", ["nothing.js", "index.html", "__init__.py", "..%2fserver.py", "%2e%2e%2fserver.py", "a.js.py"]
)
async def test_only_styles_and_modules_are_served(workspace: Workspace, http: aiohttp.ClientSession, name: str) -> None:
    assert (await ask(http, f"{workspace.url}/{name}"))[0] == 404


async def test_no_token_is_ever_logged(workspace: Workspace, people: People, http: aiohttp.ClientSession) -> None:
    client = client_of(workspace)
    await client.chat_postMessage(channel="general", text=f"my token is {workspace.bot_token}")
    await client.apps_connections_open(app_token=workspace.app_token)
    await client.api_call("api.test", params={"token": workspace.bot_token})
    await client.files_getUploadURLExternal(filename="a", length=1)
    await people.do("command", channel="general", text="/probe")
    log = json.dumps((await people.see("log"))["entries"])
    world_secrets = (workspace.bot_token, workspace.app_token, workspace.signing_secret, workspace.control_token)
    for secret in world_secrets:
        assert secret not in log
    assert "ticket=\\u2026" in log
    assert "/hooks/\\u2026" in log
    assert "/upload/\\u2026" in log


async def test_the_state_is_what_one_person_sees(client: AsyncWebClient, people: People) -> None:
    await client.chat_postMessage(channel="shop", text="x")
    state = await people.see("state", "external")
    assert state["stand_in"] is True
    assert [(c["name"], c["kind"], c["unread"]) for c in state["channels"]] == [
        ("shop", "channel", 1),
        ("Probe", "dm", 0),
    ]
    roles = {user["name"]: user["roles"] for user in state["users"]}
    assert (roles["on-call"], roles["lead"], roles["requester"]) == (["oncall"], ["leads"], [])
    assert state["app"]["commands"][0]["usage_hint"] == "words"
    assert state["app"]["shortcuts"][1]["callback_id"] == "begin"
    assert state["app"]["suggested_prompts"] == [{"title": "What now?", "message": "What is going on?"}]
    await people.messages("shop", "external")
    assert (await people.see("state", "external"))["channels"][0]["unread"] == 0


class Page:
    """A page that listens."""

    def __init__(self) -> None:
        self.changes: list[Json] = []

    def of(self, kind: str) -> list[Json]:
        return [change for change in self.changes if change["type"] == kind]


@asynccontextmanager
async def page(people: People, http: aiohttp.ClientSession, user: str, **query: str) -> AsyncIterator[Page]:
    """Listen to what a page is told."""
    workspace, seen = people.workspace, Page()
    params = {"user": user, "token": workspace.control_token, **query}
    async with http.get(f"{workspace.url}/_control/events", params=params) as response:
        assert response.content_type == "text/event-stream"
        assert (await response.content.readline()).startswith(b":")

        async def read() -> None:
            async for line in response.content:
                if line.startswith(b"data: "):
                    seen.changes.append(json.loads(line[6:]))

        reading = asyncio.ensure_future(read())
        try:
            yield seen
        finally:
            reading.cancel()


async def test_pages_are_told_of_every_change_they_may_see(
    client: AsyncWebClient, people: People, http: aiohttp.ClientSession
) -> None:
    users = people.workspace.users
    async with page(people, http, "lead") as lead, page(people, http, "external") as external:
        ts = await people.say("hello")
        await people.did("edit", channel="general", ts=ts, text="hello!")
        await people.did("reaction", channel="general", message_ts=ts, name="eyes")
        await client.chat_postEphemeral(channel="general", user=users["lead"], text="psst")
        thread = {"channel_id": people.workspace.channels["general"], "thread_ts": ts}
        await client.agents_sessions_setStatus(**thread, status="processing", title="T")
        where = {"recipient_user_id": users["lead"], "recipient_team_id": people.workspace.team_id}
        stream = await client.chat_startStream(channel=GENERAL, thread_ts=ts, markdown_text="a", **where)
        await client.chat_appendStream(channel=stream["channel"], ts=stream["ts"], markdown_text="b")
        await client.views_publish(user_id=users["lead"], view={"type": "home", "blocks": [{"type": "divider"}]})
        await people.say("not for strangers", channel="general")
        await people.say("for strangers", channel="shop")
        await until(lambda: any(c["message"]["text"] == "for strangers" for c in lead.of("message")))
        assert [change["type"] for change in external.changes] == ["message"]
        assert external.changes[0]["message"]["text"] == "for strangers"
        assert lead.of("ephemeral")[0]["message"]["text"] == "psst"
        assert lead.of("reaction")[0]["reactions"] == [{"name": "eyes", "users": [users["requester"]], "count": 1}]
        assert [c["status"] for c in lead.of("session")] == ["processing", "processing"]
        assert lead.of("stream")[-1]["message"]["stream"]["text"] == "ab"
        assert lead.of("home")[0]["view"]["type"] == "home"
        numbers = [change["n"] for change in lead.changes]
        assert numbers == sorted(set(numbers))


async def test_a_page_that_comes_back_is_told_what_it_missed(people: People, http: aiohttp.ClientSession) -> None:
    async with page(people, http, "lead") as first:
        await people.say("one")
        await until(lambda: first.of("message"))
    last = first.changes[-1]["n"]
    await people.say("two")
    async with page(people, http, "lead", after=str(last)) as again:
        await until(lambda: again.of("message"))
        assert [change["message"]["text"] for change in again.changes] == ["two"]
    assert (await people.see("events", "nobody"))["error"] == "user_not_found"
    assert (await people.see("events", "lead", after="x"))["error"] == "invalid_arguments"


async def test_a_failed_command_is_a_toast(people: People, http: aiohttp.ClientSession) -> None:
    async with page(people, http, "requester") as seen, page(people, http, "lead") as other:
        await people.do("command", channel="general", text="/probe")
        await until(lambda: seen.of("toast"))
        assert seen.of("toast")[0]["text"] == '/probe failed with the error "dispatch_failed"'
        assert other.of("toast") == []


async def test_a_fault_comes_as_often_as_asked_for(client: AsyncWebClient, people: People) -> None:
    await people.did("faults", method="chat.postMessage", kind="429", times=2, retry_after=7)
    for _ in range(2):
        error = await refused(client.chat_postMessage(channel="general", text="x"))
        assert error.response.headers["Retry-After"] == "7"
    await client.chat_postMessage(channel="general", text="through")
    await people.did("faults", method="*", kind="error", error="fatal_error")
    assert await error_of(client.auth_test()) == "fatal_error"
    await people.did("faults", method="auth.test", kind="500")
    assert (await refused(client.auth_test())).response.status_code == 500
    assert (await people.do("faults", method="x", kind="nonsense"))["error"] == "invalid_kind"
    assert (await people.do("faults", method="x", kind="500", times=0))["error"] == "invalid_times"
    assert (await people.do("faults", method="x", kind="500", times="many"))["error"] == "invalid_arguments"


@pytest.mark.parametrize(("kind", "applied"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_call_was_applied_or_was_not(
    client: AsyncWebClient, people: People, kind: str, applied: int
) -> None:
    await people.did("faults", method="chat.postMessage", kind=kind)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.chat_postMessage(channel="general", text="x")
    assert len(await people.messages()) == applied
    await client.chat_postMessage(channel="general", text="x")


async def test_a_hanging_call_is_applied_late(client: AsyncWebClient, people: People) -> None:
    await people.did("faults", method="chat.postMessage", kind="hang", seconds=20)
    posting = asyncio.ensure_future(client.chat_postMessage(channel="general", text="x"))
    await kit.eventually(lambda: faults_seen(people), 1)
    assert await people.messages() == []
    await people.advance(20)
    assert (await posting)["ok"]


async def faults_seen(people: People) -> int:
    return len(await people.log("fault"))


async def test_the_clock_can_be_moved_and_never_goes_back(client: AsyncWebClient, people: People) -> None:
    before = (await people.did("clock", scale=0))["now"]
    assert (await people.did("clock"))["now"] == before
    assert (await people.did("clock", advance=10))["now"] == before + 10
    posted = await client.chat_postMessage(channel="general", text="x")
    assert float(posted["ts"]) == pytest.approx(before + 10, abs=0.001)
    await people.did("reset")
    assert (await people.did("clock"))["now"] >= before + 10
    assert (await people.do("clock", advance=-1))["error"] == "invalid_arguments"


async def test_nonsense_is_answered_and_never_breaks(people: People, http: aiohttp.ClientSession) -> None:
    workspace = people.workspace
    assert (await people.do("teleport"))["error"] == "unknown_act"
    assert (await people.do("message", channel="general", text=5))["error"] == "invalid_arguments"
    assert (await people.do("message", channel="general", text=""))["error"] == "no_text"
    assert (await people.do("message", "nobody", channel="general", text="x"))["error"] == "user_not_found"
    for body in (b"{", b"[]", b"\xff"):
        headers = {"X-Workspace-Token": workspace.control_token, "Content-Type": "application/json"}
        async with http.post(f"{workspace.url}/_control/message", data=body, headers=headers) as response:
            assert (response.status, (await response.json())["error"]) == (400, "invalid_json")


async def test_a_person_writes_as_slack_stores_it(people: People) -> None:
    users, channels = people.workspace.users, people.workspace.channels
    await people.say(
        "@on-call, @oncall: see #shop & <b> at https://example.com/?a=1&b=2. @here mail@lead.io <@U0NOBODY>"
    )
    text = (await people.last())["text"]
    group = people.workspace.groups["oncall"]
    assert text == (
        f"<@{users['on-call']}>, <!subteam^{group}>: see <#{channels['shop']}> &amp; &lt;b&gt; at "
        "<https://example.com/?a=1&amp;b=2>. <!here> mail@lead.io &lt;@U0NOBODY&gt;"
    )
    await people.say(text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert (await people.last())["text"].startswith(f"<@{users['on-call']}>, <!subteam^{group}>")
