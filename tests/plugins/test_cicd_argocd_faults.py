"""Argo CD put through a whole life, faults at the wire, and crashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from delivery_kit import Crashes, Faults, Life, Opener

from sysop.testing.argocd import Application, Argo, Fault, Outcome
from sysop.testing.argocd.server import PROJECT, TOKEN


class ArgoVendor:
    """Argo CD's stand-in: `infra` is synced to what Git says, `checkout` is deployed."""

    name = "argocd"
    pipeline = "infra"
    parameters: ClassVar[Mapping[str, str]] = {}
    keyless = None
    service = "checkout"
    versions = ("v1.3.0", "v1.4.0", "v1.5.0")
    tokens = (TOKEN, TOKEN)
    ways: ClassVar[Mapping[str, tuple[str, str]]] = {
        "trigger": ("POST", "/sync"),
        "rerun": ("POST", "/sync"),
        "cancel": ("DELETE", "/operation"),
        "deploy": ("POST", "/sync"),
        "rollback": ("POST", "/rollback"),
    }
    made: ClassVar[Mapping[str, str]] = {
        "trigger": "sync infra main",
        "rerun": "sync infra main",
        "cancel": "terminate infra",
        "deploy": "sync checkout v1.3.0",
        "rollback": "rollback checkout 1",
    }
    unseen: frozenset[str] = frozenset()
    egress: Sequence[str] = ()

    def __init__(self, server: Argo) -> None:
        self.server = server
        self.infra: Application = server.application("infra", "main")
        server.application("checkout", *self.versions)

    @property
    def changes(self) -> Sequence[str]:
        return self.server.changes

    def section(self, timeout: float) -> dict[str, Any]:
        pipelines = {
            "infra": {"application": "infra", "deploys": False, "project": PROJECT},
            "argo": {"application": "{service}", "project": PROJECT},
        }
        return {
            "argocd": {
                "url": self.server.url,
                "token_secret": "token",
                "pipelines": pipelines,
                "timeout": timeout,
            },
            "services": {"checkout": {"pipeline": "argo"}},
        }

    def next(self, *outcomes: Outcome) -> None:
        self.infra.next(*outcomes)

    def fault(self, fault: Fault) -> None:
        self.server.fault(fault)


@pytest.fixture
def vendors() -> Opener:
    @contextmanager
    def opened():
        with Argo() as server:
            yield ArgoVendor(server)

    return opened


class TestLife(Life):
    """The life of syncs and deploys."""


class TestFaults(Faults):
    """What goes wrong on the way."""


class TestCrashes(Crashes):
    """Killed processes."""
