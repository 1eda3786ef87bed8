"""Who may call what, and how often."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import TEAM_NAME, Ids, Workspace
from workspace import kit
from workspace.kit import GENERAL, People, client_of, error_of, refused


async def test_the_team_says_that_it_is_not_slack(client: AsyncWebClient, workspace: Workspace) -> None:
    answer = await client.auth_test()
    assert answer["team"] == TEAM_NAME == "Sysop dev (local stand-in, not Slack)"
    assert answer["user_id"] == workspace.bot_user_id
    assert answer["bot_id"] == workspace.bot_id
    assert answer["team_id"] == workspace.team_id
    assert "chat:write" in answer.headers["x-oauth-scopes"]


async def test_identity_is_told_by_every_method_that_has_it(client: AsyncWebClient, workspace: Workspace) -> None:
    assert (await client.team_info())["team"]["name"] == TEAM_NAME
    assert (await client.bots_info(bot=workspace.bot_id))["bot"]["app_id"] == workspace.app_id
    assert await error_of(client.bots_info(bot="B0NOBODY")) == "bot_not_found"


async def test_a_call_says_back_what_it_was_sent(client: AsyncWebClient) -> None:
    assert (await client.api_test(foo="bar"))["args"]["foo"] == "bar"
    assert await error_of(client.api_test(error="my_error")) == "my_error"


@pytest.mark.parametrize(
    ("token", "error"),
    [("xoxb-guess", "invalid_auth"), ("xapp-guess", "invalid_auth"), ("", "not_authed")],
)
async def test_a_wrong_token_is_refused(
    workspace: Workspace, http: aiohttp.ClientSession, token: str, error: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.post(workspace.api_url + "auth.test", headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (200, error)


async def test_each_token_opens_its_own_methods_only(workspace: Workspace) -> None:
    bot, app = client_of(workspace), client_of(workspace, workspace.app_token)
    assert await error_of(app.auth_test()) == "not_allowed_token_type"
    assert await error_of(bot.apps_connections_open(app_token=workspace.bot_token)) == "not_allowed_token_type"


async def test_a_token_may_come_as_an_argument(workspace: Workspace, http: aiohttp.ClientSession) -> None:
    async with http.post(workspace.api_url + "auth.test", data={"token": workspace.bot_token}) as response:
        assert (await response.json())["ok"]
    async with http.get(workspace.api_url + "api.test", params={"token": workspace.bot_token}) as response:
        assert workspace.bot_token not in await response.text()


async def test_a_method_that_is_not_there_is_unknown(client: AsyncWebClient) -> None:
    assert await error_of(client.api_call("chat.teleport")) == "unknown_method"


async def test_a_scope_the_manifest_lacks_is_named(client: AsyncWebClient) -> None:
    error = await refused(client.users_lookupByEmail(email="lead@workspace.example"))
    assert error.response["error"] == "missing_scope"
    assert error.response["needed"] == "users:read.email"
    assert error.response["provided"].split(",") == sorted(kit.SCOPES)


async def test_a_revoked_scope_is_gone_until_reset(client: AsyncWebClient, people: People) -> None:
    await people.did("revoke", scope="chat:write")
    assert await error_of(client.chat_postMessage(channel="general", text="x")) == "missing_scope"
    await people.did("reset")
    await client.chat_postMessage(channel="general", text="x")


async def test_a_revoked_token_opens_nothing(client: AsyncWebClient, people: People) -> None:
    await people.did("revoke", token=True)
    assert await error_of(client.auth_test()) == "token_revoked"


async def test_a_scope_follows_the_kind_of_channel(http: aiohttp.ClientSession) -> None:
    def fewer(text: kit.Json) -> None:
        text["oauth_config"]["scopes"]["bot"] = ["channels:history", "channels:read", "chat:write", "im:write"]

    async with Workspace(kit.settings(app=kit.manifest(fewer))) as workspace:
        client = client_of(workspace)
        await client.conversations_history(channel=GENERAL)
        dm = (await client.conversations_open(users=workspace.users["lead"]))["channel"]["id"]
        error = await refused(client.conversations_history(channel=dm))
        assert (error.response["error"], error.response["needed"]) == ("missing_scope", "im:history")
        assert await error_of(client.conversations_list(types="im")) == "missing_scope"


async def test_a_method_called_too_often_says_when_to_come_back(client: AsyncWebClient, people: People) -> None:
    await people.did("clock", scale=0)
    for _ in range(20):
        await client.conversations_list()
    error = await refused(client.conversations_list())
    assert (error.response.status_code, error.response["error"]) == (429, "ratelimited")
    assert error.response.headers["Retry-After"] == "3"
    await client.conversations_info(channel=GENERAL)
    await people.advance(3)
    await client.conversations_list()


async def test_posting_is_limited_by_channel(client: AsyncWebClient, people: People) -> None:
    await people.did("clock", scale=0)
    for _ in range(5):
        await client.chat_postMessage(channel="general", text="x")
    assert (await refused(client.chat_postMessage(channel="general", text="x"))).response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel="shop", text="x")
    await people.advance(1)
    await client.chat_postMessage(channel="general", text="x")


def test_the_same_seed_gives_the_same_ids_and_never_the_same_secrets() -> None:
    first, second = (Workspace(kit.settings(ids=Ids(7))) for _ in range(2))
    assert (first.users, first.channels) == (second.users, second.channels)
    assert first.users != Workspace(kit.settings(ids=Ids(8))).users
    assert first.bot_token != second.bot_token
    assert first.signing_secret != second.signing_secret
