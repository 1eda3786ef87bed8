"""Several workspaces: each installs Sysop in a browser, its token is kept here and forgotten when revoked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import aiohttp
import in_kit
import pytest
from aiohttp import web

import bench
from sysop.app import App
from sysop.errors import InvalidRequest, SettingsError, StoreUnavailable
from sysop.sections import SlackRole, SlackSettings
from sysop.store import inbox, members
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.directory import Directory
from sysop.surfaces.slack.installations import PER_MINUTE, SCOPES, Door, Oauth

# What Slack's SDK calls to send client id and secret; a newer one will do it another way.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

CLIENT, SECRET = "111.222", "abcdef0123456789"
REDIRECT = "https://sysop.example/slack/oauth_redirect"

SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@dataclass
class Slack:
    """The two methods of Slack that an installation needs, as strict as Slack: codes work once, tokens name a team."""

    codes: dict[str, str] = field(
        default_factory=lambda: {"code-1": "T1", "code-2": "T2", "code-3": "T1", "code-9": "T9"}
    )
    tokens: dict[str, str] = field(default_factory=dict)

    async def access(self, request: web.Request) -> web.Response:
        form = await request.post()
        basic = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ") or "Og==").decode()
        if basic != f"{CLIENT}:{SECRET}" and (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return web.json_response({"ok": False, "error": "bad_client_secret"})
        team = self.codes.pop(str(form.get("code")), None)
        if team is None or form.get("redirect_uri") != REDIRECT:
            return web.json_response({"ok": False, "error": "invalid_code"})
        token = f"xoxb-{team}-{len(self.codes)}"
        self.tokens[token] = team
        said = {"ok": True, "app_id": "A1", "authed_user": {"id": "U9"}, "scope": ",".join(SCOPES), "token_type": "bot"}
        bot = {"access_token": token, "bot_user_id": f"U{team}", "team": {"id": team, "name": f"Team {team}"}}
        return web.json_response({**said, **bot, "enterprise": None, "is_enterprise_install": False})

    async def test(self, request: web.Request) -> web.Response:
        team = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if team is None:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        said = {"ok": True, "url": "https://x.slack.com/", "team": team, "team_id": team, "user": "sysop"}
        return web.json_response({**said, "user_id": f"U{team}", "bot_id": f"B{team}"})

    async def user(self, request: web.Request) -> web.Response:
        team = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        form = await request.post()
        user = str(form.get("user") or request.query.get("user"))
        return web.json_response({"ok": True, "user": {"id": user, "team_id": team, "real_name": user}})


@dataclass
class Site:
    """Sysop with OAuth switched on, and a browser."""

    app: App
    slack: Slack
    address: str
    http: aiohttp.ClientSession

    @property
    def clients(self) -> Clients:
        running: Any = self.app.chat._surface._running  # type: ignore[union-attr]
        found: Clients = running.clients
        return found

    async def begin(self) -> tuple[str, str]:
        """Open the page of the installation; return Slack's address and its cookie."""
        async with self.http.get(f"{self.address}/slack/install", allow_redirects=False) as answer:
            assert answer.status == 200
            found = re.search(r'href="(https://slack\.com/oauth/v2/authorize[^"]+)"', await answer.text())
            assert found
            return found[1].replace("&amp;", "&"), answer.headers["Set-Cookie"].partition(";")[0]

    async def come_back(self, code: str, state: str, cookie: str) -> int:
        url = f"{self.address}/slack/oauth_redirect"
        headers = {"Cookie": cookie}
        async with self.http.get(url, params={"code": code, "state": state}, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def deliver(self, team: str, id: str) -> int:
        """Send what Slack would, signed as Slack signs it."""
        said = {"type": "app_mention", "user": "U5", "channel": "C1", "ts": "1.1", "text": "hi"}
        body = json.dumps({"type": "event_callback", "team_id": team, "event_id": id, "event": said})
        stamp = str(int(time.time()))
        signed = hmac.new(b"s" * 32, f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={signed}"}
        headers["content-type"] = "application/json"
        async with self.http.post(f"{self.address}/slack/events", data=body, headers=headers) as answer:
            return answer.status

    async def states(self) -> int:
        running: Any = self.app.chat._surface._running  # type: ignore[union-attr]
        oauth: Oauth = running.oauth
        return len(await oauth._read(oauth._states.oauth_states.select()))

    async def install(self, code: str) -> int:
        where, cookie = await self.begin()
        return await self.come_back(code, parse_qs(urlparse(where).query)["state"][0], cookie)


@pytest.fixture
async def site(tmp_path: Path, url: str) -> AsyncIterator[Site]:
    slack = Slack()
    fake = web.Application()
    fake.add_routes([web.post("/api/oauth.v2.access", slack.access), web.post("/api/auth.test", slack.test)])
    fake.add_routes([web.route("*", "/api/users.info", slack.user)])
    runner = web.AppRunner(fake, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    for name, value in (("signing_secret", "s" * 32), ("client_secret", SECRET)):
        (tmp_path / name).write_text(value)
    section = {
        "mode": "http",
        "signing_secret": f"file:{tmp_path / 'signing_secret'}",
        "api_url": f"http://127.0.0.1:{port}/api/",
        "oauth": {
            "teams": ["T1", "T2"],
            "client_id": CLIENT,
            "client_secret": f"file:{tmp_path / 'client_secret'}",
            "redirect_url": REDIRECT,
        },
    }
    app = bench.build(tmp_path, url, slack=section)
    listener, address = in_kit.listen()
    server = in_kit.Server(app.webhooks(), listener)
    await server.start()
    await app.chat.start()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Site(app, slack, address.removesuffix("/slack/events"), http)
    await app.chat.stop()
    await server.stop()
    await app.close()
    await runner.cleanup()


async def test_two_workspaces_install_and_each_has_its_own_token(site: Site) -> None:
    where, _ = await site.begin()
    asked = parse_qs(urlparse(where).query)
    assert asked["client_id"] == [CLIENT]
    assert asked["redirect_uri"] == [REDIRECT]
    assert set(asked["scope"][0].split(",")) == set(SCOPES)
    assert await site.install("code-1") == 200
    assert await site.install("code-2") == 200
    one, two = await site.clients.at("T1"), await site.clients.at("T2")
    assert (one.identity.user, two.identity.user) == ("UT1", "UT2")
    assert one.token != two.token
    assert site.clients.teams == ("T1", "T2")
    with pytest.raises(InvalidRequest, match="workspace T3 has not installed Sysop"):
        await site.clients.at("T3")


async def test_what_is_installed_is_known_after_a_restart(site: Site) -> None:
    assert await site.install("code-1") == 200
    await site.app.chat.stop()
    await site.app.chat.start()
    assert site.clients.teams == ("T1",)


@SQLITE
async def test_a_workspace_that_installs_again_is_served_with_its_new_token(site: Site) -> None:
    assert await site.install("code-1") == 200
    old = (await site.clients.at("T1")).token
    assert await site.install("code-3") == 200
    site.clients._tested = float("-inf")
    await site.clients.retest()
    assert (await site.clients.at("T1")).token != old


async def test_a_workspace_that_takes_the_app_away_is_forgotten(site: Site) -> None:
    assert await site.install("code-1") == 200
    assert await site.install("code-2") == 200
    site.slack.tokens.pop((await site.clients.at("T1")).token)
    assert await site.clients.revoke("T1", "app_uninstalled")
    with pytest.raises(InvalidRequest):
        await site.clients.at("T1")
    assert (await site.clients.at("T2")).identity.team == "T2"
    await site.app.chat.stop()
    await site.app.chat.start()
    assert site.clients.teams == ("T2",)


@SQLITE
async def test_nobody_installs_without_a_state_of_ours_in_the_same_browser(site: Site) -> None:
    where, cookie = await site.begin()
    state = parse_qs(urlparse(where).query)["state"][0]
    assert await site.come_back("code-1", "made-up", cookie) == 400
    assert await site.come_back("code-1", state, "slack-app-oauth-state=other") == 400
    assert await site.come_back("code-1", state, cookie) == 200
    assert await site.come_back("code-2", state, cookie) in (400, 401), "a state works once"
    assert site.slack.codes.keys() == {"code-2", "code-3", "code-9"}
    assert await site.install("no-such-code") in (400, 401, 500)


@SQLITE
async def test_other_pages_there_are_none(site: Site) -> None:
    async with site.http.get(f"{site.address}/slack/other") as answer:
        assert answer.status == 404


async def test_a_database_that_fails_is_told_as_such(site: Site, tmp_path: Path) -> None:
    settings: SlackSettings = site.app.settings.slack
    oauth = await Oauth.open(settings, site.app.secrets.resolve, site.app.store)
    async with oauth._engine.begin() as connection:
        await connection.run_sync(oauth._kept.metadata.drop_all)
    with pytest.raises(StoreUnavailable, match="does not keep installations"):
        await oauth.teams()
    with pytest.raises(StoreUnavailable):
        await oauth.forget("T1", "xoxb-T1-0")
    await oauth.close()


@SQLITE
async def test_a_token_slack_does_not_take_any_more_serves_nobody(site: Site) -> None:
    assert await site.install("code-1") == 200
    site.slack.tokens.clear()
    with pytest.raises(SettingsError, match="does not take this token"):
        await site.clients.at("T1")


# -- which workspaces ------------------------------------------------------------------------------------------------


async def test_a_workspace_the_settings_do_not_name_is_neither_installed_nor_heard(site: Site) -> None:
    assert await site.install("code-9") == 403
    with pytest.raises(InvalidRequest, match="has not installed"):
        await site.clients.at("T9")
    assert await site.install("code-1") == 200
    assert await site.deliver("T9", "Ev9") == 403
    assert await site.app.store.read(inbox.counts) == {}
    assert await site.deliver("T1", "Ev1") == 200
    assert sum((await site.app.store.read(inbox.counts)).values()) == 1


async def test_a_workspace_that_is_named_no_more_is_not_served_any_more(site: Site) -> None:
    assert await site.install("code-2") == 200
    settings: SlackSettings = site.app.settings.slack
    assert settings.oauth is not None
    alone = settings.oauth.model_copy(update={"teams": ("T1",)})
    oauth = await Oauth.open(settings.model_copy(update={"oauth": alone}), site.app.secrets.resolve, site.app.store)
    try:
        assert (list(await oauth.teams()), await oauth.token("T2")) == ([], None)
    finally:
        await oauth.close()


@SQLITE
async def test_only_the_people_at_home_have_roles(site: Site) -> None:
    assert await site.install("code-1") == 200
    assert await site.install("code-2") == 200
    directory = Directory(site.app.store, site.clients, site.app.people, {"approver": SlackRole(users=("U5",))})
    assert site.clients.home == "T1"
    assert site.app.settings.slack.home == "T1"
    assert (await directory.actor("T1", "U5")).roles == {"approver"}
    assert (await directory.actor("T2", "U5")).roles == frozenset()
    directory._ticked = float("-inf")
    await directory.tick()
    rows = {one.id: one.roles for one in await site.app.store.read(members.everybody)}
    assert rows == {"slack:T1.U5": ("approver",), "slack:T2.U5": ()}


@SQLITE
async def test_late_news_of_a_removal_do_not_remove_the_newer_installation(site: Site) -> None:
    assert await site.install("code-1") == 200
    old = (await site.clients.at("T1")).token
    site.slack.tokens.pop(old)
    assert await site.install("code-3") == 200
    assert not await site.clients.revoke("T1", "app_uninstalled")
    site.clients._tested = float("-inf")
    await site.clients.retest()
    new = (await site.clients.at("T1")).token
    assert new != old
    assert site.clients.revoked == {}
    site.slack.tokens.pop(new)
    assert await site.clients.revoke("T1", "app_uninstalled")
    with pytest.raises(InvalidRequest):  # nor is the older token one that could be used
        await site.clients.at("T1")


# -- the two pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "status"), [("install", 400), ("oauth_redirect", 400), ("other", 404)])
@SQLITE
async def test_bytes_that_are_no_text_are_answered(site: Site, page: str, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.address.rpartition(":")[2]))
    writer.write(
        b"GET /slack/" + page.encode() + b" HTTP/1.1\r\nHost: x\r\nX-Odd: \xff\xfe\r\nConnection: close\r\n\r\n"
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert int(answer.split()[1]) == status


@SQLITE
async def test_the_page_of_an_installation_is_shown_so_often_a_minute(site: Site) -> None:
    seen = []
    for _ in range(PER_MINUTE + 2):
        async with site.http.get(f"{site.address}/slack/install", allow_redirects=False) as answer:
            seen.append(answer.status)
    assert seen == [200] * PER_MINUTE + [429] * 2
    assert await site.states() == PER_MINUTE


def test_the_door_opens_again_a_little_at_a_time() -> None:
    now = 0.0
    door = Door(10, lambda: now)
    assert [door.opens() for _ in range(11)] == [True] * 10 + [False]
    now = 6.1
    assert [door.opens() for _ in range(2)] == [True, False]
    now = 1000.0
    assert [door.opens() for _ in range(11)] == [True] * 10 + [False]


async def test_installations_nobody_came_back_to_leave_nothing_behind(site: Site) -> None:
    await site.begin()
    running: Any = site.app.chat._surface._running  # type: ignore[union-attr]
    oauth: Oauth = running.oauth
    long_ago = datetime(2020, 1, 1)  # as the SDK stores it
    async with oauth._engine.begin() as connection:
        await connection.execute(oauth._states.oauth_states.update().values(expire_at=long_ago))
    await site.begin()
    assert await site.states() == 1


@pytest.mark.parametrize("teams", [[], ["t1"], ["T1", "X1"]])
def test_the_settings_name_workspaces_by_their_ids(teams: list[str]) -> None:
    oauth = {"client_id": CLIENT, "client_secret": "env:X", "redirect_url": REDIRECT, "teams": teams}
    with pytest.raises(ValueError, match="teams"):
        SlackSettings.model_validate({"mode": "http", "signing_secret": "env:Y", "oauth": oauth})
