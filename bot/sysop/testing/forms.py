"""Forms as people fill them in: labels and what is typed beside them, turned into what a client sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sysop.testing.errors import NotThere
from sysop.testing.seen import Part, Seen
from sysop.testing.words import label

State = dict[str, dict[str, dict[str, Any]]]


def filled(form: Seen, values: Mapping[str, Any]) -> State:
    """Return `state.values` for a form. Raises NotThere for a label it does not have, or a choice not offered."""
    state: State = {}
    for name, value in values.items():
        part = field(form, name)
        state.setdefault(part.block, {})[part.action] = {"type": part.element["type"], **_value(part, value)}
    return state


def field(form: Seen, name: str) -> Part:
    """Return the input with a label; case and a question mark do not matter."""
    for part in form.fields:
        if _bare(part.label) == _bare(name):
            return part
    raise NotThere(f"this form asks for nothing called {name!r}:\n{form}")


def _bare(text: str) -> str:
    return text.strip(" ?:.").casefold()


def _value(part: Part, value: Any) -> dict[str, Any]:
    match str(part.element["type"]):
        case "static_select" | "radio_buttons":
            return {"selected_option": None if value is None else _option(part, value)}
        case "multi_static_select" | "checkboxes":
            chosen = [value] if isinstance(value, str) else list(value)
            return {"selected_options": [_option(part, one) for one in chosen]}
        case "datepicker":
            return {"selected_date": value}
        case "timepicker":
            return {"selected_time": value}
        case _:
            return {"value": value}


def _option(part: Part, wanted: Any) -> dict[str, Any]:
    options = list(part.element.get("options") or ())
    for option in options:
        if wanted in (label(option), option.get("value")):
            return dict(option)
    raise NotThere(f"{part.label!r} offers no {wanted!r}, only {', '.join(map(label, options))}")
