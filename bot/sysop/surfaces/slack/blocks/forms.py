"""Modals that are easier than typing a command, and what was filled into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from sysop.actions import Action
from sysop.inventory import Inventory
from sysop.surfaces.slack.blocks import inputs
from sysop.surfaces.slack.blocks.fields import TEXT, asks_for, line, modal, needed, several
from sysop.surfaces.slack.blocks.inputs import Given, Wrong, option, typed
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import rich, said, section, styled
from sysop.surfaces.slack.text import one_line

RUN: Final = "form.run"
CHOOSE: Final = "form.choose"
INCIDENT: Final = "form.incident"
ASK: Final = "form.ask"
PAUSE: Final = "form.pause"
SEVERITIES: Final = ("critical", "error", "warning", "info")
MAX_TITLE: Final = 150
MAX_REASON: Final = 500
_ERRORS: Final = "What was typed does not fit."


@dataclass(frozen=True, slots=True)
class NewIncident:
    """An incident that a person opens."""

    title: str
    severity: str
    services: tuple[str, ...]
    note: str
    triage: bool


def choose(actions: Mapping[str, Action], metadata: str = "") -> Block:
    """Return the modal that asks which action to run: from a menu, or by name where there are too many."""
    names = sorted(actions)
    fits = 0 < len(names) <= inputs.MOST_OPTIONS and all(0 < len(name) <= 75 for name in names)
    menu: Block = {"type": "static_select", "options": [option(name, name) for name in names]}
    asks = asks_for("action", "Which action?", menu if fits else line(150), hint="Its arguments come next.")
    return modal(CHOOSE, "Run an action", "Next", [asks], metadata)


def chosen(actions: Mapping[str, Action], state: Mapping[str, Any]) -> Action | Wrong:
    """Return the action that was chosen."""
    name = (typed(state, "action", TEXT) or "").strip()
    return actions.get(name) or Wrong({"action": "There is no such action."})


def run(action: Action, inventory: Inventory, given: Mapping[str, Any], metadata: str = "") -> Block:
    """Return the modal that asks for the arguments of an action, filled with what is given."""
    risk = {"read": "It only looks.", "change": "It changes something.", "destructive": "It can destroy something."}
    head = rich(
        section(styled(one_line(action.name, 150), "bold"), styled(f" · {action.risk}")),
        section(*said(one_line(action.summary, 600), Links()), styled(f" {risk[action.risk]}")),
    )
    asked = inputs.inputs(action.schema(inventory), given)
    return modal(RUN, "Run an action", "Run", [head, *asked], metadata)


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
    fits = 0 < len(services) <= inputs.MOST_OPTIONS and all(0 < len(name) <= 75 for name in services)
    look = [option("Look into it right away", "yes")]
    return modal(
        INCIDENT,
        "New incident",
        "Open",
        [
            asks_for("title", "What is wrong?", line(MAX_TITLE, title)),
            asks_for(
                "severity",
                "How bad is it?",
                {"type": "static_select", "options": severity, "initial_option": severity[1]},
            ),
            asks_for(
                "services",
                "Which services?",
                menu if fits else line(300),
                optional=True,
                hint="" if fits else "Parted by commas.",
            ),
            asks_for("note", "What do you know so far?", line(3000, note, multiline=True), optional=True),
            asks_for(
                "triage", "Triage", {"type": "checkboxes", "options": look, "initial_options": look}, optional=True
            ),
        ],
        metadata,
    )


def opened(inventory: Inventory, state: Mapping[str, Any]) -> NewIncident | Wrong:
    """Return the incident that was asked for."""
    title = one_line(typed(state, "title", TEXT) or "", MAX_TITLE)
    severity = typed(state, "severity", TEXT) or ""
    services = several(state, "services")
    unknown = [name for name in services if inventory.services and name not in inventory.services]
    errors = {
        "title": "" if title else "Say in a few words what is wrong.",
        "severity": "" if severity in SEVERITIES else "Choose one.",
        "services": f"There is no service {one_line(unknown[0], 60)}." if unknown else "",
    }
    if any(errors.values()):
        return Wrong({block: text for block, text in errors.items() if text})
    note = (typed(state, "note", TEXT) or "").strip()
    return NewIncident(title, severity, services, note, bool(several(state, "triage")))


def ask(text: str = "", metadata: str = "") -> Block:
    """Return the modal that asks Sysop something."""
    asks = asks_for("ask", "What should Sysop look into?", line(3000, text, multiline=True))
    return modal(ASK, "Ask Sysop", "Ask", [asks], metadata)


def asked(state: Mapping[str, Any]) -> str | Wrong:
    """Return what was asked."""
    return needed(state, "ask", "Write a question or a wish.")


def pause(paused: bool, metadata: str = "") -> Block:
    """Return the modal that pauses changes, or lets them go on, with a reason."""
    title, submit = ("Let changes go on", "Go on") if paused else ("Pause changes", "Pause")
    about = (
        "Whatever waited goes on." if paused else "No change begins any more, anywhere, until somebody lets them go on."
    )
    asks = asks_for("reason", "Why?", line(MAX_REASON, multiline=True), hint="It is kept in the audit log.")
    return modal(PAUSE, title, submit, [rich(section(styled(about))), asks], metadata)


def paused(state: Mapping[str, Any]) -> str | Wrong:
    """Return the reason."""
    return needed(state, "reason", "Say why, so that others know.")
