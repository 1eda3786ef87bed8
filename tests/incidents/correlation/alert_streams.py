"""A company of our own whose alerts can be generated without end: incidents, noise, flapping, and untidy delivery."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sysop.incidents.correlation import Occurrence

PER_NAMESPACE, MACHINES_PER_NAMESPACE = 20, 4
PER_INCIDENT = 4.3  # starts one incident makes on average, counted over 200,000
SYMPTOMS = ("HighRequestLatency", "HighErrorRate", "NoRequests")
CAUSES = ("PodCrashLooping", "ContainerHighMemory", "StoreTooManyConnections")
NOISES = ("CertificateExpiresSoon", "PodNotReady", "ContainerHighCpu", "HighRequestLatency")


@dataclass(frozen=True)
class Start:
    """One occurrence as it came to be, and what it truly belongs to ("noise" for nothing)."""

    occurrence: Occurrence
    ends_at: float
    truth: str


@dataclass
class Company:
    """Namespaces of twenty services, each a tree of calls, on four machines for every namespace."""

    seed: int
    namespaces: int = 3
    clusters: tuple[str, ...] = ("one",)
    topology: dict[str, Any] = field(init=False)
    callers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        spaces = self.namespaces
        machines = [f"machine-{n}" for n in range(spaces * MACHINES_PER_NAMESPACE)]
        services = {}
        for number in range(spaces * PER_NAMESPACE):
            name, namespace = f"service{number}", f"space{number % spaces}"
            pods = {f"{name}-7d9f-{pod}": self._dice.choice(machines) for pod in range(2)}
            services[f"{namespace}/{name}"] = {"namespace": namespace, "name": name, "pods": pods}
        keys = list(services)
        self.callers = {
            key: keys[(at // spaces - 1) // 2 * spaces + at % spaces] for at, key in enumerate(keys) if at >= spaces
        }
        edges = [[caller, callee] for callee, caller in self.callers.items()]
        labels = ["cluster", "namespace"] if len(self.clusters) > 1 else ["namespace"]
        self.topology = {"services": services, "edges": edges, "nodes": machines, "scope_labels": labels}
        self._keys = keys

    def starts(self, per_second: float, noise: float = 0.36) -> Iterator[Start]:
        """Yield occurrences in order of start without end: so many a second, this share of them noise."""
        dice = random.Random(self.seed + 1)
        waiting: list[tuple[float, int, Start]] = []
        count, now = itertools.count(), 0.0
        incidents = per_second * (1 - noise) / PER_INCIDENT
        causes = incidents + per_second * noise / 2.3
        while True:
            now += dice.expovariate(causes)
            while waiting and waiting[0][0] <= now:
                yield heapq.heappop(waiting)[2]
            of_incident = dice.random() * causes < incidents
            made = self._incident(dice, now, f"incident-{next(count)}") if of_incident else self._noise(dice, now)
            for start in made:
                heapq.heappush(waiting, (start.occurrence.starts_at, next(count), start))

    def _incident(self, dice: random.Random, now: float, truth: str) -> Iterator[Start]:
        cluster, service = dice.choice(self.clusters), dice.choice(self._keys)
        for cause in dice.sample(CAUSES, 2):
            yield self._start(dice, now + dice.expovariate(1 / 40), cause, service, cluster, truth)
        while (caller := self.callers.get(service)) and dice.random() < 0.7:
            now += dice.expovariate(1 / 40)
            for symptom in dice.sample(SYMPTOMS, dice.choice((1, 2, 2))):
                yield self._start(dice, now + dice.expovariate(1 / 30), symptom, caller, cluster, truth)
            service = caller

    def _noise(self, dice: random.Random, now: float) -> Iterator[Start]:
        cluster, service, rule = dice.choice(self.clusters), dice.choice(self._keys), dice.choice(NOISES)
        for _ in range(dice.choice((1, 1, 1, 1, 1, 1, 1, 10))):
            yield self._start(dice, now, rule, service, cluster, "noise")
            now += dice.uniform(120, 500)

    def _start(
        self, dice: random.Random, t: float, rule: str, service: str, cluster: str, truth: str
    ) -> Start:  # fmt: skip
        namespace, _, name = service.partition("/")
        loud = rule in SYMPTOMS
        labels = {
            "alertname": rule,
            "namespace": namespace,
            "service_name": name,
            "cluster": cluster,
            "severity": "critical" if loud else "warning",
        }
        t = round(t, 3)
        fingerprint = f"{rule}/{service}/{cluster}"
        occurrence = Occurrence(f"{fingerprint}@{t}", fingerprint, t, labels, {"summary": f"{rule} in {name}"})
        return Start(occurrence, t + dice.uniform(60, 900), truth)


def deliveries(starts: Iterator[Start], seed: int, late: float = 0.03) -> Iterator[tuple[float, Occurrence]]:
    """Yield (arrival, occurrence) as a sender has it: firing, at times again, resolved; late now and then."""
    dice, count = random.Random(seed), itertools.count()
    waiting: list[tuple[float, int, Occurrence]] = []
    for start in starts:
        occurrence = start.occurrence
        while waiting and waiting[0][0] <= occurrence.starts_at:
            at, _, arrived = heapq.heappop(waiting)
            yield at, arrived
        lag = dice.uniform(60, 600) if dice.random() < late else dice.choice((2, 5, 10, 30))
        arrivals = [occurrence.starts_at + lag, start.ends_at + dice.choice((5, 30))]
        if dice.random() < 0.05:
            arrivals.append(arrivals[0] + 240)
        for at in arrivals:
            heapq.heappush(waiting, (at, next(count), occurrence))
    for at, _, arrived in sorted(waiting):
        yield at, arrived
