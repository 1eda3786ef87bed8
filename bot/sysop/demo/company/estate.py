"""What a service has besides its processes: files, a certificate, a configuration and checks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sysop.demo.company.disk import KEPT, OLD, PIECE_BYTES, SPACE_BYTES, Disk
from sysop.demo.company.releases import Fault

DAY = 86400.0
CERTIFICATE_DAYS = 90.0
FILLED_TO = 0.97
FILLS_A_SECOND = 0.1
"""The share of the space that a runaway writer takes."""


class UnknownRevision(Exception):
    """A service has no such configuration revision; the text lists those it has."""


@dataclass(frozen=True)
class Revision:
    """One revision of a configuration. An invalid one is rejected by the service, which keeps the one before."""

    name: str
    valid: bool = True
    fault: Fault | None = None


@dataclass
class Configuration:
    """The revisions of one service's configuration, oldest first, and which one was brought live last."""

    revisions: list[Revision] = field(default_factory=lambda: [Revision(f"r{number}") for number in (5, 6)])
    live: str = "r6"

    @property
    def valid(self) -> bool:
        """Say whether the service took the revision that was brought live last."""
        return self.find(self.live).valid

    def find(self, name: str) -> Revision:
        """Return a revision, or raise UnknownRevision with the names that exist."""
        for revision in self.revisions:
            if revision.name == name:
                return revision
        known = ", ".join(revision.name for revision in self.revisions)
        raise UnknownRevision(f"there is no revision {name!r}; the revisions are {known}")

    def make(self, valid: bool, fault: Fault | None) -> Revision:
        """Add a revision without bringing it live."""
        made = Revision(f"r{int(self.revisions[-1].name[1:]) + 1}", valid, fault)
        self.revisions.append(made)
        return made


@dataclass(frozen=True)
class Test:
    """One of a service's checks and how it went; `said` is what it printed when it failed."""

    name: str
    passed: bool
    said: tuple[str, ...] = ()


@dataclass
class Checks:
    """The checks of a service: how often they fail from now on, and how they went last.

    A flaky check fails because of its surroundings, and passes when it runs again; a real failure stays.
    """

    flaky_runs: int = 0
    broken: bool = False
    build: str = ""
    result: str | None = None

    def run(self, answers: bool, build: str) -> list[Test]:
        """Run the checks once; the first of them is whether the service answers."""
        tests = list(self._tests(answers))
        self.build = build
        self.result = "passed" if all(test.passed for test in tests) else "failed"
        return tests

    def _tests(self, answers: bool) -> Iterator[Test]:
        yield Test("test_the_service_answers", answers, () if answers else ("E       the service does not answer",))
        yield Test("test_the_price_is_the_sum_of_its_parts", not self.broken, _ASSERTION if self.broken else ())
        flaky, self.flaky_runs = self.flaky_runs > 0, max(0, self.flaky_runs - 1)
        yield Test("test_a_message_arrives", not flaky, _TIMEOUT if flaky else ())


_ASSERTION = (
    "    def test_the_price_is_the_sum_of_its_parts():",
    ">       assert price([250, 250]) == 500",
    "E       AssertionError: assert 499 == 500",
    "tests/test_price.py:31: AssertionError",
)
_TIMEOUT = (
    "    queue = connect('amqp://ci-broker:5672', timeout=5)",
    "E       TimeoutError: timed out waiting for ci-broker:5672",
    "tests/test_messages.py:12: TimeoutError",
)


class Estate:
    """All of it, for one service."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder)
        self.configuration = Configuration()
        self.checks = Checks()
        self.expires_at = time.time() + CERTIFICATE_DAYS * DAY

    @property
    def certificate_seconds(self) -> float:
        """Return how long the certificate is still good."""
        return self.expires_at - time.time()

    def certify(self, days: float) -> None:
        """Put a certificate in place that is good for so many days."""
        self.expires_at = time.time() + days * DAY

    async def fill(self, cleanable: float) -> None:
        """Fill the disk, with that share of files that may be removed; ends when it is nearly full."""
        grown = kept = 0
        while self.disk.used < FILLED_TO:
            grown += 1
            keep = kept < grown * (1 - cleanable)
            kept += keep
            self.disk.write(KEPT if keep else OLD)
            await asyncio.sleep(PIECE_BYTES / SPACE_BYTES / FILLS_A_SECOND)
