"""views.*: modals, opened by a trigger, and App Home."""

from __future__ import annotations

from sysop.blockkit import check_view
from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.chat import refuse
from sysop.workspace.methods.method import Call, Method, missing
from sysop.workspace.state import shapes
from sysop.workspace.state.triggers import Trigger
from sysop.workspace.state.views import STACK, View
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json


def checked(world: World, body: object, kind: str, current: View | None = None) -> Json:
    """Return a view of the wanted kind that Slack would take."""
    if not isinstance(body, dict):
        raise missing("view")
    if body.get("type") != kind:
        raise SlackError("invalid_arguments", [f"[ERROR] must be a {kind} [json-pointer:/view/type]"])
    refuse(check_view(body))
    other = world.views.external(str(body.get("external_id") or ""))
    if other is not None and other is not current:
        raise SlackError("duplicate_external_id")
    return body


def _body(call: Call, kind: str, current: View | None = None) -> Json:
    return checked(call.world, call.structured("view", "invalid_arguments"), kind, current)


def _trigger(call: Call) -> Trigger:
    return call.world.triggers.exchange(call.text("trigger_id") or call.need("interactivity_pointer"))


def show(world: World, view: View, *, opened: bool) -> None:
    """Show a person a view, new or changed."""
    kind = "view_opened" if opened else "view_updated"
    if view.body["type"] == "home":
        kind = "home"
    world.feed.publish(kind, user=view.user, view=shapes.view(world, view))


def push_onto(world: World, user: str, body: Json, below: View | None) -> View:
    """Open a modal for somebody, on top of another or in place of what was open."""
    stack = world.views.stack(user)
    if below is None:
        close_above(world, user, 0)
    elif len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    view = world.views.make(user, body, world.clock.now(), below)
    stack.append(view)
    show(world, view, opened=True)
    return view


def close_above(world: World, user: str, keep: int) -> list[View]:
    """Close somebody's modals down to the first `keep`, and return the closed."""
    stack = world.views.stack(user)
    closed = stack[keep:]
    del stack[keep:]
    for view in reversed(closed):
        world.feed.publish("view_closed", user=user, view_id=view.id)
    return closed


def open_(call: Call) -> Json:
    """Open a modal for whoever pulled the trigger."""
    body = _body(call, "modal")
    trigger = _trigger(call)
    return {"view": shapes.view(call.world, push_onto(call.world, trigger.user, body, None))}


def push(call: Call) -> Json:
    """Put a modal on top of the one the trigger came from."""
    body = _body(call, "modal")
    trigger = _trigger(call)
    stack = call.world.views.stack(trigger.user)
    if trigger.view is None or all(view.id != trigger.view for view in stack):
        raise SlackError("not_found")
    return {"view": shapes.view(call.world, push_onto(call.world, trigger.user, body, stack[-1]))}


def update(call: Call) -> Json:
    """Change an open view, if it is still the one the app saw."""
    views = call.world.views
    if not call.text("view_id") and not call.text("external_id"):
        raise missing("view_id")
    view = views.get(call.text("view_id")) if call.text("view_id") else views.external(call.text("external_id"))
    if view is None:
        raise SlackError("not_found")
    body = _body(call, view.body["type"], view)
    if call.text("hash") not in ("", view.hash):
        raise SlackError("hash_conflict")
    views.fill(view, body, call.world.clock.now())
    show(call.world, view, opened=False)
    return {"view": shapes.view(call.world, view)}


def publish_home(call: Call) -> Json:
    """Publish somebody's App Home."""
    world, user = call.world, call.user("user_id")
    if not world.app.manifest.home_tab:
        raise SlackError("not_enabled")
    view = world.views.homes.get(user.id)
    body = _body(call, "home", view)
    if call.text("hash") and (view is None or call.text("hash") != view.hash):
        raise SlackError("hash_conflict")
    if view is None:
        view = world.views.homes[user.id] = world.views.make(user.id, body, world.clock.now())
    else:
        world.views.fill(view, body, world.clock.now())
    show(world, view, opened=False)
    return {"view": shapes.view(world, view)}


METHODS = (
    Method("views.open", open_, Tier.FOUR),
    Method("views.push", push, Tier.FOUR),
    Method("views.update", update, Tier.FOUR),
    Method("views.publish", publish_home, Tier.FOUR),
)
