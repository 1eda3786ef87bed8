"""Who the app is and where: api, auth, team, bots, and the door to Socket Mode."""

from __future__ import annotations

from collections.abc import Callable

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.wire import Json


def api_test(call: Call) -> Json:
    """Answer what was asked."""
    if error := call.text("error"):
        raise SlackError(error, args=dict(call.args))
    return {"args": {name: value for name, value in call.args.items() if name != "token"}}


def auth_test(call: Call) -> Json:
    """Say whose token this is."""
    world = call.world
    return {
        "url": f"{world.base_url}/",
        "team": world.team_name,
        "user": world.bot.name,
        "team_id": world.team_id,
        "user_id": world.app.user_id,
        "bot_id": world.app.bot_id,
        "is_enterprise_install": False,
    }


def team_info(call: Call) -> Json:
    """Describe the team."""
    world = call.world
    team: Json = {"id": world.team_id, "name": world.team_name, "domain": world.team_domain, "email_domain": ""}
    return {"team": team | {"icon": {"image_default": True}, "url": f"{world.base_url}/"}}


def bots_info(call: Call) -> Json:
    """Describe a bot, which is always this one."""
    app = call.world.app
    if call.text("bot", app.bot_id) != app.bot_id:
        raise SlackError("bot_not_found")
    bot: Json = {"id": app.bot_id, "deleted": False, "name": call.world.bot.real_name, "updated": 0}
    return {"bot": bot | {"app_id": app.app_id, "user_id": app.user_id, "icons": {}}}


def connections_open(ticket: Callable[[], str]) -> Callable[[Call], Json]:
    """Return the method that gives out one-use addresses for Socket Mode."""

    def handle(call: Call) -> Json:
        if not call.world.app.manifest.socket_mode:
            raise SlackError("socket_mode_disabled")
        return {"url": f"{call.world.base_url.replace('http', 'ws', 1)}/link/?ticket={ticket()}"}

    return handle


METHODS = (
    Method("api.test", api_test, Tier.FOUR, caller=None),
    Method("auth.test", auth_test, Tier.OFTEN),
    Method("team.info", team_info, Tier.THREE, ("team:read",)),
    Method("bots.info", bots_info, Tier.THREE, ("users:read",)),
)
