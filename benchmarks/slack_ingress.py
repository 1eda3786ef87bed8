"""100,000 requests at the HTTP ingress of `sysop serve` that Slack never sent, genuine ones and copies among them.

Wrong are headers, signatures, timestamps, encodings, bodies, sizes; replays are copies of genuine ones signed for
another time. None may be accepted, none answered with a 5xx; each genuine one is kept once.
Run by itself: python benchmarks/slack_ingress.py --requests 100000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import common
import slack_load

sys.path.insert(0, str(Path(common.__file__).resolve().parent.parent / "tests" / "surfaces" / "slack"))

import slack_fuzz as fuzz

CONNECTIONS = 8
GENUINE_EACH = 200
"""One in so many is genuine, and comes three times."""
HUGE_EACH = 2000
MAX_BODY = 1_048_576


@dataclass
class Told:
    """What was answered."""

    wrong: Counter[str] = field(default_factory=Counter)
    genuine: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)


class Door:
    """One connection after another to the ingress: it hangs up on what is no HTTP."""

    def __init__(self, address: str) -> None:
        host = address.removeprefix("http://").partition("/")[0]
        self.host, (self._name, _, self._port) = host, host.partition(":")
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes, *, last: bool = False) -> str:
        """Send a request whole and return the status that is answered; "closed" where there is none.

        `last` hangs up afterwards: what breaks its own headers may look like two requests.
        """
        reader, writer = self._open or await asyncio.open_connection(self._name, int(self._port))
        self._open = None
        try:
            with contextlib.suppress(ConnectionError):  # it may answer and hang up before it has read all
                writer.write(request)
                await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            goes_on = not last and b"connection: close" not in head.lower()
            if goes_on:
                await slack_load.rest(reader, head)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return "closed"
        if goes_on:
            self._open = reader, writer
        else:
            writer.close()
        return head[9:12].decode()

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            self._open[1].close()


def wrong(luck: random.Random, host: str) -> tuple[bytes, bool]:
    """Return a request that proves nothing, and whether it breaks its own headers."""
    body, kind = fuzz.any_body(luck)
    if luck.randrange(HUGE_EACH) == 0:
        body = b"x" * (MAX_BODY + luck.randrange(1, 5000))
    headers = fuzz.wrong_headers(luck, body, kind)
    lines = [b"POST /slack/events HTTP/1.1", f"host: {host}".encode(), b"content-length: %d" % len(body)]
    broken = any(byte in value for _, value in headers for byte in b"\r\n")
    return b"\r\n".join([*lines, *[name + b": " + value for name, value in headers], b"", body]), broken


async def knock(door: Door, luck: random.Random, count: int, slack: str, told: Told) -> None:
    """Send requests one after another."""
    for number in range(count):
        if number % GENUINE_EACH:
            request, broken = wrong(luck, door.host)
            told.wrong[await door.ask(request, last=broken)] += 1
            continue
        key, now = f"{luck.getrandbits(64)}.{number}", int(time.time())
        told.keys.add(key)
        genuine = slack_load.command_bytes(door.host, key, slack, now)
        for request in (genuine, genuine, slack_load.command_bytes(door.host, key, slack, now - 1)):
            told.genuine[await door.ask(request)] += 1
        old = slack_load.command_bytes(door.host, f"old.{key}", slack, now - 400)
        told.wrong[await door.ask(old)] += 1
    door.close()


async def main(requests: int) -> int:
    """Send, then look into the database."""
    told, slack = Told(), slack_load.Slack()
    await slack.start()
    with common.databases("sqlite") as [(_, url, folder)]:
        with slack_load.sysop(folder, url, slack.url) as address:
            began = time.perf_counter()
            each = requests // CONNECTIONS
            lucks = [random.Random(seed) for seed in range(CONNECTIONS)]
            await asyncio.gather(*(knock(Door(address), luck, each, slack.url, told) for luck in lucks))
            seconds = time.perf_counter() - began
            await slack_load.settled(slack, sorted(told.keys))
        kept = await slack_load.done(url)
    await slack.stop()
    accepted = sum(count for status, count in told.wrong.items() if status.startswith("2")) + len(kept - told.keys)
    broken = sum(count for status, count in (told.wrong + told.genuine).items() if status.startswith("5"))
    print(f"{told.wrong.total()} wrong requests in {seconds:.0f} s: answered {dict(sorted(told.wrong.items()))}")
    print(f"{len(told.keys)} genuine commands, each three times: answered {dict(told.genuine)}, kept {len(kept)}")
    repeated = sum(slack.answers[key] != 1 for key in told.keys)
    print(f"accepted {accepted}, answered with 5xx {broken}, lost {len(told.keys - kept)}, run twice or not {repeated}")
    return int(bool(accepted or broken or told.keys - kept or repeated))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100_000)
    sys.exit(asyncio.run(main(parser.parse_args().requests)))
