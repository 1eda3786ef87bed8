"""Who may do what at the stand-in, as rules in the manner of RBAC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows verbs on resources (`pods/log` for a subresource) in namespaces; `*` is all, "" no namespace."""

    verbs: Sequence[str]
    resources: Sequence[str]
    namespaces: Sequence[str] = ("*",)

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        """Tell whether the rule allows it."""
        asked = ((self.verbs, verb), (self.resources, resource), (self.namespaces, namespace))
        return all("*" in allowed or one in allowed for allowed, one in asked)


@dataclass(frozen=True, slots=True)
class Rights:
    """The user of a token, and what that user may do."""

    user: str
    rules: Sequence[Rule] = (Rule(("*",), ("*",)),)

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        """Tell whether any rule allows it."""
        return any(rule.allows(verb, resource, namespace) for rule in self.rules)


def reader(user: str) -> Rights:
    """Return the rights of somebody who may look at everything and change nothing."""
    return Rights(user, (Rule(("get", "list", "watch"), ("*",)),))
