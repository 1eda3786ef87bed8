"""GitLab as a provider: its life through the gate, faults at the wire, and processes that are killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from delivery_kit import Crashes, Faults, Life, Opener

from sysop.testing.gitlab import GitLab, Outcome
from sysop.testing.gitlab.server import READ_TOKEN, WRITE_TOKEN


class GitLabVendor(GitLab):
    """The stand-in as the kit sees it."""

    name = "gitlab"
    pipeline, parameters = "ci", {"suite": "fast"}
    keyless = None
    service, versions = "checkout", ("1.3.0", "1.4.0")
    tokens = (READ_TOKEN, WRITE_TOKEN)
    ways: ClassVar[Mapping[str, tuple[str, str]]] = {
        "trigger": ("POST", "/pipeline"),
        "rerun": ("POST", "/retry"),
        "cancel": ("POST", "/cancel"),
        "deploy": ("POST", "/pipeline"),
        "rollback": ("POST", "/pipeline"),
    }
    made: ClassVar[Mapping[str, str]] = {
        "trigger": "start main",
        "rerun": "retry 401",
        "cancel": "cancel 401",
        "deploy": "start 1.3.0",
        "rollback": "start 1.3.0",
    }
    unseen: frozenset[str] = frozenset()
    egress: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self._project = self.project("acme/checkout", ["main", *self.versions])

    def section(self, timeout: float) -> dict[str, Any]:
        ours = {"project": "acme/checkout"}
        return {
            "gitlab": {
                "url": self.url,
                "token_secret": "token",
                "timeout": timeout,
                "pipelines": {
                    "ci": {**ours, "parameters": ["suite"]},
                    "release": {**ours, "environment": "production"},
                },
            },
            "services": {"checkout": {"pipeline": "release"}},
        }

    def next(self, *outcomes: Outcome) -> None:
        self._project.next(*outcomes)


@pytest.fixture
def vendors() -> Opener:
    return GitLabVendor


class TestLife(Life):
    """The life of pipelines and deployments."""


class TestFaults(Faults):
    """What goes wrong on the way."""


class TestCrashes(Crashes):
    """Killed processes."""
