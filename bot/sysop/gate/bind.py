"""From a wish to a bound call: find the action, validate the arguments, fix what exactly would run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from sysop.actions import Action
from sysop.canonical import canonical, digest
from sysop.errors import InvalidCall
from sysop.host import Host
from sysop.inventory import Inventory, nearest
from sysop.model import Call
from sysop.redact import redact


@dataclass(frozen=True, slots=True)
class Bound:
    """A call with validated arguments, defaults filled in, fixed as canonical bytes; `args` is read from those."""

    call: Call
    action: Action
    args: BaseModel
    canonical: str
    target: str
    environment: str
    digest: str


def bind(host: Host, inventory: Inventory, run: str, call: Call) -> Bound:
    """Bind a call to its run. Raises InvalidCall naming the argument and the fix."""
    action = host.find(call.action)
    if action is None:
        raise InvalidCall(f"there is no action {call.action!r}{nearest(call.action, host.actions)}")
    text = _bytes(parse(action, call.args))
    args = parse(action, json.loads(text))
    if _bytes(args) != text:
        raise InvalidCall(f"{action.name}: an argument changes when it is written down; its type cannot be bound")
    _check_domains(action, args, inventory)
    if redact(text) != text:
        raise InvalidCall(f"{action.name}: the arguments hold what looks like a credential; name a secret instead")
    target, environment = action.target_of(args), _environment(args, inventory)
    if "\0" in target + environment:
        raise InvalidCall(f"{action.name}: an argument that names the target holds a NUL character; leave it out")
    payload = {
        "run": run,
        "call": call.id,
        "action": action.name,
        "args": json.loads(text),
        "target": target,
        "environment": environment,
    }
    return Bound(call, action, args, text, target, environment, digest("sysop/call/1", payload))


def _bytes(args: BaseModel) -> str:
    return canonical(args.model_dump(mode="json")).decode()


def parse(action: Action, given: Mapping[str, Any]) -> BaseModel:
    """Return the validated arguments."""
    try:
        return action.parameters.model_validate(dict(given))
    except ValidationError as bad:
        raise InvalidCall(f"{action.name}: {'; '.join(_why(action, bad))}") from None


def _why(action: Action, bad: ValidationError) -> list[str]:
    known = action.parameters.model_fields
    lines = []
    for error in bad.errors():
        name = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            lines.append(f"there is no argument {name!r}{nearest(name, known)}")
        elif error["type"] == "missing":
            lines.append(f"the argument {name!r} is missing")
        else:
            lines.append(f"{name}: {error['msg']}{_as_json(name, error['input'], error['type'])}")
    return lines


def _as_json(name: str, given: Any, kind: str) -> str:
    """Tell how a person writes what is no text, where text was given for it."""
    example = {"dict_type": '{"key": "text"}', "list_type": '["text"]', "tuple_type": '["text"]'}.get(kind)
    return f"; write it as JSON: {name}:='{example}'" if example and isinstance(given, str) else ""


def _check_domains(action: Action, args: BaseModel, inventory: Inventory) -> None:
    for field, domain in action.domains.items():
        members = inventory.domain(domain)
        values = getattr(args, field)
        for value in values if isinstance(values, list | tuple) else [values]:
            if value is not None and members and value not in members:
                raise InvalidCall(
                    f"{action.name}: {field}={value!r} is not a known {domain}{nearest(str(value), members)}"
                )


def _environment(args: BaseModel, inventory: Inventory) -> str:
    named = getattr(args, "environment", None)
    return str(named) if named else inventory.environment_of(getattr(args, "service", None))
