"""What is stored: objects as JSON documents, each change of one with a new resource version."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]


def stamp(seconds: float) -> str:
    """Return a time as Kubernetes writes it: whole seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Objects:
    """All objects of a cluster by resource, namespace and name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.version = 1000
        self._kept: dict[str, dict[tuple[str, str], Document]] = {}

    def get(self, resource: str, namespace: str, name: str) -> Document | None:
        """Return an object itself, not a copy."""
        return self._kept.get(resource, {}).get((namespace, name))

    def every(self, resource: str, namespace: str = "") -> list[Document]:
        """Return the objects of a namespace, or of all, in the order of their names."""
        kept = sorted(self._kept.get(resource, {}).items())
        return [document for (space, _), document in kept if namespace in ("", space)]

    def put(self, resource: str, document: Document) -> Document:
        """Store an object under a new resource version."""
        meta = document["metadata"]
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        meta.setdefault("uid", str(uuid.uuid5(uuid.NAMESPACE_OID, f"{resource} {self.version}")))
        meta.setdefault("creationTimestamp", stamp(self.clock()))
        self._kept.setdefault(resource, {})[meta.get("namespace", ""), meta["name"]] = document
        return document

    def remove(self, resource: str, document: Document) -> None:
        """Forget an object."""
        meta = document["metadata"]
        self.version += 1
        self._kept[resource].pop((meta.get("namespace", ""), meta["name"]), None)
