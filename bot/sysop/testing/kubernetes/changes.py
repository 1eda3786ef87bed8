"""What somebody changed, read off what an object was to be before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sysop.testing.kubernetes.documents import RESTARTED
from sysop.testing.kubernetes.objects import Document

What = Literal["scale", "restart", "image", "cordon", "uncordon"]


@dataclass(frozen=True, slots=True)
class SpecChange:
    """What somebody asked the cluster to be from now on.

    `before` and `after` are numbers of replicas, images, or the stamps of the restarts ("" for never); of a node
    whether it takes pods. `restart` also stands for any other change of the template: it replaces the pods.
    """

    namespace: str
    name: str
    what: What
    before: str
    after: str
    by: str
    field_manager: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.what} {self.namespace}/{self.name} {self.before} -> {self.after}"


def changed(before: Document, after: Document) -> list[tuple[What, str, str]]:
    """Return what differs between two specs of a node or a workload, each with its values before and after."""
    return (_workload if "template" in before else _node)(before, after)


def _workload(before: Document, after: Document) -> list[tuple[What, str, str]]:
    found: list[tuple[What, str, str]] = []
    if before.get("replicas") != after.get("replicas"):
        found.append(("scale", str(before["replicas"]), str(after["replicas"])))
    one, other = before["template"], after["template"]
    if _image(one) != _image(other):
        found.append(("image", _image(one), _image(other)))
    elif one != other:
        found.append(("restart", _restarted(one), _restarted(other)))
    return found


def _node(before: Document, after: Document) -> list[tuple[What, str, str]]:
    shut, shuts = bool(before.get("unschedulable")), bool(after.get("unschedulable"))
    words = {False: "schedulable", True: "unschedulable"}
    return [] if shut == shuts else [("cordon" if shuts else "uncordon", words[shut], words[shuts])]


def _image(template: Document) -> str:
    image: str = template["spec"]["containers"][0]["image"]
    return image


def _restarted(template: Document) -> str:
    restarted: str = template["metadata"].get("annotations", {}).get(RESTARTED, "")
    return restarted
