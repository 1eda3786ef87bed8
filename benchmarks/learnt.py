"""What the past teaches correlation, by pairs of alerts: streams in which the same cascades come again and again.

Six cascades of three to six symptoms, over services that mostly do not call each other, come twelve times each within
three days, among chance alerts. Twice the same alerts: once without a past, once with what was learnt on the way from
the alerts of incidents that were over, an hour after each alert started.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping

from sysop.incidents.correlation import Correlator, Firing, Learnt, Occurrence, Topology, learn

SERVICES, CASCADES, TIMES, HOURS, CHANCE_AN_HOUR = 40, 6, 12, 72, 8
RULES = ("HighErrorRate", "HighLatency", "LowTraffic", "PodNotReady", "QueueGrows", "StoreConnections")
OVER_S = 3600.0

Stream = dict[str, tuple[Occurrence, str]]


def topology() -> Topology:
    """Return a tree of calls in which every service calls three."""
    services = {f"s{n}": {"namespace": "app"} for n in range(SERVICES)}
    edges = [[f"s{(n - 1) // 3}", f"s{n}"] for n in range(1, SERVICES)]
    return Topology.from_json({"services": services, "edges": edges})


def stream(seed: int) -> Stream:
    """Return occurrences by key, each with the incident it truly belongs to, empty for none."""
    dice = random.Random(seed)
    found: Stream = {}
    for cascade, t, truth in _begun(dice):
        for rule, service in cascade:
            if dice.random() < 0.85:
                one = _occurrence(rule, service, t)
                found.setdefault(one.key, (one, truth))
            t += dice.expovariate(1 / 60)
    for _ in range(CHANCE_AN_HOUR * HOURS):
        one = _occurrence(dice.choice(RULES), dice.randrange(SERVICES), dice.uniform(0, HOURS * 3600))
        found.setdefault(one.key, (one, ""))
    return found


def _begun(dice: random.Random) -> Iterator[tuple[list[tuple[str, int]], float, str]]:
    for number in range(CASCADES):
        steps = [(dice.choice(RULES), service) for service in dice.sample(range(SERVICES), dice.randint(3, 6))]
        for time in range(TIMES):
            yield steps, dice.uniform(0, HOURS * 3600 - 1800), f"{number}/{time}"


def _occurrence(rule: str, service: int, t: float) -> Occurrence:
    labels = {"alertname": rule, "namespace": "app", "service_name": f"s{service}"}
    severity = "critical" if rule.startswith("High") else "warning"
    t = round(t, 3)
    return Occurrence(f"{rule}/{service}@{t}", f"{rule}/{service}", t, {**labels, "severity": severity})


def grouped(alerts: Stream, learnt: list[Learnt]) -> dict[str, str]:
    """Return the group that each shown occurrence ends in."""
    correlator = Correlator(topology(), learnt=learnt)
    for one, _ in alerts.values():
        correlator.add(one)
    return {placement.key: placement.group for placement in correlator.flush(close=True) if placement.group}


def taught(alerts: Stream, groups: Mapping[str, str]) -> list[Learnt]:
    """Return what the alerts of shown incidents teach."""
    shown = [one for key, (one, _) in alerts.items() if key in groups]
    return learn(
        Firing((one.labels["alertname"], one.labels["service_name"]), "", one.starts_at, one.starts_at + OVER_S)
        for one in shown
    )


def f1(alerts: Stream, groups: Mapping[str, str]) -> float:
    """Return the F1 of pairs of alerts that are together against those that belong together."""
    truths = {key: truth for key, (_, truth) in alerts.items() if truth}
    right = _pairs(Counter((groups[key], truth) for key, truth in truths.items() if key in groups))
    said, true = _pairs(Counter(groups.values())), _pairs(Counter(truths.values()))
    return 2 * right / (said + true)


def _pairs(sizes: Counter[str] | Counter[tuple[str, str]]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


def whole(alerts: Stream, groups: Mapping[str, str]) -> float:
    """Return the share of cascades whose alerts are all in one group."""
    members: dict[str, set[str | None]] = {}
    for key, (_, truth) in alerts.items():
        if truth:
            members.setdefault(truth, set()).add(groups.get(key))
    return sum(len(some) == 1 and None not in some for some in members.values()) / len(members)


def main() -> int:
    """Print a row for every stream, and the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10)
    streams = parser.parse_args().streams
    print(f"{'stream':<8}{'F1 without':>12}{'with':>8}{'whole without':>16}{'with':>8}{'pairs learnt':>14}")
    rows = []
    for seed in range(streams):
        alerts = stream(seed)
        without = grouped(alerts, [])
        learnt = taught(alerts, without)
        with_past = grouped(alerts, learnt)
        pairs = len({(step.one, step.other) for step in learnt})
        row = (f1(alerts, without), f1(alerts, with_past), whole(alerts, without), whole(alerts, with_past), pairs)
        rows.append(row)
        print("{:<8}{:>12.3f}{:>8.3f}{:>16.0%}{:>8.0%}{:>14}".format(seed, *row))
    means = [sum(column) / streams for column in itertools.zip_longest(*rows)]
    print("{:<8}{:>12.3f}{:>8.3f}{:>16.0%}{:>8.0%}{:>14.0f}".format("mean", *means))
    return 0


if __name__ == "__main__":
    sys.exit(main())
