"""People, the bot among them, and their user groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sysop.workspace.ids import Ids
from sysop.workspace.seed import UserSeed
from sysop.workspace.wire import Json


@dataclass
class User:
    """A member as Slack describes one. `bot_id` and `app_id` are the bot's alone."""

    id: str
    team_id: str
    name: str
    real_name: str
    is_bot: bool = False
    is_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False
    bot_id: str | None = None
    app_id: str | None = None

    @property
    def email(self) -> str:
        """Return the address `users.lookupByEmail` finds them by."""
        return f"{self.name}@workspace.example"

    def as_slack(self, *, with_email: bool) -> Json:
        """Return the user object of the Web API."""
        profile: Json = {"real_name": self.real_name, "display_name": self.name}
        if self.bot_id:
            profile.update(bot_id=self.bot_id, api_app_id=self.app_id)
        elif with_email:
            profile["email"] = self.email
        return {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": self.deleted,
            "tz": "Etc/UTC",
            "tz_label": "Coordinated Universal Time",
            "tz_offset": 0,
            "profile": profile,
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": False,
            "is_stranger": self.is_stranger,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 0,
        }


@dataclass
class Group:
    """A user group; people mention it by its handle."""

    id: str
    handle: str
    users: list[str] = field(default_factory=list)

    def as_slack(self, team_id: str, *, with_users: bool) -> Json:
        """Return the user group object of the Web API."""
        body: Json = {
            "id": self.id,
            "team_id": team_id,
            "is_usergroup": True,
            "name": self.handle,
            "handle": self.handle,
            "description": "",
            "is_external": False,
            "date_delete": 0,
            "user_count": len(self.users),
        }
        return body | {"users": list(self.users)} if with_users else body


class People:
    """Everybody in the workspace, by id and by name."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def add(self, user: User) -> User:
        """Let somebody in."""
        self._users[user.id] = user
        return user

    def get(self, user_id: str) -> User | None:
        """Return who has this id."""
        return self._users.get(user_id)

    def named(self, name: str) -> User | None:
        """Return who has this name, whatever its case."""
        return next((user for user in self if name.casefold() in (user.name.casefold(), user.id.casefold())), None)

    def group(self, handle: str) -> Group | None:
        """Return the group with this handle."""
        return next((group for group in self.groups.values() if group.handle == handle), None)

    def roles(self, user_id: str) -> list[str]:
        """Return the handles of somebody's groups."""
        return [group.handle for group in self.groups.values() if user_id in group.users]

    def settle(self, seeds: Sequence[UserSeed], ids: Ids, team_id: str) -> None:
        """Add the people of a seed with their groups; strangers come from a team of their own."""
        for seed in seeds:
            team = ids.make("T") if seed.is_stranger else team_id
            user = self.add(User(ids.make("U"), team, seed.name, seed.real_name))
            user.is_restricted, user.is_stranger = seed.is_restricted, seed.is_stranger
            if seed.group is None:
                continue
            group = self.group(seed.group)
            if group is None:
                group = Group(ids.make("S"), seed.group)
                self.groups[group.id] = group
            group.users.append(user.id)
