"""Who people are: asked of Slack, never believed for longer than a minute. What cannot be asked counts for nobody."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, select

from sysop.errors import InvalidRequest, SettingsError, SysopError
from sysop.gate.people import People
from sysop.model import Actor
from sysop.sections import SlackRole
from sysop.store import approvals, members
from sysop.store import tables as t
from sysop.store.members import Member
from sysop.store.store import Store
from sysop.surfaces.slack.clients import ODD, UNREACHABLE, Clients, SlackUnavailable, error_of

FRESH_S = 60.0
EVERY_S = 25.0
NEW_AT_ONCE = 20
"""So many accounts that were never asked about are asked about in one round; `users.info` has a rate of its own."""
_NO_SUCH_GROUP = frozenset({"no_such_subteam", "subteam_not_found", "invalid_arguments"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """One Slack account as Slack has just described it. Only a `human` full member of our workspace counts."""

    team: str
    user: str
    name: str
    human: bool
    external: bool

    @property
    def id(self) -> str:
        """Return the id of its row."""
        return member_id(self.team, self.user)


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    account: Account


def member_id(team: str, user: str) -> str:
    """Return the id of an account's row, which is its actor id where the settings name no person for it."""
    return f"slack:{team}.{user}"


def split_id(id: str) -> tuple[str, str] | None:
    """Return workspace and user of such an id, None for any other."""
    kind, _, rest = id.partition(":")
    team, dot, user = rest.partition(".")
    return (team, user) if kind == "slack" and dot and team and user else None


class Directory:
    """Asks Slack about accounts and user groups and keeps the `member` rows fresh, from which roles come."""

    def __init__(self, store: Store, clients: Clients, people: People, roles: Mapping[str, SlackRole]) -> None:
        self._store = store
        self._clients = clients
        self._people = people
        self._roles = roles
        self._groups: dict[tuple[str, str], tuple[float, frozenset[str]]] = {}
        self._accounts: dict[str, _Kept] = {}
        self._lock = asyncio.Lock()
        self._ticked = float("-inf")
        self.trouble: str | None = None
        """What keeps accounts from being read again, for the health."""

    # -- one person ---------------------------------------------------------------------------------------------------

    async def actor(self, team: str, user: str) -> Actor:
        """Return who a Slack user acts as now. Raises SlackUnavailable when Slack cannot be asked: then nobody is."""
        account = await self.account(team, user)
        await self._people.refresh((self._acts_as(account),))
        member = await self._store.read(lambda conn: members.get(conn, account.id))
        if member is None:
            raise SlackUnavailable("this account is not known yet")
        return self._people.by_member(member)

    async def account(self, team: str, user: str) -> Account:
        """Return an account as Slack described it at most a minute ago, stored as well. Raises SlackUnavailable."""
        kept = self._accounts.get(member_id(team, user))
        if kept is not None and time.monotonic() - kept.at < FRESH_S:
            return kept.account
        return await self._renew(team, user)

    async def _renew(self, team: str, user: str) -> Account:
        client = (await self._clients.at(team)).read
        try:
            account = _account(team, user, (await client.users_info(user=user))["user"])
            roles = await self._roles_of(team, user) if account.human else ()
        except SlackApiError as failed:
            raise SlackUnavailable(f"Slack does not say who {user} is ({error_of(failed)})") from failed
        except (SlackClientError, *UNREACHABLE) as away:
            raise SlackUnavailable(f"Slack cannot be reached ({type(away).__name__})") from away
        except ODD as odd:
            raise SlackUnavailable(f"Slack's answer about {user} makes no sense ({type(odd).__name__})") from odd
        facts = {"actor": self._acts_as(account), "name": account.name, "human": account.human, "roles": roles}
        await self._store.write(lambda tx: members.save(tx, account.id, **facts))  # type: ignore[arg-type]
        self._accounts[account.id] = _Kept(time.monotonic(), account)
        return account

    def _acts_as(self, account: Account) -> str:
        """Return the person the settings say a user of our own workspace is, else the account itself."""
        name = None if account.external or account.team != self._clients.home else self._people.by_slack(account.user)
        return f"person:{name}" if name else account.id

    # -- roles --------------------------------------------------------------------------------------------------------

    async def _roles_of(self, team: str, user: str) -> tuple[str, ...]:
        """Return the roles of a user of the workspace at home: ids in the settings mean nobody anywhere else."""
        if team != self._clients.home:
            return ()
        held = []
        for role, given in self._roles.items():
            if user in given.users or any([user in await self._group(team, group) for group in given.groups]):
                held.append(role)
        return tuple(held)

    async def _group(self, team: str, group: str) -> frozenset[str]:
        """Return the users of a group, as read at most a minute ago. Raises what the client raises."""
        async with self._lock:
            read_at, users = self._groups.get((team, group), (float("-inf"), frozenset()))
            if time.monotonic() - read_at < FRESH_S:
                return users
            return await self._read_group(team, group)

    async def _read_group(self, team: str, group: str) -> frozenset[str]:
        users = await _users_of((await self._clients.at(team)).read, group)
        self._groups[team, group] = (time.monotonic(), users)
        return users

    # -- everybody ----------------------------------------------------------------------------------------------------

    async def lookup(self, ids: Sequence[str]) -> None:
        """Ask about accounts by id. One that cannot be asked about is not renewed, so that it soon counts no more."""
        for id in ids:
            found = split_id(id)
            if found is None or found[0] not in self._clients.teams:
                continue
            try:
                await self._renew(*found)
            except (SlackUnavailable, InvalidRequest, SettingsError) as unknown:
                log.warning("account %s is not renewed: %s", id, unknown)

    async def tick(self) -> None:
        """Every 25 s read groups again, and everybody whose word counts: a role taken away is gone within a minute."""
        if time.monotonic() - self._ticked < EVERY_S or not self._clients.teams:
            return
        self._ticked = time.monotonic()
        try:
            await self._read_groups()
            self.trouble = None
        except (SlackApiError, SlackClientError, SysopError, *UNREACHABLE, *ODD) as failed:
            self.trouble = f"user groups cannot be read ({type(failed).__name__})"
            log.warning("user groups cannot be read: %s", failed)
        known, voters = await self._store.read(_everybody)
        await self.lookup(sorted(voters | self._changed(known) | self._new(known)))

    async def _read_groups(self) -> None:
        team = self._clients.home
        if team is None or team not in self._clients.teams:
            return
        for group in sorted({group for role in self._roles.values() for group in role.groups}):
            async with self._lock:
                await self._read_group(team, group)

    def _changed(self, known: Iterable[Member]) -> set[str]:
        """Return accounts whose row says other roles than the groups do now."""
        return {
            one.id
            for one in known
            if one.human and (found := split_id(one.id)) and set(one.roles) != set(self._given(*found))
        }

    def _new(self, known: Iterable[Member]) -> set[str]:
        """Return some accounts that hold a role and were never asked about, so that a card can say who may approve."""
        rows = {one.id for one in known}
        home = self._clients.home
        if home is None:
            return set()
        direct = {user for role in self._roles.values() for user in role.users}
        grouped = {user for (of, _), (_, users) in self._groups.items() if of == home for user in users}
        holders = {member_id(home, user) for user in direct | grouped}
        return set(sorted(holders - rows)[:NEW_AT_ONCE])

    def _given(self, team: str, user: str) -> list[str]:
        """Return the roles that settings and groups give, as the groups were read last."""
        if team != self._clients.home:
            return []
        mine = {group for (of, group), (_, users) in self._groups.items() if of == team and user in users}
        return [role for role, given in self._roles.items() if user in given.users or mine & set(given.groups)]


