"""The kinds of patch the API takes: RFC 7386 merge, strategic merge, RFC 6902 JSON patch."""

from __future__ import annotations

import copy
from typing import Any

_KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "conditions": "type"}
_DIRECTIVES = ("$setElementOrder/", "$retainKeys", "$patch")


class BadPatch(Exception):
    """A patch the server cannot apply."""


def merge(target: Any, patch: Any) -> Any:
    """Return a document after an RFC 7386 merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def strategic(target: Any, patch: Any, name: str = "") -> Any:
    """Return a document after a strategic merge patch: known lists are merged by their key, others replaced."""
    if isinstance(patch, list):
        return _list(target if isinstance(target, list) else [], patch, name)
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    fresh = not isinstance(target, dict) or patch.get("$patch") == "replace"
    result = {} if fresh else dict(target)
    for key, value in patch.items():
        if key.startswith(_DIRECTIVES):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value, key)
    return result


def _list(target: list[Any], patch: list[Any], name: str) -> list[Any]:
    by = _KEYS.get(name)
    if by is None:
        return copy.deepcopy(patch)
    result = {one[by]: one for one in target}
    for one in patch:
        if by not in one:
            raise BadPatch(f"map: {one} does not contain declared merge key: {by}")
        if one.get("$patch") == "delete":
            result.pop(one[by], None)
        else:
            result[one[by]] = strategic(result.get(one[by]), one)
    return list(result.values())


def json_patch(target: Any, operations: Any) -> Any:
    """Return a document after the operations add, replace, remove and test of an RFC 6902 patch."""
    result = copy.deepcopy(target)
    for one in operations if isinstance(operations, list) else [None]:
        if not isinstance(one, dict) or not str(one.get("path", "")).startswith("/"):
            raise BadPatch(f"{one} is no operation of a JSON patch")
        _operate(result, one)
    return result


def _operate(document: Any, one: dict[str, Any]) -> None:
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:])
    try:
        for part in way:
            document = document[int(part) if isinstance(document, list) else part]
        at: Any = (len(document) if last == "-" else int(last)) if isinstance(document, list) else last
        if one["op"] == "remove":
            del document[at]
        elif one["op"] == "test":
            if document[at] != one.get("value"):
                raise BadPatch(f"testing value {one['path']} failed")
        elif one["op"] == "add" and isinstance(document, list):
            document.insert(at, one["value"])
        elif one["op"] in ("add", "replace"):
            document[at] = one["value"]
        else:
            raise BadPatch(f"operation {one['op']} is not one of add, replace, remove, test")
    except (KeyError, IndexError, ValueError, TypeError) as bad:
        raise BadPatch(f"{one['path']}: {bad}") from bad


KINDS = {
    "application/merge-patch+json": merge,
    "application/strategic-merge-patch+json": strategic,
    "application/json-patch+json": json_patch,
}
"""By content type."""
