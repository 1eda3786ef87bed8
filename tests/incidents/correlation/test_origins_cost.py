"""Origins of a storm: what is looked up grows with the number of machines, not with its square."""

from __future__ import annotations

from sysop.incidents.correlation import Correlator, Occurrence, Topology

PODS = 4


class Counting(Topology):
    """A topology that counts how often it is asked what a service runs on."""

    asked = 0

    def runs_on(self, service: str | None) -> frozenset[str]:
        type(self).asked += 1
        return super().runs_on(service)


def storm(machines: int) -> Correlator:
    services = {
        f"s{n}": {"pods": {f"s{n}-{k}": f"m{(n + k) % machines}" for k in range(PODS)}} for n in range(machines)
    }
    found = Correlator(Counting.from_json({"services": services}))
    for number in range(machines):
        for labels in ({"node": f"m{number}"}, {"service": f"s{number}"}):
            labels |= {"alertname": "Down", "severity": "critical"}
            key = f"{number} {sorted(labels)}"
            found.add(Occurrence(key, key, 1_700_000_000.0 + number / 100, labels, {}))
    return found


def asked(machines: int) -> tuple[int, int]:
    """Return how many alerts the largest group has, and what its origins cost."""
    correlator = storm(machines)
    placed = [one.group for one in correlator.flush(close=True) if one.group is not None]
    largest = max(set(placed), key=placed.count)
    Counting.asked = 0
    correlator.origins(largest)
    return placed.count(largest), Counting.asked


def test_the_origins_of_a_storm_cost_as_much_as_it_is_large() -> None:
    small, large = asked(50), asked(200)
    assert large[0] >= 3 * small[0], "they are one group each"
    assert large[1] <= 3 * large[0], (small, large)
