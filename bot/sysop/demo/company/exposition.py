"""What the supervisor knows, in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sysop.demo.company.estate import Estate
from sysop.demo.company.workload import Workload

_OF_WORKLOADS: tuple[tuple[str, str, str, Callable[[Workload], float]], ...] = (
    ("replicas_wanted", "gauge", "Replicas there should be.", lambda workload: workload.wanted),
    ("replicas_ready", "gauge", "Replicas that serve.", lambda workload: workload.ready),
    ("replica_restarts_total", "counter", "Replicas that ended by themselves.", lambda workload: workload.restarts),
    ("rollout_seconds", "gauge", "Age of an unfinished rollout.", lambda workload: round(workload.rollout_seconds, 3)),
)
_OF_ESTATES: tuple[tuple[str, str, str, Callable[[Estate], float]], ...] = (
    ("disk_used_ratio", "gauge", "Share of the data folder's space in use.", lambda estate: estate.disk.used),
    (
        "certificate_expires_seconds",
        "gauge",
        "Until the certificate expires.",
        lambda estate: round(estate.certificate_seconds, 3),
    ),
    ("config_valid", "gauge", "Whether the newest configuration was taken.", lambda estate: estate.configuration.valid),
)


def text(workloads: dict[str, Workload], estates: dict[str, Estate]) -> str:
    """Return the metrics of every service."""
    return "\n".join(_lines(workloads, estates)) + "\n"


def _lines(workloads: dict[str, Workload], estates: dict[str, Estate]) -> Iterator[str]:
    for name, kind, help_text, of_workload in _OF_WORKLOADS:
        yield from _head(name, kind, help_text)
        for service, workload in workloads.items():
            yield f'{name}{{service="{service}"}} {float(of_workload(workload))!r}'
    for name, kind, help_text, of_estate in _OF_ESTATES:
        yield from _head(name, kind, help_text)
        for service, estate in estates.items():
            yield f'{name}{{service="{service}"}} {float(of_estate(estate))!r}'
    yield from _head("config_info", "gauge", "The configuration that was brought live last.")
    for service, estate in estates.items():
        yield f'config_info{{service="{service}",revision="{estate.configuration.live}"}} 1'
    yield from _head("pipeline_result", "gauge", "How the newest build of a pipeline went: 1 passed, 0 failed.")
    for service, estate in estates.items():
        if (checks := estate.checks).result is not None:
            labels = f'pipeline="checks",service="{service}",build="{checks.build}"'
            yield f"pipeline_result{{{labels}}} {int(checks.result == 'passed')}"


def _head(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
