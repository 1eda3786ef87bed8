"""Watches: lines of log a second on one core, time to judge a sample, and false alarms on noise that means nothing."""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from sysop.sections import LogWatchSettings, MetricWatchSettings
from sysop.watches.judgement import Judge
from sysop.watches.logs.log_watch import LogWatch
from sysop.watches.logs.rates import Rates
from sysop.watches.methods import STRICTNESS, Methods
from sysop.watches.seasonal import Seasonal
from sysop.watches.track import Rule, Track, step

KINDS = (
    "{time} INFO [worker-{n}] handled GET {path} for {ip} in {ms}ms status=200",
    "{time} INFO [worker-{n}] cache hit key=user:{n} ttl={ms}",
    "{time} DEBUG connection {id} from {ip}:{n} accepted",
    "{time} INFO order {id} placed by {name} total={ms}.{n} EUR",
    "{time} WARN slow query took {ms} ms: select from orders where id = {n}",
    "{time} INFO session {id} of {name} refreshed",
    "{time} ERROR payment {id} declined by provider: code={n}",
    "{time} INFO gc pause {ms}ms heap {n}MB of 2048MB",
)
BERLIN = ZoneInfo("Europe/Berlin")
FIRST = int(datetime(2026, 3, 21, 1, tzinfo=UTC).timestamp()) // 60
"""The minute with which daily curves begin: eight days on, the clocks of Berlin change."""
NAMES = ("alice", "bruno", "chen", "dalia", "emeka", "farah", "goran", "hana")


def log_lines(count: int, seed: int) -> Iterator[str]:
    """Yield lines of eight kinds, every one with values of its own."""
    random_ = random.Random(seed)
    for number in range(count):
        yield random_.choice(KINDS).format(
            time=f"2026-11-30T14:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
            n=random_.randrange(1000),
            ms=random_.randrange(5000),
            path=f"/api/v1/orders/{random_.randrange(100_000)}",
            ip=f"10.{random_.randrange(256)}.{random_.randrange(256)}.{random_.randrange(256)}",
            id=f"{random_.getrandbits(64):016x}",
            name=random_.choice(NAMES),
        )


def mining(count: int) -> None:
    """Print how fast lines become counts, from memory and from a file."""
    lines = list(log_lines(count, 1))
    watch = LogWatch(LogWatchSettings(name="bench", files=("-",)), Path("unused"), time.time)
    took = _cpu(lambda: watch.count(lines))
    print(f"mining from memory: {count / took:,.0f} lines/s of CPU, {len(watch.templates)} templates")
    with tempfile.TemporaryDirectory(prefix="sysop-bench-") as name:
        file, kept = Path(name) / "app.log", Path(name) / "kept.json"
        file.touch()
        followed = LogWatch(LogWatchSettings(name="bench", files=(str(file),)), kept, time.time)
        followed.look_here(time.time(), {})
        file.write_text("\n".join(lines) + "\n")
        looks = 0
        began = time.process_time()
        while followed.lines < count:
            followed.look_here(time.time(), {})
            looks += 1
        took = time.process_time() - began
        followed.close()
        print(f"from a file of {file.stat().st_size / 1e6:.0f} MB: {count / took:,.0f} lines/s of CPU, {looks} looks")


