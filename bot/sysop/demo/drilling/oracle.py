"""Says whether all is well, by the company's own account of itself and nothing of Sysop's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sysop.demo.drilling.folder import DrillError
from sysop.demo.drilling.schema import Figure, Oracle

WELL_RATIO = 0.99
WELL_SECONDS = 0.4
"""The limit of the company's own alert on latency."""


class Watch:
    """Looks at one status after the other and knows since when everything has held. Times are monotonic seconds."""

    def __init__(self, oracle: Oracle, start: Mapping[str, Any]) -> None:
        self._oracle = oracle
        self._start = start["services"]
        self._since: float | None = None
        self.wrong: tuple[str, ...] = ("nothing was looked at",)

    def look(self, status: Mapping[str, Any], now: float) -> None:
        """Take in a status. Raises DrillError where the company does not report what is asked."""
        self.wrong = tuple(self._wrong(status["services"]))
        if self.wrong:
            self._since = None
        elif self._since is None:
            self._since = now

    def steady(self, now: float) -> bool:
        """Say whether everything has held for long enough."""
        return self._since is not None and now - self._since >= self._oracle.steady

    def _wrong(self, services: Mapping[str, Any]) -> Iterator[str]:
        for name in self._oracle.well:
            yield from _unwell(name, services)
        for name, version in self._oracle.live.items():
            if (found := _of(services, name, "version")) != version:
                yield f"{name} {found} is live, not {version}"
        for name, revision in self._oracle.config.items():
            if (found := str(_of(services, name, "config_revision"))) != revision:
                yield f"{name} has configuration {found}, not {revision}"
        for figure in self._oracle.figures:
            yield from self._off(figure, services)

    def _off(self, figure: Figure, services: Mapping[str, Any]) -> Iterator[str]:
        value = _of(services, figure.service, figure.figure)
        named = f"{figure.figure} of {figure.service} is {value}"
        if value is None:
            yield f"{named}: not measured"
            return
        if figure.below is not None and float(value) >= figure.below:
            yield f"{named}, not below {figure.below:g}"
        if figure.above is not None and float(value) <= figure.above:
            yield f"{named}, not above {figure.above:g}"
        if figure.same and value != (before := _of(self._start, figure.service, figure.figure)):
            yield f"{named}, at the start it was {before}"


def _unwell(name: str, services: Mapping[str, Any]) -> Iterator[str]:
    ratio, seconds = _of(services, name, "success_ratio"), _of(services, name, "latency_seconds")
    if ratio is None or ratio < WELL_RATIO:
        yield f"{name} answers {ratio if ratio is None else format(ratio, '.0%')} of its requests well"
    if seconds is not None and seconds >= WELL_SECONDS:
        yield f"{name} takes {seconds:.2f} s for a request"


def _of(services: Mapping[str, Any], name: str, figure: str) -> Any:
    if name not in services:
        raise DrillError(f"oracle.yaml: the company has no service {name}; it has {', '.join(services)}")
    if figure not in services[name]:
        raise DrillError(f"oracle.yaml: the company reports no {figure} of {name}; it has {', '.join(services[name])}")
    return services[name][figure]
