"""A storm of alerts over HTTP into `sysop serve`, as Alertmanager would send it: each is on disk before the answer.

Every alert is an occurrence of its own and fires; a twentieth is sent again. They belong to faults that spread from a
service to those that call it, with noise between them. Deliveries are sent when they are due, whether or not the last
was answered; one that is refused is sent again after the time the server names. What is counted in the end stands in
the database.
Run by itself: python benchmarks/ingest.py --alerts 50000 --per-minute 10000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
from slack_load import rest
from sqlalchemy import func, select

from sysop.store import tables as t
from sysop.store.store import Store

HERE = Path(__file__).resolve()
TOKEN = "a-token-of-the-benchmark"
SERVICES = 600
NAMES = ("HighErrorRate", "HighLatency", "PodCrashLooping", "QueueGrows", "CpuThrottled", "MemoryHigh", "ProbeFails")
SEVERITIES = ("warning", "warning", "error", "critical")
NOISE = ("info", "warning", "warning", "warning")
LARGEST = 20
FAULT_EACH_S = 1.0
FAULTS_AT_ONCE = 3
REACH = 20
AGAIN_SHARE = 0.05
NOISE_SHARE = 0.2
GIVE_UP_S = 600.0


# -- the storm --------------------------------------------------------------------------------------------------------


def calls(seed: int) -> dict[str, list[str]]:
    """Return which services each service calls; none calls itself over a detour."""
    dice = random.Random(f"services {seed}")
    names = [f"service-{number}" for number in range(SERVICES)]
    return {
        name: dice.sample(names[n + 1 :], min(dice.randint(1, 3), SERVICES - n - 1)) for n, name in enumerate(names)
    }


@dataclass(frozen=True)
class Told:
    """What an alert is about."""

    service: str
    severity: str


@dataclass(frozen=True)
class Delivery:
    """One webhook call: when it is due, in seconds from the beginning, and its alerts by number."""

    due: float
    alerts: tuple[tuple[int, Told], ...]


def storm(alerts: int, per_minute: float, seed: int) -> Iterator[Delivery]:
    """Yield every delivery in order of time. Equal seeds give equal storms."""
    dice = random.Random(f"storm {seed}")
    graph = calls(seed)
    callers = {name: [one for one, called in graph.items() if name in called] for name in graph}
    faults = deque([_reach(dice, callers)], maxlen=FAULTS_AT_ONCE)
    since = due = 0.0
    sent = 0
    while sent < alerts:
        if due - since > FAULT_EACH_S:
            faults.append(_reach(dice, callers))
            since = due
        size = min(dice.randint(1, LARGEST), alerts - sent)
        told = [_noise(dice, graph) if dice.random() < NOISE_SHARE else _effect(dice, faults) for _ in range(size)]
        yield Delivery(due, tuple(enumerate(told, start=sent)))
        sent += size
        due += size * 60 / per_minute


def _noise(dice: random.Random, graph: Mapping[str, Sequence[str]]) -> Told:
    return Told(dice.choice(list(graph)), dice.choice(NOISE))


def _effect(dice: random.Random, faults: Sequence[Sequence[str]]) -> Told:
    return Told(dice.choice(dice.choice(faults)), dice.choice(SEVERITIES))


def _reach(dice: random.Random, callers: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a service that many call, in which a fault begins, with those that call it over one or more others."""
    struck = [dice.choice(list(callers)[SERVICES // 2 :])]
    for name in struck:
        struck += [one for one in callers[name] if one not in struck]
        if len(struck) >= REACH:
            break
    return struck[:REACH]


def body_of(delivery: Delivery, now: float) -> bytes:
    """Return the webhook's body; its alerts have started a few seconds ago."""
    sent = [_alert(number, told, now) for number, told in delivery.alerts]
    whole = {"receiver": "sysop", "status": "firing", "alerts": sent, "version": "4", "groupKey": "{}"}
    common_parts = {
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
        "truncatedAlerts": 0,
    }
    return json.dumps({**whole, **common_parts}).encode()


def _alert(number: int, told: Told, now: float) -> dict[str, Any]:
    dice, service = random.Random(number), told.service
    name, pod = dice.choice(NAMES), f"{service}-{dice.randrange(16**5):05x}"
    labels = {"alertname": name, "service": service, "severity": told.severity, "pod": pod, "cluster": "eu"}
    return {
        "status": "firing",
        "labels": {**labels, "instance": f"10.0.{number // 250 % 250}.{number % 250}:9090"},
        "annotations": {"summary": f"{name} on {pod}", "description": f"{service} has been unwell for some minutes."},
        "startsAt": _written(now - dice.random() * 5),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": f"{number:016x}",
    }


def _written(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


# -- the sender, a process of its own ---------------------------------------------------------------------------------


@dataclass
class Sender:
    """Sends each delivery when it is due, over so many connections, until all are acknowledged."""

    host: str
    began: float = 0.0
    waiting: asyncio.Queue[tuple[float, bytes]] = field(default_factory=asyncio.Queue)
    left: int = 0
    took: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, deliveries: Sequence[Delivery], connections: int, seed: int) -> None:
        """Send them all, and a twentieth twice."""
        dice = random.Random(f"again {seed}")
        again = [delivery for delivery in deliveries if dice.random() < AGAIN_SHARE]
        self.left = len(deliveries) + len(again)
        self.began = time.perf_counter()
        senders = [asyncio.create_task(self._connection()) for _ in range(connections)]
        for delivery in deliveries:
            await asyncio.sleep(max(0.0, self.began + delivery.due - time.perf_counter()))
            body = body_of(delivery, time.time())
            self.waiting.put_nowait((self.began + delivery.due, body))
            if delivery in again:
                self.waiting.put_nowait((self.began + delivery.due, body))
        async with asyncio.timeout(GIVE_UP_S):
            await self.done.wait()
        for sender in senders:
            sender.cancel()

    async def _connection(self) -> None:
        name, _, port = self.host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        while True:
            due, body = await self.waiting.get()
            head = f"POST /webhooks/alertmanager HTTP/1.1\r\nhost: {self.host}\r\nauthorization: Bearer {TOKEN}\r\n"
            sent = time.perf_counter()
            writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            await rest(reader, answer)
            if b"\r\nconnection: close" in answer.lower():
                reader, writer = await asyncio.open_connection(name, int(port))
            self._answered(answer, due, sent, body)

    def _answered(self, answer: bytes, due: float, sent: float, body: bytes) -> None:
        status, now = answer[9:12].decode(), time.perf_counter()
        if status == "200":
            self.took.append(now - sent)
            self.late.append(now - due)
            self.left -= 1
            if not self.left:
                self.done.set()
            return
        self.refused[status] += 1
        after = re.search(rb"(?i)\r\nretry-after: (\d+)", answer)
        assert after, f"refused with {status} and no word of when to come again"
        asyncio.get_running_loop().call_later(int(after[1]), self.waiting.put_nowait, (due, body))


async def client(order: dict[str, Any]) -> dict[str, Any]:
    """Send what was ordered, and return how it was taken."""
    deliveries = list(storm(order["alerts"], order["per_minute"], order["seed"]))
    sender = Sender(order["address"].removeprefix("http://").rstrip("/"))
    await sender.send(deliveries, order["connections"], order["seed"])
    seconds = time.perf_counter() - sender.began
    return {"took": sender.took, "late": sender.late, "refused": sender.refused, "seconds": seconds}


async def sent_by(address: str, options: argparse.Namespace) -> dict[str, Any]:
    """Have a process of its own send."""
    names = ("alerts", "per_minute", "seed", "connections")
    order = {"address": address, **{name: getattr(options, name) for name in names}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE), "--client"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(json.dumps(order).encode())
    found: dict[str, Any] = json.loads(said)
    return found


# -- what became of it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What stands in the database."""

    stored: int
    waiting: int
    held: int
    incidents: int
    merged: int
    runs: int
    most_runs: int


async def outcome(store: Store) -> Outcome:
    """Count what there is."""
    count, alert, run = func.count(), t.alert.c, t.run.c

    def read(conn: Any) -> Outcome:
        each = select(count).select_from(t.run).where(run.incident.is_not(None)).group_by(run.incident)
        runs = list(conn.scalars(each))
        unplaced = alert.placed.is_(None) & alert.silence.is_(None)
        return Outcome(
            stored=conn.scalar(select(count).select_from(t.alert)),
            waiting=conn.scalar(select(count).select_from(t.alert).where(unplaced)),
            held=conn.scalar(
                select(count).select_from(t.alert).where(alert.placed.is_not(None), alert.incident.is_(None))
            ),
            incidents=conn.scalar(select(count).select_from(t.incident)),
            merged=conn.scalar(select(count).select_from(t.incident).where(t.incident.c.merged_into.is_not(None))),
            runs=sum(runs),
            most_runs=max(runs, default=0),
        )

    return await store.read(read)


async def placed(store: Store) -> tuple[float, Outcome]:
    """Wait until every alert has its place; return how long that took, and the outcome."""
    began = time.perf_counter()
    while (found := await outcome(store)).waiting and time.perf_counter() - began < GIVE_UP_S:
        await asyncio.sleep(0.2)
    return time.perf_counter() - began, found


def memory(process: int) -> tuple[float, float]:
    """Return what a process holds now and what it held at most, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    now, most = (re.search(rf"{name}:\s+(\d+) kB", status) for name in ("VmRSS", "VmHWM"))
    assert now
    assert most
    return int(now[1]) / 1024, int(most[1]) / 1024


def settings(folder: Path, url: str, seed: int) -> Path:
    """Write the settings of a Sysop that knows the services and takes Alertmanager's webhooks."""
    (folder / "token").write_text(TOKEN)
    values = {
        "state": str(folder),
        "database": {"url": url},
        "webhooks": {"port": 0, "tokens": {"alertmanager": f"file:{folder / 'token'}"}},
        "inventory": {name: {"depends_on": called} for name, called in calls(seed).items()},
    }
    file = folder / "sysop.yaml"
    file.write_text(json.dumps(values))
    return file


async def main(options: argparse.Namespace) -> int:
    """Measure with each database."""
    code = 0
    for kind in options.databases.split(","):
        with common.databases(kind) as [(name, url, folder)]:
            command = [sys.executable, "-m", "sysop", "--config", str(settings(folder, url, options.seed)), "serve"]
            with common.running(command, re.compile(r"webhooks (http://\S+)")) as (address, process):
                before, _ = memory(process)
                sent = await sent_by(address, options)
                store = Store.open(url)
                behind, found = await placed(store)
                now, most = memory(process)
                await store.close()
            code |= told(name, options, sent, found, behind, (before, now, most))
    return code


def told(
    name: str,
    options: argparse.Namespace,
    sent: dict[str, Any],
    found: Outcome,
    behind: float,
    weight: tuple[float, float, float],
) -> int:
    """Print the figures; return 1 where an alert was lost, was not placed, or an incident had more than one run."""
    took, late = sent["took"], sent["late"]
    lost = options.alerts - found.stored
    p50, p99, worst = common.percentile(took, 0.5), common.percentile(took, 0.99), max(took)
    print(
        f"{name}: {options.alerts} alerts in {len(took)} deliveries within {sent['seconds']:.0f} s "
        f"({options.alerts / sent['seconds'] * 60:.0f} a minute), lost {lost}\n"
        f"  acknowledged: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, max {worst * 1000:.0f} ms; "
        f"p99 from when it was due {common.percentile(late, 0.99) * 1000:.0f} ms; "
        f"refused and sent again {sent['refused']}\n"
        f"  memory: {weight[0]:.0f} MB before, {weight[1]:.0f} MB after, {weight[2]:.0f} MB at most\n"
        f"  {found.incidents} incidents, {found.merged} of them merged into others, {found.held} alerts held back; "
        f"{found.runs} runs, at most {found.most_runs} an incident; "
        f"all placed {behind:.1f} s after the last was acknowledged, {found.waiting} not",
        flush=True,
    )
    return int(bool(lost or found.waiting or found.most_runs > 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alerts", type=int, default=50_000)
    parser.add_argument("--per-minute", type=float, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        print(json.dumps(asyncio.run(client(json.load(sys.stdin)))))
    else:
        sys.exit(asyncio.run(main(given)))
