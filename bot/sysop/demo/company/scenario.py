"""What a seed decides: every release, which one is faulty, and the order in which releases are deployed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sysop.demo.company.releases import Catalogue, Fault, Release, write_json, write_releases
from sysop.demo.company.topology import SEARCH, SERVICES, WHOLE

SCENARIO_FILE = "scenario.json"
OLDER_RELEASES = 2
"""How many releases each service has behind the one that is live at the start."""

CHANGES: Mapping[str, tuple[str, ...]] = {
    "gateway": (
        "Compress answers larger than 1 kB",
        "Read the feature flags once a minute instead of once a request",
        "Accept the new session cookie beside the old one",
        "Move the rate limiter to the shared token bucket",
        "Forward the trace header to the services behind",
        "Replace the hand-written router with the route table",
        "Cache the customer profile for thirty seconds",
        "Reject request bodies larger than 1 MB early",
    ),
    "checkout": (
        "Compute the basket total in cents instead of floats",
        "Check stock before the charge instead of after it",
        "Keep connections to payments open between requests",
        "Apply voucher codes in the order they were entered",
        "Store the order before the charge and mark it afterwards",
        "Read tax rates from the new tax table",
        "Send the receipt from the order queue",
        "Validate delivery addresses against the postcode list",
    ),
    "payments": (
        "Ask the fraud model before every charge",
        "Share one connection pool between charges and refunds",
        "Switch card tokens to the new vault",
        "Retry declined cards once with the backup acquirer",
        "Write the ledger entry in the same transaction as the charge",
        "Use the currency table of the finance service",
        "Rotate the signing key of the acquirer every day",
        "Load merchant settings lazily",
    ),
    "search": (
        "Rank by stock before price",
        "Read synonyms from the shared dictionary",
        "Keep the index in one file instead of two",
        "Answer suggestions from the cache first",
        "Drop articles nobody may buy from the results",
        "Count results only up to a thousand",
        "Split compound words before the look-up",
        "Warm the index after a start",
    ),
}
OWN_SECONDS: Mapping[str, tuple[float, float]] = {
    "gateway": (0.002, 0.005),
    "checkout": (0.004, 0.010),
    "payments": (0.008, 0.016),
    "search": (0.004, 0.010),
}


@dataclass(frozen=True)
class Deploy:
    """One deploy to be performed, as its authors would announce it."""

    service: str
    version: str
    change: str
    team: str


@dataclass(frozen=True)
class Scenario:
    """The known answer: what breaks, what mends it, and the deploys to perform, oldest first."""

    seed: int
    guilty_service: str
    bad_version: str
    good_version: str
    fault: Fault
    initial: Mapping[str, str]
    deploys: tuple[Deploy, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a seed decides. Releases are in the order they were made."""

    releases: Catalogue
    scenario: Scenario


def plan(seed: int) -> Plan:
    """Return the plan of a seed: the same on every machine and Python version."""
    # A reproducible story, not a secret; a text seed does not depend on the hash of the process.
    dice = random.Random(f"company {seed}")  # noqa: S311
    guilty = dice.choice(list(SERVICES))
    fault = _fault(dice)
    innocent = [name for name in SERVICES if name != guilty]
    decoys = [dice.choice(innocent) for _ in range(dice.randint(1, 3))]
    releases = {name: _releases(dice, name, 1 if name == guilty else decoys.count(name)) for name in SERVICES}
    *older, bad = releases[guilty]
    releases[guilty] = (*older, Release(bad.version, bad.change, bad.team, bad.own_seconds, fault))
    order = list(decoys)
    order.insert(dice.randint(0, len(decoys)), guilty)
    scenario = Scenario(
        seed=seed,
        guilty_service=guilty,
        bad_version=bad.version,
        good_version=older[-1].version,
        fault=fault,
        initial={name: releases[name][OLDER_RELEASES].version for name in SERVICES},
        deploys=_deploys(order, releases),
    )
    return Plan(releases, scenario)


def whole(made: Plan) -> Plan:
    """Return the plan of a whole company: the same story, with every service, and the bad release left out.

    What breaks is decided later, by whoever runs the company.
    """
    dice = random.Random(f"whole company {made.scenario.seed}")  # noqa: S311
    releases = {**made.releases, SEARCH.name: _releases(dice, SEARCH.name, 0)}
    initial = {**made.scenario.initial, SEARCH.name: releases[SEARCH.name][OLDER_RELEASES].version}
    kept = {name: releases[name][: OLDER_RELEASES + 1] for name in WHOLE}
    return Plan(kept, replace(made.scenario, initial=initial, deploys=()))


def next_release(releases: Catalogue, service: str, fault: Fault | None) -> Release:
    """Return the release that comes after the newest one of a service, with a fault or as good as that one."""
    made = releases[service]
    newest = made[-1]
    major, minor, patch = (int(part) for part in newest.version.split("."))
    change = CHANGES[service][len(made) % len(CHANGES[service])]
    own_seconds = sum(OWN_SECONDS[service]) / 2
    return Release(f"{major}.{minor}.{patch + 1}", change, newest.team, own_seconds, fault)


def _fault(dice: random.Random) -> Fault:
    if dice.random() < 0.5:
        return Fault("errors", share=round(dice.uniform(0.35, 0.8), 2))
    return Fault("latency", seconds=round(dice.uniform(0.6, 1.2), 2))


def _releases(dice: random.Random, service: str, upcoming: int) -> tuple[Release, ...]:
    count = OLDER_RELEASES + 1 + upcoming
    changes = dice.sample(CHANGES[service], count)
    team = WHOLE[service].team
    version = (dice.randint(1, 4), dice.randint(0, 18), dice.randint(0, 6))
    made = []
    for change in changes:
        own_seconds = round(dice.uniform(*OWN_SECONDS[service]), 4)
        made.append(Release(".".join(map(str, version)), change, team, own_seconds))
        version = _next(dice, version)
    return tuple(made)


def _next(dice: random.Random, version: tuple[int, int, int]) -> tuple[int, int, int]:
    major, minor, patch = version
    return (major, minor, patch + 1) if dice.random() < 0.7 else (major, minor + 1, 0)


def _deploys(order: list[str], releases: Catalogue) -> tuple[Deploy, ...]:
    upcoming = {name: iter(made[OLDER_RELEASES + 1 :]) for name, made in releases.items()}
    chosen = [(service, next(upcoming[service])) for service in order]
    return tuple(Deploy(service, release.version, release.change, release.team) for service, release in chosen)


def write(made: Plan, folder: Path) -> None:
    """Write the catalogue and the scenario into a folder."""
    write_releases(made.releases, made.scenario.seed, folder)
    write_json(folder / SCENARIO_FILE, asdict(made.scenario))