def free_text(count: int) -> None:
    """Print what a log costs of which every line is another kind: its speed, then its memory."""
    random_ = random.Random(3)
    words = ["".join(random_.choices("abcdefghij", k=7)) for _ in range(20_000)]
    lines = [" ".join(random_.choices(words, k=9)) for _ in range(count)]
    settings = LogWatchSettings(name="bench", files=("-",))
    watch = LogWatch(settings, Path("unused"), time.time)
    took = _cpu(lambda: watch.count(lines))
    measured = LogWatch(settings, Path("unused"), time.time)
    tracemalloc.start()
    measured.count(lines[: count // 4])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = f"{len(watch.templates)} templates kept, {peak / 1e6:.0f} MB at most"
    print(f"every line of another kind: {count / took:,.0f} lines/s of CPU, {kept}")


def noise(samples: int, seed: int, alike: float) -> list[float]:
    """Return noise around 100 in which each sample keeps a share of the one before."""
    random_, left, found = random.Random(seed), 0.0, []
    for _ in range(samples):
        left = alike * left + random_.gauss(0, 1)
        found.append(100 + left)
    return found


def counts(samples: int, seed: int) -> list[float]:
    """Return counts that are mostly 0: a chance of one in twenty for each of two."""
    random_ = random.Random(seed)
    return [float((random_.random() < 0.05) + (random_.random() < 0.05)) for _ in range(samples)]


def false_alarms(days: int) -> None:
    """Print findings on noise, by method, sensitivity and kind of noise."""
    kinds: dict[str, Callable[[int, int], list[float]]] = {
        "white": lambda n, seed: noise(n, seed, 0.0),
        "alike 0.5": lambda n, seed: noise(n, seed, 0.5),
        "alike 0.9": lambda n, seed: noise(n, seed, 0.9),
        "rare counts": counts,
    }
    print(f"findings in {days} days of one series, a sample a minute, for_seconds 0 / 120:")
    for kind, make in kinds.items():
        for method in ("outlier", "seasonal", "shift"):
            row = [(name, *_findings(method, name, make, days)) for name in STRICTNESS]
            print(
                f"  {kind:12} {method:9}" + "".join(f"  {name} {at_once}/{lasting}" for name, at_once, lasting in row)
            )


def ordinary_days(weeks: int) -> None:
    """Print findings of `seasonal` in weeks of a daily curve with noise, and after the clocks change."""
    print(f"seasonal, daily curve, findings in {7 * weeks} days, for_seconds 120:")
    for kind, alike in (("white", 0.0), ("alike 0.9", 0.9)):
        excess = [_excess(daily(15, seed, 4.0, alike), 7, 14) for seed in range(weeks)]
        found = {name: sum(_counted(one, strict.limit) for one in excess) for name, strict in STRICTNESS.items()}
        print(f"  {kind:10} {found}")
    for deviation in (4.0, 1.0):
        for zone in (UTC, BERLIN):
            late = _excess(daily(15, 1, deviation, 0.0, clocks=8), 8, 15, zone)
            found = {name: _counted(late, strict.limit) for name, strict in STRICTNESS.items()}
            print(f"  the week after clocks changed, deviation {deviation:g}, timezone {zone}: {found}")


def delays(seeds: int) -> None:
    """Print after how many samples a step that lasts is told, by method and size in deviations."""
    print(f"samples until a step is told, normal, for_seconds 120, {seeds} seeds: found, median, most")
    for method in ("outlier", "seasonal", "shift"):
        for size in (3, 5, 7, 10):
            found = sorted(one for seed in range(seeds) if (one := _delay(method, size, seed)) is not None)
            told = f"{found[len(found) // 2]} / {found[-1]}" if found else "-"
            print(f"  {method:9} {size:>3} deviations: {len(found)} of {seeds}, {told}")


def daily(days: int, seed: int, deviation: float, alike: float, clocks: int = -1) -> list[float]:
    """Return a daily curve with a rush in the morning, a sample a minute; `clocks` is the day they change."""
    random_, left, found = random.Random(seed), 0.0, []
    for minute in range(days * 1440):
        local = (minute + (60 if 0 <= clocks <= minute // 1440 else 0)) % 1440
        turn = 2 * math.pi * local / 1440
        curve = 100 - 45 * math.cos(turn) - 15 * math.cos(2 * turn + 1) + 20 * math.exp(-(((local - 540) / 20) ** 2))
        left = alike * left + random_.gauss(0, deviation * math.sqrt(1 - alike * alike))
        found.append(curve + left)
    return found


def _excess(values: list[float], begin: int, end: int, zone: tzinfo = UTC) -> list[float]:
    """Return robust deviations of the samples of some days from what `seasonal` expects."""
    judge = Seasonal(1440, 7, 1.0, zone=zone)
    return [abs(judge(values, place, FIRST + place).excess) for place in range(begin * 1440, end * 1440)]


def _counted(excess: list[float], limit: float) -> int:
    return _opened([one / limit for one in excess], Rule(2, 5, 60))


def _delay(method: str, size: int, seed: int) -> int | None:
    """Return how many samples after its first a step is told, None if it is not within 200."""
    given = {"methods": (method,), "periods": 4}
    methods = Methods.of(MetricWatchSettings.model_validate({"name": "bench", "query": "q", **given}))
    begin = methods.history + 60
    values = [one + (size if place >= begin else 0) for place, one in enumerate(noise(begin + 200, seed, 0.0))]
    track = Track()
    for place in range(begin - 60, len(values)):
        track, change = step(track, place, methods.departure(methods.judge(values, place)), place, methods.rule)
        if change is not None and change.opened and place >= begin:
            return place - begin
    return None


def _findings(method: str, sensitivity: str, make: Callable[[int, int], list[float]], days: int) -> tuple[int, int]:
    given = {"methods": (method,), "sensitivity": sensitivity, "periods": 4}
    methods = Methods.of(MetricWatchSettings.model_validate({"name": "bench", "query": "q", **given}))
    values = make(methods.history + days * 1440, 11)
    judged = [methods.departure(methods.judge(values, n)) for n in range(methods.history, len(values))]
    return _opened(judged, replace(methods.rule, lasts=0)), _opened(judged, methods.rule)


def _opened(departures: list[float], rule: Rule) -> int:
    track, found = Track(), 0
    for slot, departure in enumerate(departures):
        track, change = step(track, slot, departure, slot, rule)
        found += change is not None and change.opened
    return found


def windows(templates: int) -> None:
    """Print what the end of a window costs, and the state that is written then."""
    random_, rates = random.Random(7), Rates()
    for _ in range(150):
        rates.close({f"k{n}": random_.randrange(20) for n in range(templates)}, 6.0, 10, 60, True)
    window = {f"k{n}": random_.randrange(20) for n in range(templates)}
    took = _cpu(lambda: rates.close(window, 6.0, 10, 60, True))
    print(f"closing a window of {templates} templates: {took:.3f} s of CPU")


def judging() -> None:
    """Print what one sample costs."""
    values = noise(12_000, 5, 0.5)
    for method in ("outlier", "seasonal", "shift"):
        judge: Judge = Methods.of(MetricWatchSettings(name="bench", query="q", methods=(method,))).judges[0]
        took = _cpu(lambda judge=judge: [judge(values, place) for place in range(11_500, 12_000)])  # type: ignore[misc]
        print(f"judging a sample by {method}: {took / 500 * 1e6:.0f} µs of CPU")


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Print everything, in well below a minute."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=2)
    given = parser.parse_args()
    mining(given.lines)
    free_text(20_000)
    windows(1000)
    judging()
    false_alarms(given.days)
    ordinary_days(given.weeks)
    delays(20)


if __name__ == "__main__":
    main()
