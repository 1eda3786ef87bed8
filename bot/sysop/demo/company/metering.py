"""What one process of a service counts of itself."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

CODES = ("200", "500", "502", "503", "504")
"""Counted from zero: a rate needs the sample before the first error."""

CALL_CODES = ("200", "502", "504")

_PAGE = os.sysconf("SC_PAGE_SIZE")


def memory_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


class Metrics:
    """The counters of one process in the Prometheus text format."""

    def __init__(self, service: str, version: str, dependencies: Iterable[str]) -> None:
        self._service = service
        self._labels = f'service="{service}",version="{version}"'
        self._requests = Counter(dict.fromkeys(CODES, 0))
        self._calls = Counter({(name, code): 0 for name in dependencies for code in CALL_CODES})
        self._seconds = 0.0
        self._own_seconds = 0.0
        self._work_seconds = 0.0

    def observe(self, code: int, seconds: float, own_seconds: float) -> None:
        """Count one answered request."""
        self._requests[str(code)] += 1
        self._seconds += seconds
        self._own_seconds += own_seconds

    def called(self, dependency: str, code: int) -> None:
        """Count one call to a dependency."""
        self._calls[dependency, str(code)] += 1

    def asked(self, work_seconds: float) -> None:
        """Count the work a request means, whether or not it is done."""
        self._work_seconds += work_seconds

    def vitals(self) -> dict[str, float]:
        """Return what the supervisor wants to know, counted since the start."""
        answered = self._requests.total()
        return {
            "answered": answered,
            "failed": answered - self._requests["200"],
            "seconds": self._seconds,
            "memory_bytes": memory_bytes(),
        }

    def text(self) -> str:
        """Return the counters as Prometheus scrapes them."""
        labels, count, service = self._labels, self._requests.total(), f'service="{self._service}"'
        lines = [
            "# HELP build_info The release that answers.",
            "# TYPE build_info gauge",
            f"build_info{{{labels}}} 1",
            "# HELP http_requests_total Requests answered.",
            "# TYPE http_requests_total counter",
            *(f'http_requests_total{{{labels},code="{code}"}} {n}' for code, n in self._requests.items()),
            "# HELP http_request_seconds Time to answer, calls to dependencies included.",
            "# TYPE http_request_seconds summary",
            f"http_request_seconds_sum{{{labels}}} {self._seconds!r}",
            f"http_request_seconds_count{{{labels}}} {count}",
            "# HELP http_own_seconds Time to answer without calls to dependencies.",
            "# TYPE http_own_seconds summary",
            f"http_own_seconds_sum{{{labels}}} {self._own_seconds!r}",
            f"http_own_seconds_count{{{labels}}} {count}",
            "# HELP dependency_calls_total Calls to other services.",
            "# TYPE dependency_calls_total counter",
            *(
                f'dependency_calls_total{{{service},dependency="{name}",code="{code}"}} {n}'
                for (name, code), n in self._calls.items()
            ),
            "# HELP work_seconds_total Seconds of work that was asked for.",
            "# TYPE work_seconds_total counter",
            f"work_seconds_total{{{service}}} {self._work_seconds!r}",
            "# HELP process_memory_bytes Memory this process holds.",
            "# TYPE process_memory_bytes gauge",
            f"process_memory_bytes{{{service}}} {memory_bytes()}",
        ]
        return "\n".join(lines)
