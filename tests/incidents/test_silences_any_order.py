"""Whatever happens in which order: what fires is quiet exactly while a silence that covers it has held all along."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate.kit import ANN
from scale import size
from sysop.incidents.silences import Silences
from sysop.incidents.silencing import Wish, matcher
from sysop.model import Alert
from sysop.store import alerts, incidents, silences
from sysop.store.alerts import key_of
from sysop.store.store import Store
from sysop.store.writer import Tx

RULES = ("a", "b")
SERVICES = ("x", "y")
CONDITIONS = ("alertname=a", "alertname=b", "service=x", "service=y", "alertname=~a|b")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), st.sampled_from(RULES), st.sampled_from(SERVICES)),
        st.tuples(st.just("recover"), st.integers(0, 20)),
        st.tuples(st.just("silence"), st.sampled_from(CONDITIONS)),
        st.tuples(st.just("end"), st.integers(0, 20)),
        st.tuples(st.just("lapse"), st.integers(0, 20)),
    ),
    max_size=25,
)


@dataclass
class Model:
    """What must be so: of each alert its labels, whether it fires and whether it is quiet; the silences that hold."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    holding: dict[str, str] = field(default_factory=dict)

    def covered(self, labels: dict[str, str]) -> bool:
        return any(matcher(condition).matches(labels) for condition in self.holding.values())

    def settle(self) -> None:
        for one in self.alerts:
            if one["fires"]:
                one["quiet"] = one["quiet"] and self.covered(one["labels"])


class World:
    """The same on a real database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.silences = Silences(store, None, lambda _request: "direct")
        self.model = Model()

    async def step(self, what: str, *about: Any) -> None:
        await getattr(self, what)(*about)
        await self.silences.tick()
        self.model.settle()

    def alert(self, number: int) -> Alert:
        return Alert("test", str(number), 1_700_000_000_000 + number, None, self.model.alerts[number]["labels"], {})

    async def fire(self, rule: str, service: str) -> None:
        labels = {"alertname": rule, "service": service}
        self.model.alerts.append({"labels": labels, "fires": True, "quiet": self.model.covered(labels)})
        taken = [self.alert(len(self.model.alerts) - 1)]

        def unit(tx: Tx) -> None:
            incidents.lock(tx)
            alerts.add(tx, taken, silences.covering(tx, taken))

        await self.store.write(unit)

    async def recover(self, number: int) -> None:
        if number < len(self.model.alerts):
            self.model.alerts[number]["fires"] = False
            one = self.alert(number)
            over = Alert(one.source, one.fingerprint, one.starts_at, one.starts_at + 1, one.labels, {})
            await self.store.write(lambda tx: alerts.end(tx, over))

    async def silence(self, condition: str) -> None:
        made = await self.silences.add(ANN, Wish((matcher(condition),), 3600, "x"))
        self.model.holding[made.id] = condition

    def _chosen(self, number: int) -> str | None:
        ids = list(self.model.holding)
        return ids[number % len(ids)] if ids else None

    async def end(self, number: int) -> None:
        if id := self._chosen(number):
            await self.silences.end(id, ANN)
            del self.model.holding[id]

    async def lapse(self, number: int) -> None:
        if id := self._chosen(number):
            await self.store.write(lambda tx: silences.change(tx, id, ends_at=tx.now()))
            del self.model.holding[id]

    async def check(self) -> None:
        keys = [key_of(self.alert(number)) for number in range(len(self.model.alerts))]
        found = await self.store.read(lambda conn: alerts.find(conn, keys))
        assert [found[key].silence is not None for key in keys] == [one["quiet"] for one in self.model.alerts]
        assert all((found[key].reason != "") == (found[key].silence is not None) for key in keys)
        waiting = await self.store.read(lambda conn: alerts.waiting(conn, 100))
        quiet = sum(one["quiet"] for one in self.model.alerts)
        assert len(waiting) == len(keys) - quiet, "nothing is forgotten"


async def play(file: Path, every: list[tuple[Any, ...]]) -> None:
    store = Store.open(f"sqlite:///{file}")
    try:
        world = World(store)
        for one in every:
            await world.step(*one)
        await world.check()
    finally:
        await store.close()


@settings(max_examples=size(200, 25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_an_alert_is_quiet_exactly_as_long_as_it_is_covered(
    migrated_file: Path, tmp_path: Path, every: list[tuple[Any, ...]]
) -> None:
    file = tmp_path / "sysop.db"
    for left in tmp_path.glob("sysop.db*"):
        left.unlink()
    shutil.copy(migrated_file, file)
    asyncio.run(play(file, every))
