"""Time, faults, and taking things away: what a test or a curious person does to the workspace."""

from __future__ import annotations

from typing import Any

from sysop.workspace.control.desk import Desk, text
from sysop.workspace.errors import ControlError
from sysop.workspace.faults import Fault
from sysop.workspace.wire import Json

MOST = 1_000_000_000
SOCKET_KINDS = ("drop", "ghost", "refresh", "warning", "link_disabled")


def _number(body: Json, name: str, default: float | None = None) -> float:
    value: Any = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise ControlError("invalid_arguments", f"{name} must be a number from 0 to {MOST}")
    return float(value)


async def clock(desk: Desk, body: Json) -> Json:
    """Speed the clock up or move it on, and say how it stands."""
    if "scale" in body:
        desk.world.clock.rescale(_number(body, "scale"))
    if "advance" in body:
        desk.world.clock.advance(_number(body, "advance"))
    return {"now": desk.world.clock.now(), "scale": desk.world.clock.scale}


async def faults(desk: Desk, body: Json) -> Json:
    """Let the next calls of a method fail; `*` is any, `response_url` and `upload` are methods too."""
    fault = Fault(text(body, "method"), text(body, "kind"), int(_number(body, "times", 1)))
    fault.retry_after = int(_number(body, "retry_after", fault.retry_after))
    fault.seconds = _number(body, "seconds", fault.seconds)
    fault.error = text(body, "error", fault.error)
    desk.world.faults.add(fault)
    return {}


async def deliveries(desk: Desk, body: Json) -> Json:
    """Let the next deliveries go astray; `type` narrows it to events_api, slash_commands or interactive."""
    fault = Fault(text(body, "type", "*"), text(body, "kind"), int(_number(body, "times", 1)))
    fault.seconds = _number(body, "seconds", fault.seconds)
    desk.world.astray.add(fault)
    return {}


async def sockets(desk: Desk, body: Json) -> Json:
    """Trouble the Socket Mode connections."""
    kind = text(body, "kind")
    if kind not in SOCKET_KINDS:
        raise ControlError("invalid_kind", f"kind is one of {', '.join(SOCKET_KINDS)}")
    if kind == "drop":
        desk.sockets.cut()
    elif kind == "ghost":
        desk.sockets.haunt()
    elif kind == "warning":
        await desk.sockets.warn()
    elif kind == "refresh":
        await desk.sockets.refresh()
    else:
        await desk.sockets.disable()
    return {"connections": len(desk.sockets)}


async def revoke(desk: Desk, body: Json) -> Json:
    """Take a scope or the token from the app, or uninstall it."""
    world, app = desk.world, desk.world.app
    if scope := body.get("scope"):
        app.granted.discard(str(scope))
        return {"granted": sorted(app.granted)}
    if not body.get("token") and not body.get("uninstall"):
        raise ControlError("invalid_arguments", "name a scope, or say token or uninstall")
    tokens: Json = {"oauth": [], "bot": [app.user_id]}
    world.events.farewell({"type": "tokens_revoked", "tokens": tokens, "event_ts": world.ts()})
    if body.get("uninstall"):
        world.events.farewell({"type": "app_uninstalled", "event_ts": world.ts()})
    app.revoked = True
    return {"revoked": True}


async def reset(desk: Desk, body: Json) -> Json:
    """Take every trouble back: faults, deliveries, ghosts, the clock's speed, what was revoked."""
    desk.world.faults.clear()
    desk.world.astray.clear()
    desk.world.clock.rescale(1.0)
    desk.world.app.restore()
    desk.sockets.exorcise()
    return {}


HANDLERS = {
    "clock": clock,
    "faults": faults,
    "deliveries": deliveries,
    "sockets": sockets,
    "revoke": revoke,
    "reset": reset,
}
