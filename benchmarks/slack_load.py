"""2,000 signed slash commands at concurrency 32: Sysop over HTTP side by side with bare Bolt handlers, rounds in turn.

Each server is a process of its own and so is the client; the commands' work is done by the consumer while they come.
A bare handler acknowledges at once, has no database, and keeps nothing. There are two: Bolt as it is by default, and
Bolt at its fastest (`process_before_response`), which answers only when the listener has returned.
Run by itself: python benchmarks/slack_load.py --commands 2000 --concurrency 32
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import common
from sqlalchemy import select

from sysop.store import tables as t
from sysop.store.store import Store

HERE = Path(__file__).resolve()
SECRET = "0123456789abcdef0123456789abcdef"
TOO_LATE_S = 3.0
ROUND = 500
SETTLE_S = 120.0
WARM_UP = 64
TEAM = "T1"
PEOPLE = 16


# -- a stand-in for Slack: it says who everybody is, and counts the answers to each command ---------------------------


class Slack:
    """The least of Slack's Web API that answering a command needs."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                answer = json.dumps(self._answer(head.split(" ", 2)[1])).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
                )
                writer.write(answer)
        writer.close()

    def _answer(self, path: str) -> dict[str, Any]:
        if path.startswith("/answer/"):
            self.answers[path.rpartition("/")[2]] += 1
            return {"ok": True}
        if path.startswith("/api/auth.test"):
            return {
                "ok": True,
                "team_id": TEAM,
                "team": "bench",
                "user_id": "U0",
                "bot_id": "B0",
                "url": f"{self.url}/",
            }
        if path.startswith("/api/users.info"):
            profile = {"real_name": "Requester", "display_name": "Requester"}
            user = re.search(r"user=(\w+)", path)
            return {
                "ok": True,
                "user": {"id": user[1] if user else "U1", "team_id": TEAM, "name": "requester", "profile": profile},
            }
        return {"ok": True}


# -- the two servers --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def sysop(folder: Path, url: str, slack: str) -> Iterator[str]:
    """Run `sysop serve` as an operator would, and yield the address Slack delivers to."""
    for name, value in (("bot-token", "xoxb-bench"), ("signing-secret", SECRET)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(value)
    tokens = {name.replace("-", "_"): f"file:{folder / name}" for name in ("bot-token", "signing-secret")}
    values = {
        "state": str(folder),
        "database": {"url": url},
        "webhooks": {"port": 0},
        "slack": {**tokens, "mode": "http", "api_url": f"{slack}/api/"},
    }
    (folder / "sysop.yaml").write_text(json.dumps(values))
    command = [sys.executable, "-m", "sysop", "--config", str(folder / "sysop.yaml"), "serve"]
    with common.running(command, re.compile(r"webhooks (http://\S+)")) as (address, _):
        yield f"{address}/slack/events"


@contextlib.contextmanager
def bare(how: str) -> Iterator[str]:
    """Run a bare Bolt handler on the same server, `default` or `fastest`, and yield its address."""
    with common.running([sys.executable, str(HERE), "--bare", how], re.compile(r"at (http://\S+)")) as (address, _):
        yield f"{address}/slack/events"


async def serve_bare(how: str) -> None:
    """Acknowledge every command; nothing else."""
    from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult

    from sysop.surfaces.server import Server, listen

    async def identity(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=TEAM, bot_token="xoxb-bench", bot_id="B0", bot_user_id="U0")

    app = AsyncApp(signing_secret=SECRET, authorize=identity, process_before_response=how == "fastest")

    @app.command("/sysop")
    async def command(ack: Any) -> None:
        await ack()

    address = await Server(AsyncSlackRequestHandler(app, path="/slack/events"), listen("127.0.0.1", 0)).start()
    print(f"bare Bolt at {address}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


# -- the client -------------------------------------------------------------------------------------------------------


def command_bytes(host: str, key: str, slack: str, stamp: int) -> bytes:
    """Return a signed request, whole."""
    user = f"U{int(key.rpartition('.')[2]) % PEOPLE + 1}"
    fields = {"command": "/sysop", "text": "help", "team_id": TEAM, "team_domain": "bench", "user_id": user}
    where = {"user_name": "requester", "channel_id": "C1", "channel_name": "general", "api_app_id": "A1"}
    body = urlencode({**fields, **where, "trigger_id": key, "response_url": f"{slack}/answer/{key}"})
    signed = hmac.new(SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    lines = [
        "POST /slack/events HTTP/1.1",
        f"host: {host}",
        "content-type: application/x-www-form-urlencoded",
        f"content-length: {len(body)}",
        f"x-slack-request-timestamp: {stamp}",
        f"x-slack-signature: v0={signed}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


async def client(order: dict[str, Any]) -> dict[str, Any]:
    """Send what was ordered, so many at once, and return how long each took to be acknowledged."""
    host = order["address"].removeprefix("http://").partition("/")[0]
    name, _, port = host.partition(":")
    requests = [command_bytes(host, key, order["slack"], stamp) for key, stamp in order["commands"]][::-1]
    took: list[float] = []
    statuses: Counter[str] = Counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection(name, int(port))
        while requests:
            request = requests.pop()
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await rest(reader, head)
            took.append(time.perf_counter() - began)
            statuses[head[9:12].decode()] += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(order["concurrency"])))
    return {"took": took, "seconds": time.perf_counter() - began, "statuses": statuses}


async def rest(reader: asyncio.StreamReader, head: bytes) -> None:
    """Read the body of an answer."""
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if length is not None:
        await reader.readexactly(int(length[1]))
        return
    while size := int(await reader.readline(), 16):  # chunked
        await reader.readexactly(size + 2)
    await reader.readline()


async def send(address: str, slack: str, commands: Sequence[tuple[str, int]], concurrency: int) -> dict[str, Any]:
    """Have a process of its own send."""
    order = {"address": address, "slack": slack, "commands": commands, "concurrency": concurrency}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE), "--client"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(json.dumps(order).encode())
    found: dict[str, Any] = json.loads(said)
    return found


# -- what is measured -------------------------------------------------------------------------------------------------


@dataclass
class Side:
    """What one server did over all rounds."""

    took: list[float] = field(default_factory=list)
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, found: dict[str, Any]) -> None:
        """Add a round."""
        self.took += found["took"]
        self.seconds += found["seconds"]
        self.statuses.update(found["statuses"])

    @property
    def p99(self) -> float:
        """Return the 99th percentile in seconds."""
        return common.percentile(self.took, 0.99)

    def line(self, name: str) -> str:
        """Return it in one line."""
        p50, late = common.percentile(self.took, 0.5), sum(one > TOO_LATE_S for one in self.took)
        return (
            f"{name}: p50 {p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms, max {max(self.took) * 1000:.0f} ms, "
            f"{len(self.took) / self.seconds:.0f}/s, over 3 s {late}, answered {dict(self.statuses)}"
        )


