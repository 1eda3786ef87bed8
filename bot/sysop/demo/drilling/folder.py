"""Reads the folders of drills and draws from them. Only the engine does: where they lie is told to nobody else."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sysop import yamlsafe
from sysop.demo.company.topology import WHOLE
from sysop.demo.drilling.schema import AnyFault, Config, FaultFile, Oracle, Release, Truth
from sysop.errors import SysopError
from sysop.inventory import nearest

SHIPPED = Path(__file__).resolve().parent.parent / "drills"
FILES = ("fault.yaml", "truth.yaml", "oracle.yaml")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")

T = TypeVar("T", bound=BaseModel)


class DrillError(SysopError):
    """A drill cannot be used as it is written; names the file, the field and the fix."""


@dataclass(frozen=True)
class Order:
    """One thing that goes wrong, or an innocent deploy, so many seconds after all was well."""

    at: float
    fault: AnyFault


@dataclass(frozen=True)
class Drill:
    """A drill as a seed has drawn it. `orders` are in their order of time."""

    name: str
    seed: int
    about: FaultFile
    orders: tuple[Order, ...]
    truth: Truth
    oracle: Oracle


def names(folder: Path) -> list[str]:
    """Return the names of the drills in a folder. Raises DrillError where there is none."""
    if not folder.is_dir():
        raise DrillError(f"{folder} is no folder; --dir names one that holds a folder for each drill")
    found = sorted(at.name for at in folder.iterdir() if at.is_dir() and not at.name.startswith((".", "__")))
    if not found:
        raise DrillError(f"{folder} holds no drill: make a folder in it with {', '.join(FILES)}")
    return found


def load(folder: Path, name: str, seed: int) -> Drill:
    """Read a drill and draw from it by a seed: the same on every machine. Raises DrillError."""
    if name not in (known := names(folder)):
        raise DrillError(f"there is no drill {name!r} in {folder}{nearest(name, known)}")
    if not _NAME.fullmatch(name):
        raise DrillError(f"{folder / name}: name the folder in lower-case letters, digits and hyphens")
    texts = {file: _read(folder / name / file) for file in FILES}
    # A reproducible draw, not a secret; a text seed does not depend on the hash of the process.
    dice = random.Random(f"drill {name} {seed}")  # noqa: S311
    drawn = _draw(texts["fault.yaml"], dice)
    about = _checked(FaultFile, texts["fault.yaml"], drawn)
    later = frozenset(good(fault) for fault in about.faults if isinstance(fault, Release | Config))
    return Drill(
        name=name,
        seed=seed,
        about=about,
        orders=_orders(about, dice),
        truth=_checked(Truth, texts["truth.yaml"], drawn, later),
        oracle=_checked(Oracle, texts["oracle.yaml"], drawn, later),
    )


def good(fault: Release | Config) -> str:
    """Return the name of the variable that holds what was live before a fault."""
    return f"{fault.name}.good" if fault.name else "good"


def filled(value: T, variables: Mapping[str, str]) -> T:
    """Return a part of a drill with the variables that are known only once the company runs."""
    return type(value).model_validate(_replaced(value.model_dump(by_alias=True), variables))


@dataclass(frozen=True)
class _Text:
    """A file as it was read."""

    path: Path
    document: yamlsafe.Document

    def refuse(self, place: Sequence[str | int], message: str) -> DrillError:
        """Return an error that names the line as nearly as it is known."""
        at = tuple(place)
        while at and at not in self.document.lines:
            at = at[:-1]
        line = self.document.lines.get(at, 1)
        field = ".".join(map(str, place))
        return DrillError(f"{self.path}:{line}: {f'{field}: ' if field else ''}{message}")


def _read(path: Path) -> _Text:
    try:
        text = path.read_bytes()
    except OSError as bad:
        raise DrillError(f"{path}: {bad.strerror}; a drill has the files {', '.join(FILES)}") from None
    found = yamlsafe.read(text, name=str(path), error=DrillError)
    if not isinstance(found.value, dict):
        raise DrillError(f"{path}:1: write fields, each as `name: value`")
    return _Text(path, found)


def _draw(text: _Text, dice: random.Random) -> dict[str, str]:
    """Return a value for each name in `choose`; a value that was drawn is not drawn again."""
    choose = text.document.value.get("choose") or {}
    if not isinstance(choose, dict):
        raise text.refuse(("choose",), "write names, each with a list of values")
    drawn: dict[str, str] = {}
    for name, values in choose.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise text.refuse(("choose", name), "write a list of values such as [gateway, checkout]")
        left = [value for value in values if value not in drawn.values()]
        if not left:
            raise text.refuse(("choose", name), "no value is left that no other name has drawn; add values")
        drawn[name] = dice.choice(left)
    return drawn


def _checked(model: type[T], text: _Text, drawn: Mapping[str, str], later: frozenset[str] = frozenset()) -> T:
    """Return a file with its variables replaced, but for those that are known later."""
    _refuse_unknown(text, text.document.value, (), {*drawn, *later})
    try:
        return model.model_validate(_replaced(text.document.value, drawn))
    except ValidationError as bad:
        raise _readable(text, model, bad) from None


def _readable(text: _Text, model: type[BaseModel], bad: ValidationError) -> DrillError:
    first = bad.errors()[0]
    place = [part for part in first["loc"] if not (isinstance(part, str) and part in _TAGS)]
    kind, message = first["type"], str(first["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        message = f"there is no such field{nearest(str(place[-1]), known)}" if len(place) == 1 else "remove this field"
    elif kind == "missing":
        message = "this field is missing; add it"
    elif kind == "union_tag_invalid":
        message = f"there is no such kind; the kinds are {first['ctx']['expected_tags']}"
        place.append("kind")
    return text.refuse(place, message)


_TAGS = {
    *("release", "config", "checks", "surge", "disk", "certificate", "dependency"),
    *("false_alarm", "poison", "leak", "crash"),
}


def _refuse_unknown(text: _Text, value: Any, place: tuple[str | int, ...], known: set[str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_unknown(text, key, (*place, key), known)
            _refuse_unknown(text, inner, (*place, key), known)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            _refuse_unknown(text, inner, (*place, at), known)
    elif isinstance(value, str):
        for name in _VARIABLE.findall(value):
            if name not in known:
                there = f"there are {', '.join(sorted(known))}" if known else "name it under `choose` of fault.yaml"
                raise text.refuse(place, f"nothing is called ${{{name}}}; {there}")


def _replaced(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a value with every variable that is known written out, in keys, too."""
    if isinstance(value, Mapping):
        return {_replaced(key, variables): _replaced(inner, variables) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(inner, variables) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), value)
    return value


def _orders(about: FaultFile, dice: random.Random) -> tuple[Order, ...]:
    orders = [Order(round(dice.uniform(*fault.at), 1), fault) for fault in about.faults]
    guilty = {getattr(fault, "service", "") for fault in about.faults}
    innocent = [name for name in WHOLE if name not in guilty]
    for _ in range(dice.randint(*about.decoys.deploys) if innocent else 0):
        decoy = Release(service=dice.choice(innocent), fault="none")
        orders.append(Order(round(dice.uniform(*about.decoys.after), 1), decoy))
    return tuple(sorted(orders, key=lambda order: order.at))
