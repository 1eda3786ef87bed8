"""Label and field selectors, and pages of lists."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from sysop.testing.kubernetes.objects import Document

_FIELDS: Mapping[str, Mapping[str, str]] = {
    "pods": {"spec.nodeName": "spec.nodeName", "status.phase": "status.phase"},
    "events": {
        name: name
        for name in (*(f"involvedObject.{of}" for of in ("kind", "name", "namespace", "uid")), "reason", "type")
    },
    "nodes": {"spec.unschedulable": "spec.unschedulable"},
}
_SET = re.compile(r"\s*(?P<key>[^\s,!=]+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)\s*")


class BadSelector(Exception):
    """A selector or a page the server does not understand."""


def labelled(selector: str) -> Callable[[Document], bool]:
    """Return whether a document has the labels asked for. Raises BadSelector."""
    tests = [_requirement(one) for one in re.split(r",(?![^(]*\))", selector) if one.strip()]
    return lambda document: all(test(document["metadata"].get("labels", {})) for test in tests)


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.fullmatch(text):
        values = {one.strip() for one in found["values"].split(",")}
        key, wanted = found["key"], found["how"] == "in"
        return lambda labels: (labels.get(key) in values) == wanted
    if re.fullmatch(r"\s*!?[\w./-]+\s*", text):
        key, wanted = text.strip().lstrip("!"), not text.strip().startswith("!")
        return lambda labels: (key in labels) == wanted
    if found := re.fullmatch(r"\s*(?P<key>[\w./-]+)\s*(?P<how>==?|!=)\s*(?P<value>[\w.-]*)\s*", text):
        key, value, wanted = found["key"], found["value"], found["how"] != "!="
        return lambda labels: (labels.get(key) == value) == wanted
    raise BadSelector(f"unable to parse requirement: {text!r}")


def matching(resource: str, selector: str) -> Callable[[Document], bool]:
    """Return whether a document has the fields asked for. Raises BadSelector."""
    known = {"metadata.name", "metadata.namespace", *_FIELDS.get(resource, {})}
    tests: list[tuple[str, str, bool]] = []
    for one in filter(None, selector.split(",")):
        name, how, value = re.split(r"(==|!=|=)", one, maxsplit=1) if "=" in one else (one, "", "")
        if not how:
            raise BadSelector(f"invalid selector: {one!r}; can't understand {one!r}")
        if name not in known:
            raise BadSelector(f"field label not supported: {name}")
        tests.append((name, value, how != "!="))
    return lambda document: all((_at(document, name) == value) == wanted for name, value, wanted in tests)


def _at(document: Document, path: str) -> str:
    found: Any = document
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, Mapping) else ""
    return str(found).lower() if isinstance(found, bool) else str(found)


def page(items: list[Document], query: Mapping[str, str], version: str) -> tuple[list[Document], Document]:
    """Return the items of the page asked for and the metadata of the list. Raises BadSelector."""
    start = 0
    if mark := query.get("continue"):
        try:
            start = int(base64.urlsafe_b64decode(mark).decode().removeprefix("from "))
        except ValueError as bad:
            raise BadSelector(f"continue key is not valid: {mark!r}") from bad
    asked = query.get("limit", "0")
    if not asked.isdecimal():
        raise BadSelector(f"limit: {asked!r} is no number")
    end = start + int(asked) if int(asked) else len(items)
    meta: Document = {"resourceVersion": version}
    if end < len(items):
        meta |= {
            "continue": base64.urlsafe_b64encode(f"from {end}".encode()).decode(),
            "remainingItemCount": len(items) - end,
        }
    return items[start:end], meta
