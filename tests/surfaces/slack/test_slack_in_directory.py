"""Who counts: asked of Slack, never believed for longer than a minute; what cannot be asked counts for nobody."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import in_kit
import pytest
from aiohttp import web

import bench
from sysop.app import App
from sysop.model import Actor
from sysop.sections import Person, SlackRole
from sysop.store import members
from sysop.store import tables as t
from sysop.store.members import Member
from sysop.surfaces.slack import directory as module
from sysop.surfaces.slack.clients import Clients, SlackUnavailable
from sysop.surfaces.slack.directory import Directory, member_id, split_id
from sysop.workspace import AppManifest, Workspace, WorkspaceSettings

SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@dataclass
class Office:
    """A workspace and a directory of it."""

    workspace: Workspace
    app: App
    clients: Clients
    directory: Directory
    people: dict[str, Person]

    def user(self, name: str) -> str:
        return self.workspace.users[name]

    async def actor(self, name: str) -> Actor:
        return await self.directory.actor(self.workspace.team_id, self.user(name))

    async def row(self, name: str) -> Member | None:
        return await self.app.store.read(lambda conn: members.get(conn, self.id(name)))

    def id(self, name: str) -> str:
        return member_id(self.workspace.team_id, self.user(name))

    def group(self, name: str) -> Any:
        return self.workspace._world.people.groups[self.workspace.groups[name]]

    def account(self, name: str) -> Any:
        return self.workspace._world.people.get(self.user(name))

    async def fault(self, method: str, times: int = 100) -> None:
        headers = {"X-Workspace-Token": self.workspace.control_token}
        body = {"user": "lead", "method": method, "kind": "error", "error": "internal_error", "times": times}
        url = f"{self.workspace.url}/_control/faults"
        async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
            assert (await answer.json())["ok"]


@pytest.fixture
async def office(tmp_path: Path, url: str) -> AsyncIterator[Office]:
    async with Workspace(WorkspaceSettings(AppManifest.parse(in_kit.MANIFEST))) as workspace:
        section = in_kit.slack_section(workspace, tmp_path, "socket")
        people: dict[str, Person] = {}
        app = bench.build(tmp_path, url, slack=section, people=lambda: people)
        app.people._fresh_s = 0.0
        clients = Clients(workspace.api_url, token=workspace.bot_token, installations=None)
        await clients.meet()
        roles = {**app.settings.slack.roles, "driver": SlackRole(users=(workspace.users["requester"],))}
        directory = Directory(app.store, clients, app.people, roles)
        app.people.ask(directory.lookup)
        yield Office(workspace, app, clients, directory, people)
        await clients.close()
        await app.close()


async def test_roles_come_from_groups_and_from_users(office: Office) -> None:
    assert (await office.actor("on-call")).roles == {"approver"}
    assert (await office.actor("lead")).roles == {"approver"}
    asker = await office.actor("requester")
    assert (asker.roles, asker.human, asker.id) == ({"driver"}, True, office.id("requester"))


@pytest.mark.parametrize("mark", ["is_restricted", "is_bot", "deleted", "is_stranger"])
@SQLITE
async def test_who_is_no_full_member_never_counts(office: Office, mark: str) -> None:
    assert getattr(office.account("on-call"), mark) is False
    setattr(office.account("on-call"), mark, True)
    actor = await office.actor("on-call")
    assert (actor.human, actor.roles) == (False, frozenset())
    row = await office.row("on-call")
    assert row is not None
    assert (row.human, row.roles) == (False, ())


@pytest.mark.parametrize(
    ("said", "human", "external"),
    [
        ({"team_id": "T1"}, True, False),
        ({"team_id": "T1", "is_ultra_restricted": True}, False, False),
        ({"team_id": "T1", "is_workflow_bot": True}, False, False),
        ({"team_id": "T2"}, False, True),
        ({}, False, True),
        ({"team_id": "T1", "is_stranger": True}, False, True),
    ],
)
def test_what_slack_says_of_an_account_is_read_strictly(said: dict[str, Any], human: bool, external: bool) -> None:
    account = module._account("T1", "U1", said)
    assert (account.human, account.external) == (human, external)
    assert not module._account("T1", "USLACKBOT", said).human


@SQLITE
async def test_guest_and_stranger_of_the_demo_never_count(office: Office) -> None:
    office.group("oncall").users.extend([office.user("guest"), office.user("external")])
    for name in ("guest", "external"):
        assert (await office.actor(name)).human is False
    account = await office.directory.account(office.workspace.team_id, office.user("external"))
    assert account.external
    bot = await office.directory.account(office.workspace.team_id, office.workspace.bot_user_id)
    assert not bot.human


@SQLITE
async def test_an_account_acts_as_the_person_the_settings_name(office: Office) -> None:
    office.people["cat"] = Person(slack=office.user("lead"), roles=("boss",))
    actor = await office.actor("lead")
    assert (actor.id, actor.roles) == ("person:cat", {"approver", "boss"})
    office.people["dan"] = Person(slack=office.user("external"), roles=("boss",))
    stranger = await office.actor("external")
    assert stranger.id == office.id("external"), "nobody from outside is a person of ours"
    assert not stranger.human


@SQLITE
async def test_a_role_taken_away_is_gone_with_the_next_round(office: Office) -> None:
    assert (await office.actor("on-call")).roles == {"approver"}
    office.group("oncall").users.clear()
    assert (await office.actor("on-call")).roles == {"approver"}, "asked a moment ago"
    await office.directory.tick()
    await office.app.people.refresh()
    assert office.app.people.roles_of(office.id("on-call")) == frozenset()
    assert (await office.actor("on-call")).roles == frozenset()


@SQLITE
async def test_a_round_is_made_every_25_seconds_and_meets_who_holds_a_role(office: Office) -> None:
    assert await office.row("on-call") is None
    await office.directory.tick()
    row = await office.row("on-call")
    assert row is not None
    assert row.roles == ("approver",)
    assert set(office.app.people.holding(["approver"])) == set(), "what is held is read with the next refresh"
    await office.app.people.refresh()
    assert set(office.app.people.holding(["approver"])) >= {office.id("on-call"), office.id("lead")}
    office.group("oncall").users.clear()
    await office.directory.tick()
    again = await office.row("on-call")
    assert again is not None
    assert again.roles == ("approver",), "not yet due"


async def test_whoever_votes_in_an_open_approval_is_asked_about_in_every_round(office: Office) -> None:
    await office.actor("on-call")
    await _vote(office, office.id("on-call"))
    office.account("on-call").deleted = True
    office.directory._ticked = float("-inf")
    await office.directory.tick()
    row = await office.row("on-call")
    assert row is not None
    assert not row.human
    await office.app.people.refresh()
    assert office.app.people.roles_of(office.id("on-call")) == frozenset()


async def _vote(office: Office, actor: str) -> None:
    """Store an approved approval with this vote, as the gate would."""
    from sysop.model import Origin, Request
    from sysop.store import runs

    def unit(tx: Any) -> None:
        run = runs.create(tx, Request(Actor("os:1"), Origin.ASKED, "test"), "direct")
        facts: dict[str, Any] = dict.fromkeys(("call", "digest", "action", "args", "target", "environment"), "")
        more = {"preview": "null", "precondition": "null", "reason": "", "risk": "change", "count": 1}
        times = {"approve_by": 2**50, "execute_within": 1, "created_at": tx.now(), "execute_by": 2**50}
        lists = {"requesters": [], "roles": ["approver"]}
        values = {**facts, **more, **times, **lists}
        tx.conn.execute(t.approval.insert().values(id="apr-1", run=run, state="approved", **values))
        vote = {"approval": "apr-1", "approver": actor, "approve": True, "reason": "", "at": tx.now()}
        tx.conn.execute(t.vote.insert().values(**vote))

    await office.app.store.write(unit)


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
@SQLITE
async def test_with_slack_not_answering_nobody_is_anybody(office: Office, method: str) -> None:
    await office.fault(method)
    with pytest.raises(SlackUnavailable):
        await office.actor("on-call")
    assert await office.row("on-call") is None


async def test_what_slack_said_a_minute_ago_counts_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.actor("on-call")
    await office.fault("users.info")
    assert (await office.actor("on-call")).roles == {"approver"}, "a moment ago it was so"
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    with pytest.raises(SlackUnavailable):
        await office.actor("on-call")
    old = t.member.update().values(checked_at=0)
    await office.app.store.write(lambda tx: tx.conn.execute(old))
    await office.app.people.refresh((office.id("on-call"),))
    assert office.app.people.roles_of(office.id("on-call")) == frozenset()
    row = await office.row("on-call")
    assert row is not None
    assert row.checked_at == 0, "an error does not renew it"


@SQLITE
async def test_a_group_that_does_not_exist_gives_nobody_a_role_and_hurts_nobody(office: Office) -> None:
    roles = {"approver": SlackRole(groups=("S0NOTHERE", office.workspace.groups["leads"]))}
    directory = Directory(office.app.store, office.clients, office.app.people, roles)
    lead = await directory.actor(office.workspace.team_id, office.user("lead"))
    assert lead.roles == {"approver"}
    assert (await directory.actor(office.workspace.team_id, office.user("on-call"))).roles == frozenset()


@SQLITE
async def test_groups_that_cannot_be_read_are_told_in_the_health(office: Office) -> None:
    await office.fault("usergroups.users.list", times=6)
    await office.directory.tick()
    assert office.directory.trouble == "user groups cannot be read (SlackApiError)"
    office.directory._ticked = float("-inf")
    began = time.monotonic()
    while office.directory.trouble is not None and time.monotonic() - began < 10:
        office.directory._ticked = float("-inf")
        await office.directory.tick()
    assert office.directory.trouble is None


@SQLITE
async def test_accounts_of_other_workspaces_and_other_surfaces_are_left_alone(office: Office) -> None:
    await office.directory.lookup(["slack:T0OTHER.U1", "person:ann", "os:60001", "slack:nothing"])
    assert await office.app.store.read(members.everybody) == []


def test_ids_of_rows_are_read_back() -> None:
    assert split_id(member_id("T1", "U1")) == ("T1", "U1")
    for other in ("person:ann", "slack:", "slack:T1", "slack:T1.", "slack:.U1", "os:1"):
        assert split_id(other) is None


@asynccontextmanager
async def answering(office: Office, method: str, answer: Any) -> AsyncIterator[Clients]:
    """Put something before Slack that answers one method as Slack never does, and passes everything else on."""

    async def serve(request: web.Request) -> web.Response:
        if request.path.endswith(f"/{method}"):
            return web.json_response(answer)
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = f"{office.workspace.api_url}{request.path.rpartition('/')[2]}"
        data = await request.read()
        async with http.request(request.method, url, params=request.query, data=data, headers=headers) as got:
            return web.Response(body=await got.read(), status=got.status, content_type="application/json")

    fake = web.Application()
    fake.add_routes([web.route("*", "/api/{method}", serve)])
    runner = web.AppRunner(fake, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    clients = Clients(address, token=office.workspace.bot_token, installations=None)
    try:
        async with aiohttp.ClientSession() as http:
            yield clients
    finally:
        await clients.close()
        await runner.cleanup()


ODD: list[Any] = [
    [],
    ["ok"],
    {"ok": True},
    {"ok": True, "user": None, "users": None},
    {"ok": True, "user": [1], "users": 7},
    {"ok": True, "user": {"team_id": "T1", "profile": "x"}, "users": {"U1": 1}},
]


@pytest.mark.parametrize("answer", ODD)
@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
@SQLITE
async def test_an_answer_that_makes_no_sense_makes_nobody_anybody(office: Office, method: str, answer: Any) -> None:
    async with answering(office, method, answer) as clients:
        await clients.meet()
        directory = Directory(office.app.store, clients, office.app.people, office.app.settings.slack.roles)
        with pytest.raises(SlackUnavailable):
            await directory.actor(office.workspace.team_id, office.user("on-call"))
        await directory.lookup([office.id("on-call")])
        await directory.tick()
        assert (directory.trouble is not None) == (method == "usergroups.users.list")
    assert await office.row("on-call") is None


@pytest.mark.parametrize("answer", [[], {"ok": True}, {"ok": True, "team_id": "T1"}])
@SQLITE
async def test_with_an_answer_that_makes_no_sense_it_is_not_known_who_we_are(office: Office, answer: Any) -> None:
    async with answering(office, "auth.test", answer) as clients:
        with pytest.raises(SlackUnavailable, match=r"makes no sense|answered http_200"):
            await clients.meet()
