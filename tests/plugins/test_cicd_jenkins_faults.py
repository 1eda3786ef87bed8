"""Jenkins as a provider: its life through the gate, faults at the wire, and processes that are killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from delivery_kit import Crashes, Faults, Keyless, Life, Opener

from sysop.testing.jenkins import Jenkins, Outcome
from sysop.testing.jenkins.server import TOKEN, USER


class JenkinsVendor(Jenkins):
    """The stand-in as the kit sees it."""

    name = "jenkins"
    pipeline, parameters = "ci", {"suite": "fast"}
    keyless = "plain"
    service, versions = "checkout", ("1.3.0", "1.4.0")
    tokens = (TOKEN, TOKEN)
    ways: ClassVar[Mapping[str, tuple[str, str]]] = {
        "trigger": ("POST", "/buildWithParameters"),
        "rerun": ("POST", "/buildWithParameters"),
        "cancel": ("POST", "/stop"),
        "deploy": ("POST", "/buildWithParameters"),
        "rollback": ("POST", "/buildWithParameters"),
    }
    made: ClassVar[Mapping[str, str]] = {
        "trigger": "start team/ci",
        "rerun": "start team/ci",
        "cancel": "stop 1",
        "deploy": "start team/release",
        "rollback": "start team/release",
    }
    unseen: frozenset[str] = frozenset()
    egress: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self._ci = self.job("team/ci", ["suite", "sysop_key"])
        self.job("team/plain", ["suite"])
        self.job("team/release", ["service", "version", "sysop_key"])

    def section(self, timeout: float) -> dict[str, Any]:
        key = {"key_parameter": "sysop_key"}
        return {
            "jenkins": {
                "url": self.url,
                "user": USER,
                "token_secret": "token",
                "timeout": timeout,
                "pipelines": {
                    "ci": {"job": "team/ci", "parameters": ["suite"], **key},
                    "plain": {"job": "team/plain", "parameters": ["suite"]},
                    "release": {"job": "team/release", "parameters": ["service", "version"], "deploys": True, **key},
                },
            },
            "services": {"checkout": {"pipeline": "release"}},
        }

    def next(self, *outcomes: Outcome) -> None:
        self._ci.next(*outcomes)


@pytest.fixture
def vendors() -> Opener:
    return JenkinsVendor


class TestLife(Life):
    """The life of jobs."""


class TestFaults(Faults):
    """What goes wrong on the way."""


class TestCrashes(Crashes):
    """Killed processes."""


class TestKeyless(Keyless):
    """A job without a parameter for the key."""
