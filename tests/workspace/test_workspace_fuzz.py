"""Arguments nobody would send: every method answers in Slack's words, never with a failure of its own."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest

from sysop.workspace import Workspace
from sysop.workspace.control.routes import HANDLERS
from sysop.workspace.methods import table
from workspace import kit
from workspace.kit import People

NAMES = [
    *(
        "channel",
        "channel_id",
        "ts",
        "thread_ts",
        "message_ts",
        "timestamp",
        "user",
        "user_id",
        "users",
        "text",
        "blocks",
    ),
    *("attachments", "metadata", "view", "view_id", "trigger_id", "external_id", "hash", "name", "title"),
    *("status", "types"),
    *(
        "prompts",
        "files",
        "filename",
        "length",
        "chunks",
        "markdown_text",
        "cursor",
        "limit",
        "oldest",
        "latest",
        "types",
    ),
    *("recipient_user_id", "recipient_team_id", "session_status", "loading_messages", "usergroup", "file", "bot"),
    *("email", "type", "link", "topic", "is_private", "initiator_user_id", "task_display_mode", "channels"),
]
ODD: list[Any] = [
    *(None, True, -1, 0, 10**30, 1.5, "", "x", "\x00", "\ud83d\ude00", "x" * 5000, "[", "{}", "[]", "null", "1,2"),
    *([], {}, [1], [None], [[]], [{}], {"type": "modal"}, {"type": 5}, [{"type": "section"}], [{"type": []}]),
    *(
        [{"type": "markdown_text"}],
        [{"type": "task_update", "id": 1}],
        {"event_type": 5},
        {"blocks": {}},
        "0.0",
        "9" * 400,
    ),
]
CALLS = 1500


async def test_odd_arguments_are_answered(http: aiohttp.ClientSession) -> None:
    chance = random.Random(20)
    wide = kit.manifest(lambda text: text["oauth_config"]["scopes"]["bot"].append("users:read.email"))
    async with Workspace(kit.settings(app=wide)) as workspace:
        people = People(workspace, http)
        root = await people.say("root")
        posted = await kit.client_of(workspace).chat_postMessage(channel="general", text="x")
        good = ["general", root, posted["ts"], workspace.users["lead"], workspace.channels["shop"], "active", "1"]
        await people.did("clock", scale=10_000)
        methods, seen = sorted(table()), dict[str, int]()
        for number in range(CALLS):
            method = methods[number % len(methods)]
            names = chance.sample(NAMES, chance.randrange(len(NAMES)))
            args = {name: chance.choice([*ODD, *good, *good]) for name in names}
            headers = {"Authorization": f"Bearer {workspace.bot_token}"}
            async with http.post(workspace.api_url + method, json=args, headers=headers) as response:
                assert response.status in (200, 429), (method, args)
                answer = await response.json()
                assert answer["ok"] is True or isinstance(answer["error"], str), (method, args)
                seen[answer.get("error", "ok")] = seen.get(answer.get("error", "ok"), 0) + 1
        assert seen["ok"] > 25
        assert len(seen) > 20


async def test_odd_wishes_of_people_are_answered(http: aiohttp.ClientSession) -> None:
    chance = random.Random(21)
    names = [*NAMES, "message_ts", "action_id", "block_id", "state", "value", "callback_id", "kind", "method", "times"]
    quiet = sorted(set(HANDLERS) - {"clock", "revoke", "sockets", "faults", "deliveries", "command", "shortcut"})
    async with Workspace(kit.settings()) as workspace:
        people = People(workspace, http)
        root = await people.say("root")
        for number in range(400):
            given = {name: chance.choice([*ODD, root, "general", "general"]) for name in chance.sample(names, 20)}
            user = chance.choice(["lead", "guest", "requester"])
            answer = await people.do(quiet[number % len(quiet)], **{**given, "user": user, "channel": "general"})
            assert answer["ok"] is True or isinstance(answer["error"], str)


BODIES = [
    *(
        ("application/json", body)
        for body in (b"{", b"[]", b"5", b"\xff", b"[" * 100_000, b'{"text": "\xff"}', b"\x00")
    ),
    *(
        ("application/x-www-form-urlencoded", body)
        for body in (b"\xff=\xff", b"text=%ff", b"&&&", b"blocks=" + b"[" * 50_000)
    ),
    *(("application/x-www-form-urlencoded; charset=nonsense", body) for body in (b"a=b",)),
    ("multipart/form-data", b"no boundary"),
    ("text/plain", b"hello"),
]


@pytest.mark.parametrize(("kind", "body"), BODIES, ids=range(len(BODIES)))
async def test_odd_bodies_are_answered(
    workspace: Workspace, http: aiohttp.ClientSession, kind: str, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {workspace.bot_token}", "Content-Type": kind}
    async with http.post(workspace.api_url + "chat.postMessage", data=body, headers=headers) as response:
        assert (response.status, (await response.json())["ok"]) == (200, False)
    headers = {"X-Workspace-Token": workspace.control_token, "Content-Type": kind}
    async with http.post(workspace.url + "/_control/message", data=body, headers=headers) as response:
        assert (response.status, (await response.json())["ok"]) == (400, False)


async def test_odd_tokens_are_refused(workspace: Workspace) -> None:
    port = int(workspace.url.rpartition(":")[2])
    for line in (b"X-Workspace-Token: \xff", b"Authorization: Bearer \xff"):
        path = b"/api/auth.test" if line.startswith(b"Auth") else b"/_control/state"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n" % port + line + b"\r\n\r\n"
        )
        answer = await reader.read()
        writer.close()
        assert b"invalid_auth" in answer or b"invalid_token" in answer
