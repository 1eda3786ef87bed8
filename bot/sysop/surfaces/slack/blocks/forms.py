"""Modals that are easier than typing a command, and what was filled into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from sysop.actions import Action
from sysop.inventory import Inventory
from sysop.surfaces.slack.blocks import inputs
from sysop.surfaces.slack.blocks.inputs import Given, Wrong, option, typed
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import rich, said, section, styled
from sysop.surfaces.slack.text import one_line, plain

RUN: Final = "form.run"
CHOOSE: Final = "form.choose"
INCIDENT: Final = "form.incident"
ASK: Final = "form.ask"
PAUSE: Final = "form.pause"
SEVERITIES: Final = ("critical", "error", "warning", "info")
MAX_TITLE: Final = 150
MAX_REASON: Final = 500
_TEXT: Final = "text"
_ERRORS: Final = "What was typed does not fit."


@dataclass(frozen=True, slots=True)
class NewIncident:
    """An incident that a person opens."""

    title: str
    severity: str
    services: tuple[str, ...]
    note: str
    triage: bool


def _modal(callback: str, title: str, submit: str, blocks: Sequence[Block], metadata: str) -> Block:
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": metadata,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain("Cancel", 24),
        "blocks": list(blocks),
    }


def _asks(block: str, label: str, element: Block, *, optional: bool = False, hint: str = "") -> Block:
    made: Block = {
        "type": "input",
        "block_id": block,
        "label": plain(label, 150),
        "element": {"action_id": _TEXT, **element},
        "optional": optional,
    }
    return {**made, "hint": plain(hint, 300)} if hint else made


def _line(limit: int, initial: str = "", *, multiline: bool = False) -> Block:
    made: Block = {"type": "plain_text_input", "multiline": multiline, "max_length": limit}
    return {**made, "initial_value": initial[:limit]} if initial else made


def choose(actions: Mapping[str, Action], metadata: str = "") -> Block:
    """Return the modal that asks which action to run: from a menu, or by name where there are too many."""
    names = sorted(actions)
    fits = 0 < len(names) <= inputs.MOST_OPTIONS and all(len(name) <= 75 for name in names)
    menu: Block = {"type": "static_select", "options": [option(name, name) for name in names]}
    asks = _asks("action", "Which action?", menu if fits else _line(150), hint="Its arguments come next.")
    return _modal(CHOOSE, "Run an action", "Next", [asks], metadata)


def chosen(actions: Mapping[str, Action], state: Mapping[str, Any]) -> Action | Wrong:
    """Return the action that was chosen."""
    name = (typed(state, "action", _TEXT) or "").strip()
    return actions.get(name) or Wrong({"action": "There is no such action."})


def run(action: Action, inventory: Inventory, given: Mapping[str, Any], metadata: str = "") -> Block:
    """Return the modal that asks for the arguments of an action, filled with what is given."""
    risk = {"read": "It only looks.", "change": "It changes something.", "destructive": "It can destroy something."}
    head = rich(
        section(styled(one_line(action.name, 150), "bold"), styled(f" · {action.risk}")),
        section(*said(one_line(action.summary, 600), Links()), styled(f" {risk[action.risk]}")),
    )
    asked = inputs.inputs(action.schema(inventory), given)
    return _modal(RUN, "Run an action", "Run", [head, *asked], metadata)


def arguments(action: Action, inventory: Inventory, state: Mapping[str, Any]) -> Given | Wrong:
    """Return the arguments as the action takes them, or what is wrong by block. The gate checks them again."""
    found = inputs.parse(action.schema(inventory), state)
    if isinstance(found, Wrong):
        return found
    try:
        action.parameters.model_validate(dict(found.values))
    except ValidationError as bad:
        return Wrong(_by_block(action, bad))
    return found


def _by_block(action: Action, bad: ValidationError) -> dict[str, str]:
    """Return errors by a block that the form has: Slack refuses those that name another one."""
    names = list(action.parameters.model_fields)
    whole = len(names) > inputs.MOST_INPUTS
    errors: dict[str, str] = {}
    for error in bad.errors(include_input=False, include_url=False):
        name = str(error["loc"][0]) if error["loc"] else ""
        block = inputs.block_of(inputs.WHOLE if whole else name if name in names else (names or [inputs.WHOLE])[0])
        errors.setdefault(block, one_line(str(error["msg"]) or _ERRORS, 150))
    return errors


def new_incident(inventory: Inventory, title: str = "", note: str = "", metadata: str = "") -> Block:
    """Return the modal that opens an incident by hand."""
    severity = [option(one, one) for one in SEVERITIES]
    services = sorted(inventory.services)
    menu: Block = {"type": "multi_static_select", "options": [option(name, name) for name in services]}
    fits = 0 < len(services) <= inputs.MOST_OPTIONS and all(len(name) <= 75 for name in services)
    look = [option("Look into it right away", "yes")]
    return _modal(
        INCIDENT,
        "New incident",
        "Open",
        [
            _asks("title", "What is wrong?", _line(MAX_TITLE, title)),
            _asks(
                "severity",
                "How bad is it?",
                {"type": "static_select", "options": severity, "initial_option": severity[1]},
            ),
            _asks(
                "services",
                "Which services?",
                menu if fits else _line(300),
                optional=True,
                hint="" if fits else "Parted by commas.",
            ),
            _asks("note", "What do you know so far?", _line(3000, note, multiline=True), optional=True),
            _asks("triage", "Triage", {"type": "checkboxes", "options": look, "initial_options": look}, optional=True),
        ],
        metadata,
    )


def opened(inventory: Inventory, state: Mapping[str, Any]) -> NewIncident | Wrong:
    """Return the incident that was asked for."""
    title = one_line(typed(state, "title", _TEXT) or "", MAX_TITLE)
    severity = typed(state, "severity", _TEXT) or ""
    services = _several(state, "services")
    unknown = [name for name in services if inventory.services and name not in inventory.services]
    errors = {
        "title": "" if title else "Say in a few words what is wrong.",
        "severity": "" if severity in SEVERITIES else "Choose one.",
        "services": f"There is no service {one_line(unknown[0], 60)}." if unknown else "",
    }
    if any(errors.values()):
        return Wrong({block: text for block, text in errors.items() if text})
    note = (typed(state, "note", _TEXT) or "").strip()
    return NewIncident(title, severity, services, note, bool(_several(state, "triage")))


def _several(state: Mapping[str, Any], block: str) -> tuple[str, ...]:
    found = (state.get(block) or {}).get(_TEXT) or {}
    chosen = [str(one.get("value")) for one in found.get("selected_options") or ()]
    text = found.get("value")
    return tuple(dict.fromkeys(chosen or [part.strip() for part in str(text or "").split(",") if part.strip()]))


def ask(text: str = "", metadata: str = "") -> Block:
    """Return the modal that asks Sysop something."""
    asks = _asks("ask", "What should Sysop look into?", _line(3000, text, multiline=True))
    return _modal(ASK, "Ask Sysop", "Ask", [asks], metadata)


def asked(state: Mapping[str, Any]) -> str | Wrong:
    """Return what was asked."""
    return _needed(state, "ask", "Write a question or a wish.")


def pause(paused: bool, metadata: str = "") -> Block:
    """Return the modal that pauses changes, or lets them go on, with a reason."""
    title, submit = ("Let changes go on", "Go on") if paused else ("Pause changes", "Pause")
    about = (
        "Whatever waited goes on." if paused else "No change begins any more, anywhere, until somebody lets them go on."
    )
    asks = _asks("reason", "Why?", _line(MAX_REASON, multiline=True), hint="It is kept in the audit log.")
    return _modal(PAUSE, title, submit, [rich(section(styled(about))), asks], metadata)


def paused(state: Mapping[str, Any]) -> str | Wrong:
    """Return the reason."""
    return _needed(state, "reason", "Say why, so that others know.")


def _needed(state: Mapping[str, Any], block: str, otherwise: str) -> str | Wrong:
    return (typed(state, block, _TEXT) or "").strip() or Wrong({block: otherwise})