async def settled(slack: Slack, keys: Sequence[str]) -> float:
    """Wait until each command was answered; return how long that took."""
    began = time.perf_counter()
    while sum(key in slack.answers for key in keys) < len(keys) and time.perf_counter() - began < SETTLE_S:
        await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def side_by_side(
    slack: Slack, ours: str, theirs: Sequence[str], options: argparse.Namespace
) -> tuple[Side, list[Side], list[str]]:
    """Send to each in turn; the next round begins once the work of the last one is done."""
    sides = {address: Side() for address in (ours, *theirs)}
    for address in sides:
        await send(address, slack.url, _new("warm", WARM_UP), options.concurrency)
    await settled(slack, [f"warm.{n}" for n in range(WARM_UP)])
    keys: list[str] = []
    rounds = max(1, options.commands // ROUND)
    for number in range(rounds):
        for address in list(sides)[:: 1 if number % 2 else -1]:
            commands = _new(f"r{number}", options.commands // rounds)
            sides[address].add(await send(address, slack.url, commands, options.concurrency))
            if address == ours:
                keys += [key for key, _ in commands]
                behind = await settled(slack, keys)
        print(
            f"  round {number + 1} of {rounds}: all work done {behind:.1f} s after the last acknowledgement", flush=True
        )
    return sides[ours], [sides[address] for address in theirs], keys


def _new(name: str, count: int) -> list[tuple[str, int]]:
    return [(f"{name}.{number}", int(time.time())) for number in range(count)]


async def twice(slack: Slack, address: str, options: argparse.Namespace) -> list[str]:
    """Deliver each command twice, every fourth three times; copies are signed alike or anew."""
    first = _new("twice", options.commands)
    again = [(key, stamp - number % 2) for number, (key, stamp) in enumerate(first)]
    third = [(key, stamp - 2) for key, stamp in first[::4]]
    mixed = sorted([*first, *again, *third], key=lambda one: hashlib.sha256(one[0].encode()).digest())
    await send(address, slack.url, mixed, options.concurrency)
    keys = [key for key, _ in first]
    await settled(slack, keys)
    await asyncio.sleep(1)  # a second answer would come now
    return keys


async def done(url: str) -> set[str]:
    """Return the commands that were written down and worked on."""
    store = Store.open(url)
    try:
        kept = select(t.inbox.c.key).where(t.inbox.c.state == "done")
        return await store.read(lambda conn: {key.removeprefix("command:") for key in conn.scalars(kept)})
    finally:
        await store.close()


async def main(options: argparse.Namespace) -> int:
    """Measure with each database."""
    code = 0
    for kind in options.databases.split(","):
        with common.databases(kind) as [(name, url, folder)]:
            slack = Slack()
            await slack.start()
            with sysop(folder, url, slack.url) as ours, bare("default") as one, bare("fastest") as other:
                mine, (default, fastest), keys = await side_by_side(slack, ours, [one, other], options)
                doubled = await twice(slack, ours, options)
            print(mine.line(f"Sysop on {name}"))
            print(default.line("bare Bolt, default"))
            print(fastest.line("bare Bolt, fastest"))
            sent = [*keys, *doubled]
            lost = len(set(sent) - await done(url))
            unanswered = sum(slack.answers[key] == 0 for key in sent)
            repeated = sum(slack.answers[key] > 1 for key in sent)
            late = sum(one > TOO_LATE_S for one in mine.took)
            print(
                f"{name}: p99 ratio {mine.p99 / default.p99:.2f} to the default, "
                f"{mine.p99 / fastest.p99:.2f} to the fastest, lost {lost}, not answered {unanswered}, "
                f"run twice {repeated} of {len(doubled)} that came two or three times",
                flush=True,
            )
            await slack.stop()
            code |= bool(lost or unanswered or repeated or late)
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--bare", choices=["default", "fastest"], help=argparse.SUPPRESS)
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        asyncio.run(serve_bare(given.bare))
    elif given.client:
        print(json.dumps(asyncio.run(client(json.load(sys.stdin)))))
    else:
        sys.exit(asyncio.run(main(given)))