async def _users_of(client: AsyncWebClient, group: str) -> frozenset[str]:
    """Return a group's users. One that does not exist, or not in this workspace, gives nobody anything."""
    try:
        said: Any = await client.usergroups_users_list(usergroup=group)
    except SlackApiError as failed:
        if error_of(failed) in _NO_SUCH_GROUP:
            log.warning("slack.roles: there is no user group %s", group)
            return frozenset()
        raise
    users = said["users"]
    if not isinstance(users, list):
        raise TypeError("a group's users are no list")
    return frozenset(str(user) for user in users)


def _account(team: str, user: str, said: Mapping[str, Any]) -> Account:
    profile = said.get("profile") or {}
    name = profile.get("display_name") or said.get("real_name") or said.get("name") or user
    external = bool(said.get("is_stranger")) or said.get("team_id") != team
    marks = ("is_bot", "is_restricted", "is_ultra_restricted", "deleted", "is_workflow_bot")
    human = not external and not any(said.get(mark) for mark in marks) and user != "USLACKBOT"
    return Account(team, user, str(name)[:80], human, external)


def _everybody(conn: Connection) -> tuple[list[Member], set[str]]:
    """Return every account, and the ids of those whose vote counts in an approval that can still lead to something."""
    known = members.everybody(conn)
    votes = select(t.vote.c.approver).join(t.approval, t.approval.c.id == t.vote.c.approval)
    voters = set(conn.scalars(votes.where(t.approval.c.state.in_(approvals.OPEN))))
    return known, {one.id for one in known if one.actor in voters}
