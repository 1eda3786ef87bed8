"""Composes what alerts go through: taking in, asking for, watching, silencing, placing, and the life of incidents."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from sysop.gate.context import Contexts
from sysop.host import Host
from sysop.incidents.correlation import Topology
from sysop.incidents.lifecycle import Lifecycle
from sysop.incidents.observing import Observing
from sysop.incidents.placements import Placements
from sysop.incidents.placing import Placing, correlators
from sysop.incidents.pulling import Place, Pulling
from sysop.incidents.regroup import Regroup
from sysop.incidents.silences import Silences
from sysop.model import Request
from sysop.settings import Settings
from sysop.store.store import Store
from sysop.store.writer import host_clock
from sysop.watches import kept
from sysop.watches.sources import Sources
from sysop.watches.watches import Watches

Tick = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Alerting:
    """The parts, and what is to be done again and again for them."""

    lifecycle: Lifecycle
    placing: Placing
    regroup: Regroup
    silences: Silences
    watches: Watches
    ticks: tuple[Tick, ...]
    check: Callable[[], None]
    """Refuses a watch or a topology whose source is not there. Raises SettingsError."""

    async def stop(self) -> None:
        """Let go of what others may take over."""
        await self.placing.stop()
        self.watches.close()


def build(
    settings: Settings, store: Store, host: Host, contexts: Contexts, planner_of: Callable[[Request], str], worker: str
) -> Alerting:
    """Build all parts; nothing runs yet."""
    secrets = contexts.secrets
    lifecycle = Lifecycle(store, contexts.inventory, settings.incidents, planner_of)
    make = correlators(Topology.from_inventory(contexts.inventory), settings.incidents.correlation)
    placing = Placing(store, make, Placements(settings.incidents, planner_of), worker)
    lifecycle.wake = placing.wake
    silences = Silences(store, host.silence_mirror(), planner_of)
    sources = Sources(host, contexts)
    watches = Watches(
        settings.watches,
        sources.ask,
        partial(store.read, kept.firing),
        lifecycle.take,
        settings.state,
        time.time,
        secrets.known,
    )
    places = [
        Place(pull, partial(contexts.for_plugin, host.plugins[source.plugin]))
        for source in host.alert_sources().values()
        for pull in source.pulls
    ]
    pulling = Pulling(places, lifecycle.take, lambda name: secrets.get(name, "read"), host_clock)
    ticks: list[Tick] = [lifecycle.tick, placing.tick, silences.tick, pulling.run, *watches.ticks]
    if (name := settings.incidents.dependencies_from) is not None:

        def learnt(topology: Topology) -> None:
            placing.rebuild(correlators(topology, settings.incidents.correlation))

        ticks.append(Observing(contexts.inventory, partial(sources.ask, name), learnt, host_clock).tick)

    def check() -> None:
        sources.check(settings.watches)
        if settings.incidents.dependencies_from is not None:
            sources.require(settings.incidents.dependencies_from, "incidents.dependencies_from")

    return Alerting(
        lifecycle, placing, Regroup(store, settings.incidents, planner_of), silences, watches, tuple(ticks), check
    )
