"""Who answers the queries of watches: the metric sources of plugins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sysop.errors import ActionFailed, CallError, SettingsError
from sysop.extension import MetricQuery, MetricSeries, MetricSource
from sysop.gate.context import Contexts
from sysop.host import Host
from sysop.inventory import nearest
from sysop.redact import redact
from sysop.sections import WatchSettings

ANSWER_S = 60.0
"""A source that has not answered by then has failed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """Asks a metric source by name, with its plugin's own settings, hosts and read-scoped credentials."""

    host: Host
    contexts: Contexts

    async def ask(self, name: str, query: MetricQuery) -> Sequence[MetricSeries]:
        """Return the answer of a source. Raises CallError, or SettingsError for a missing source or credential."""
        source = self._source(name)
        context = self.contexts.for_plugin(self.host.plugins[source.plugin])
        try:
            async with asyncio.timeout(ANSWER_S):
                return await source.read(context, self._secret, query)
        except (CallError, SettingsError):
            raise
        except TimeoutError:
            raise ActionFailed(f"{name}: no answer within {ANSWER_S:g} s") from None
        except Exception as broken:  # a plugin's code may fail in any way; the other watches look on
            log.debug("the metric source %s raised", name, exc_info=True)
            said = redact(f"{name}: {type(broken).__name__}: {broken}", self.contexts.secrets.known())
            raise ActionFailed(said) from broken

    def check(self, settings: WatchSettings) -> None:
        """Refuse a watch whose source no plugin offers. Raises SettingsError."""
        for watch in settings.metrics:
            try:
                self._source(watch.source)
            except SettingsError as missing:
                raise SettingsError(f"watches.metrics: {watch.name}: source: {missing}") from None

    def require(self, name: str, field: str) -> None:
        """Refuse a setting that names a source no plugin offers. Raises SettingsError."""
        try:
            self._source(name)
        except SettingsError as missing:
            raise SettingsError(f"{field}: {missing}") from None

    def _source(self, name: str) -> MetricSource:
        known = self.host.metric_sources()
        if name not in known:
            raise SettingsError(f"there is no metric source {name!r}{nearest(name, known)}")
        return known[name]

    def _secret(self, name: str) -> str:
        return self.contexts.secrets.get(name, "read")
