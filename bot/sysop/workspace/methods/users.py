"""users.* and usergroups.*: people and their groups."""

from __future__ import annotations

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.methods.paging import page
from sysop.workspace.state.people import User
from sysop.workspace.wire import Json


def _shown(call: Call, user: User) -> Json:
    return user.as_slack(with_email="users:read.email" in call.world.app.granted)


def info(call: Call) -> Json:
    """Describe one person."""
    return {"user": _shown(call, call.user())}


def list_(call: Call) -> Json:
    """List everybody."""
    users, more = page(call, list(call.world.people), 1000, 1000)
    return {"members": [_shown(call, user) for user in users], "cache_ts": int(call.world.clock.now())} | more


def lookup_by_email(call: Call) -> Json:
    """Find a person by their address."""
    email = call.need("email")
    found = next((user for user in call.world.people if not user.is_bot and user.email == email), None)
    if found is None:
        raise SlackError("users_not_found")
    return {"user": _shown(call, found)}


def groups(call: Call) -> Json:
    """List the user groups."""
    with_users, world = call.flag("include_users"), call.world
    return {"usergroups": [g.as_slack(world.team_id, with_users=with_users) for g in world.people.groups.values()]}


def group_users(call: Call) -> Json:
    """List who is in a user group."""
    group = call.world.people.groups.get(call.need("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


METHODS = (
    Method("users.info", info, Tier.FOUR, ("users:read",)),
    Method("users.list", list_, Tier.TWO, ("users:read",)),
    Method("users.lookupByEmail", lookup_by_email, Tier.THREE, ("users:read.email",)),
    Method("usergroups.list", groups, Tier.TWO, ("usergroups:read",)),
    Method("usergroups.users.list", group_users, Tier.TWO, ("usergroups:read",)),
)
