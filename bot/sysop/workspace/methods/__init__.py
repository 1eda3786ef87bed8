"""The Web API's methods by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sysop.workspace.methods import (
    chat,
    conversations,
    files,
    history,
    identity,
    reactions,
    sessions,
    streams,
    users,
    views,
)
from sysop.workspace.methods.method import Method

_FAMILIES = (identity, chat, streams, sessions, conversations, history, users, reactions, files, views)


def table(*more: Method) -> Mapping[str, Method]:
    """Return every method by its name, with those that need more than the world."""
    families: Iterable[Method] = (method for family in _FAMILIES for method in family.METHODS)
    return MappingProxyType({method.name: method for method in (*families, *more)})
