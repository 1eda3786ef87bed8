"""GitHub as a provider: its life through the gate, faults at the wire, and processes that are killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from delivery_kit import Crashes, Faults, Keyless, Life, Opener

from sysop.testing.github import Fault, GitHub, Outcome
from sysop.testing.github.server import READ_TOKEN, WRITE_TOKEN


class GitHubVendor(GitHub):
    """The stand-in as the kit sees it."""

    name = "github"
    pipeline, parameters = "ci", {"suite": "fast"}
    keyless = "plain"
    service, versions = "checkout", ("1.3.0", "1.4.0")
    tokens = (READ_TOKEN, WRITE_TOKEN)
    ways: ClassVar[Mapping[str, tuple[str, str]]] = {
        "trigger": ("POST", "/dispatches"),
        "rerun": ("POST", "/rerun-failed-jobs"),
        "cancel": ("POST", "/cancel"),
        "deploy": ("POST", "/deployments"),
        "rollback": ("POST", "/deployments"),
    }
    made: ClassVar[Mapping[str, str]] = {
        "trigger": "dispatch ci.yml",
        "rerun": "rerun 1001",
        "cancel": "cancel 1001",
        "deploy": "deploy 1.3.0",
        "rollback": "deploy 1.3.0",
    }
    unseen: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self._repo = self.repository("acme/checkout", ["main", *self.versions])
        self._repo.workflow("ci.yml", {"suite": True, "sysop_key": False}, "ci {suite} {sysop_key}")
        self._repo.workflow("plain.yml", {"suite": True})

    @property
    def egress(self) -> Sequence[str]:
        return [self.logs_url.removeprefix("http://")]

    def section(self, timeout: float) -> dict[str, Any]:
        ours = {"repository": "acme/checkout", "parameters": ["suite"]}
        return {
            "github": {
                "api": self.url,
                "token_secret": "token",
                "timeout": timeout,
                "pipelines": {
                    "ci": {**ours, "workflow": "ci.yml", "key_input": "sysop_key"},
                    "plain": {**ours, "workflow": "plain.yml"},
                    "release": {"repository": "acme/checkout", "environment": "production"},
                },
            },
            "services": {"checkout": {"pipeline": "release"}},
        }

    def next(self, *outcomes: Outcome) -> None:
        self._repo.next(*outcomes)

    def fault(self, fault: Fault) -> None:
        super().fault(fault)


@pytest.fixture
def vendors() -> Opener:
    return GitHubVendor


class TestLife(Life):
    """The life of pipelines and deployments."""


class TestFaults(Faults):
    """What goes wrong on the way."""


class TestCrashes(Crashes):
    """Killed processes."""


class TestKeyless(Keyless):
    """A workflow without an input for the key."""
