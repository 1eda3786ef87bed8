"""Speed of the correlation engine on one core: alert events a second, growth with the stream, and memory.

Events are what a sender delivers: the firing, now and then a repeat, the resolved notice; three in a hundred are late
by one to ten minutes. Only the engine is timed, in CPU seconds, with a flush after every thousand events. Each row is
a process of its own that collects garbage as `sysop serve` does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "incidents" / "correlation"))

from alert_streams import Company, deliveries

from sysop.incidents.correlation import Correlator, Occurrence, Topology
from sysop.responsive import stay_responsive

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BATCH = 1000


@dataclass(frozen=True)
class Shape:
    """A company of so many namespaces (twenty services each) where so many alerts start a second."""

    name: str
    namespaces: int
    per_second: float
    words: str


SHAPES = (
    Shape("recorded", 3, 0.02, "60 services, 0.02 starts/s: about as dense as the recorded streams"),
    Shape("large", 60, 0.4, "1200 services, 0.4 starts/s: as dense for each service"),
    Shape("busy", 3, 1.0, "60 services, 1 start/s: fifty times as dense"),
    Shape("storm", 3, 20.0, "60 services, 20 starts/s: a thousand times as dense"),
)


def measure(shape: Shape, events: int, words: bool) -> dict[str, float]:
    """Return events a second, starts among the events, and what the process grew by, in MB."""
    company = Company(1, shape.namespaces)
    correlator = Correlator(Topology.from_json(company.topology))
    sent = (occurrence for _, occurrence in itertools.islice(deliveries(company.starts(shape.per_second), 2), events))
    stay_responsive()
    before, spent, starts = _megabytes(), 0.0, 0
    while batch := list(itertools.islice(sent, BATCH)):
        fresh = [Occurrence(o.key, o.fingerprint, o.starts_at, o.labels, o.annotations) for o in batch]
        took, placed = _feed(correlator, fresh, words)
        spent, starts = spent + took, starts + placed
    began = time.process_time()
    correlator.flush(close=True)
    spent += time.process_time() - began
    return {"rate": events / spent, "placements": starts, "grown": _megabytes() - before}


def _feed(correlator: Correlator, batch: list[Occurrence], words: bool) -> tuple[float, int]:
    began = time.process_time()
    for occurrence in batch:
        correlator.add(occurrence)
    placements = correlator.flush()
    if words:
        for placement in placements:
            _ = placement.reason
    return time.process_time() - began, len(placements)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_a_process(shape: Shape, events: int, words: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--row", shape.name, "--events", str(events), *(["--words"] if words else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {key: float(value) for key, value in json.loads(done.stdout).items()}


def table(shapes: list[Shape], sizes: list[int], words: bool) -> None:
    """Print a row for each shape and size."""
    print(f"{'shape':<10}{'events':>10}{'events/s':>12}{'us/event':>10}{'to 1k':>8}{'placements':>12}{'memory MB':>11}")
    for shape in shapes:
        print(f"# {shape.name}: {shape.words}")
        first = 0.0
        for events in sizes:
            row = _in_a_process(shape, events, words)
            cost = 1e6 / row["rate"]
            first = first or cost
            print(
                f"{shape.name:<10}{events:>10,}{row['rate']:>12,.0f}{cost:>10.1f}{cost / first:>8.2f}"
                f"{row['placements']:>12,.0f}{row['grown']:>11.1f}",
                flush=True,
            )


def main() -> int:
    """Print the table, or one row as JSON for the process that asked for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", action="append", choices=[s.name for s in SHAPES], help="only this; may be repeated")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest number of events")
    parser.add_argument("--words", action="store_true", help="put every placement into words, too")
    parser.add_argument("--row", choices=[s.name for s in SHAPES], help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=SIZES[0], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    by_name = {shape.name: shape for shape in SHAPES}
    if asked.row:
        print(json.dumps(measure(by_name[asked.row], asked.events, asked.words)))
        return 0
    shapes = [by_name[name] for name in asked.shape or by_name]
    table(shapes, [size for size in SIZES if size <= asked.most], asked.words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
