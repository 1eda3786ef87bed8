"""What people do in modals and on App Home."""

from __future__ import annotations

from typing import Any

from sysop.workspace.control import elements
from sysop.workspace.control.desk import Desk, text
from sysop.workspace.control.interact import clicked, interactive
from sysop.workspace.delivery import payloads
from sysop.workspace.errors import ControlError, SlackError
from sysop.workspace.methods import views
from sysop.workspace.state import shapes
from sysop.workspace.state.elements import VALUE
from sysop.workspace.state.people import User
from sysop.workspace.state.views import View
from sysop.workspace.wire import Json

TROUBLE = "We had some trouble connecting. Try again?"


def _top(desk: Desk, user: User, body: Json) -> View:
    stack = desk.world.views.stack(user.id)
    if not stack or stack[-1].id != text(body, "view_id"):
        raise ControlError("view_not_found", "that view is not open, or not on top")
    return stack[-1]


async def submit(desk: Desk, body: Json) -> Json:
    """Submit the modal on top, if its fields are as they must be."""
    interactive(desk)
    user = desk.person(body)
    view = _top(desk, user, body)
    view.values = elements.state(view.body["blocks"], _merged(view.values, body.get("state")))
    problems = elements.input_problems(view.body["blocks"], view.values)
    if problems:
        raise ControlError("invalid_fields", "some fields are not filled in", errors=problems)
    answer = await desk.courier.send(payloads.view_submission(desk.world, user, view))
    if not answer.acknowledged:
        desk.toast(user, TROUBLE)
        return desk.unanswered(user, answer, view.body["title"]["text"]) | {"message": TROUBLE}
    try:
        return answer.as_json() | _follow(desk, user, view, answer.body)
    except SlackError as refusal:
        desk.world.log.add("refused", answer=answer.body, error=refusal.error, messages=list(refusal.messages))
        desk.toast(user, TROUBLE)
        message = "; ".join(refusal.messages) or refusal.error
        return {"ok": False, "error": refusal.error, "message": message}


def _merged(before: Json, given: Any) -> Json:
    merged = {block: dict(actions) for block, actions in before.items()}
    for block, actions in (given if isinstance(given, dict) else {}).items():
        if isinstance(actions, dict):
            merged.setdefault(block, {}).update(actions)
    return merged


def _follow(desk: Desk, user: User, view: View, said: Any) -> Json:
    """Do what the answer to a submission says: close, show errors, update, push or clear."""
    action = said.get("response_action") if isinstance(said, dict) else None
    stack = desk.world.views.stack(user.id)
    at = stack.index(view) if view in stack else len(stack)
    if action is None:
        views.close_above(desk.world, user.id, at)
    elif action == "clear":
        views.close_above(desk.world, user.id, 0)
    elif action == "errors":
        return {"ok": False, "error": "view_errors", "errors": _errors(view, said), "response_action": action}
    elif action == "update":
        body = views.checked(desk.world, said.get("view"), "modal", view)
        desk.world.views.fill(view, body, desk.world.clock.now())
        views.show(desk.world, view, opened=False)
    elif action == "push":
        views.push_onto(desk.world, user.id, views.checked(desk.world, said.get("view"), "modal"), view)
    else:
        raise SlackError("invalid_response_action", [f"[ERROR] {action!r} is no response_action"])
    return {"response_action": action}


def _errors(view: View, said: Json) -> dict[str, str]:
    errors = said.get("errors")
    inputs = {block["block_id"] for block in view.body["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise SlackError("invalid_errors", ["[ERROR] errors must name input blocks of the view"])
    return {str(block): str(problem) for block, problem in errors.items()}


async def close(desk: Desk, body: Json) -> Json:
    """Close the modal on top without submitting it."""
    user = desk.person(body)
    view = _top(desk, user, body)
    cleared = bool(view.body.get("clear_on_close"))
    stack = desk.world.views.stack(user.id)
    closed = views.close_above(desk.world, user.id, 0 if cleared else len(stack) - 1)
    told = [one for one in reversed(closed) if one.body.get("notify_on_close")]
    results = [await desk.courier.send(payloads.view_closed(desk.world, user, one, cleared=cleared)) for one in told]
    return {"notified": len(told), "acknowledged": all(one.acknowledged for one in results)}


async def act(desk: Desk, body: Json) -> Json:
    """Use an element of a modal or of App Home."""
    interactive(desk)
    user = desk.person(body)
    view = desk.world.views.get(text(body, "view_id"))
    if view is None or view.user != user.id:
        raise ControlError("view_not_found", "that view is closed")
    blocks = view.body["blocks"]
    block, element = elements.find(blocks, text(body, "action_id"), body.get("block_id"))
    action = elements.action(block, element, body, desk.world.ts(), user.id)
    given = _merged(view.values, body.get("state"))
    if (name := VALUE.get(element["type"])) and element["type"] != "overflow":
        given.setdefault(block["block_id"], {})[element["action_id"]] = {name: action[name]}
    view.values = elements.state(blocks, given)
    answer = await desk.courier.send(payloads.view_actions(desk.world, user, view, action))
    return clicked(desk, user, answer) | {"view": shapes.view(desk.world, view)}


HANDLERS = {"view_submit": submit, "view_close": close, "view_action": act}
