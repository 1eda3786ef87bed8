"""Silences on either database: what they hold back, how they end, and that people are asked who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bench
from gate.kit import ANN, BOB, DAN
from sysop.app import App
from sysop.errors import InvalidRequest, NoSuch, NotAllowed
from sysop.incidents.silencing import Wish, matcher, seconds_of
from sysop.model import Alert
from sysop.store import alerts, audit, silences
from sysop.store.silences import Silence

SERVICES = {"web": {}, "shop": {}}
AT = 1_700_000_000_000
TOKEN = "xoxb-" + "0123456789-0123456789-" + "AbCdEfGhIjKlMnOpQrStUvWx"


@pytest.fixture
async def app(url: str, tmp_path: Path) -> AsyncIterator[App]:
    opened = bench.build(tmp_path, url, inventory=SERVICES, incidents={"triage": False})
    yield opened
    await opened.close()


def alert(name: str = "Errors", service: str = "web", *, ended: bool = False, **labels: str) -> Alert:
    named = {"alertname": name, "service": service, "severity": "critical", **labels}
    return Alert("test", f"{name}-{service}", AT, AT + 60_000 if ended else None, named, {})


def wish(*conditions: str, seconds: int = 3600, comment: str = "a migration", in_seconds: int = 0) -> Wish:
    return Wish(tuple(map(matcher, conditions)), seconds, comment, in_seconds)


async def silenced(app: App, *conditions: str, **more: int) -> Silence:
    return await app.silences.add(ANN, wish(*conditions, **more))


async def held(app: App) -> list[str | None]:
    """Return what holds each alert back, in order of their fingerprints."""
    found = await app.store.read(lambda conn: alerts.listed(conn))
    return [one.silence for one in sorted(found, key=lambda one: one.alert.fingerprint)]


async def kinds(app: App, silence: str) -> list[str]:
    entries = await app.store.read(lambda conn: audit.entries(conn, chain=silences.chain(silence)))
    return [entry.kind for entry in entries]


async def lapse(app: App, silence: str) -> None:
    """Let the time of a silence be over."""
    await app.store.write(lambda tx: silences.change(tx, silence, ends_at=tx.now()))


async def test_what_a_silence_covers_is_taken_in_and_waits_for_no_place(app: App) -> None:
    made = await silenced(app, "service=web", 'alertname=~"Err.*"')
    await app.lifecycle.take([alert(), alert(service="shop"), alert("Latency")])
    assert await held(app) == [None, made.id, None]
    waiting = await app.store.read(lambda conn: alerts.waiting(conn, 10))
    assert sorted(one.alert.fingerprint for one in waiting) == ["Errors-shop", "Latency-web"]
    assert await app.store.read(lambda conn: silences.covered(conn, [made.id])) == {made.id: 1}


async def test_what_fired_before_is_left_where_it_is(app: App) -> None:
    await app.lifecycle.take([alert()])
    await silenced(app, "service=web")
    await app.lifecycle.take([alert()])
    assert await held(app) == [None]


async def test_a_silence_ahead_covers_nothing_yet(app: App) -> None:
    made = await silenced(app, "service=web", in_seconds=600)
    assert made.state(made.created_at) == "ahead"
    assert made.ends_at - made.starts_at == 3_600_000
    await app.lifecycle.take([alert()])
    assert await held(app) == [None]


async def test_what_fires_still_is_placed_when_the_silence_is_ended(app: App) -> None:
    made = await silenced(app, "service=web")
    await app.lifecycle.take([alert(), alert("Latency")])
    await app.lifecycle.take([alert("Latency", ended=True)])
    over = await app.silences.end(made.id, BOB)
    assert (over.state(over.ends_at), over.ended_by) == ("over", BOB.id)
    assert await held(app) == [None, made.id], "what has ended stays as it was"
    waiting = await app.store.read(lambda conn: alerts.waiting(conn, 10))
    assert [one.alert.name for one in waiting] == ["Errors"]
    assert await kinds(app, made.id) == ["silence.added", "silence.ended"]
    with pytest.raises(InvalidRequest, match="is over already"):
        await app.silences.end(made.id, BOB)


async def test_what_fires_still_is_placed_when_the_time_is_over(app: App) -> None:
    made = await silenced(app, "service=web")
    await app.lifecycle.take([alert()])
    await app.silences.tick()
    assert await held(app) == [made.id]
    await lapse(app, made.id)
    await app.silences.tick()
    await app.silences.tick()
    assert await held(app) == [None]
    assert await kinds(app, made.id) == ["silence.added", "silence.over"]


async def test_what_a_second_silence_covers_stays_quiet(app: App) -> None:
    first = await silenced(app, "service=web", seconds=7200)
    await app.lifecycle.take([alert(), alert("Latency")])
    second = await silenced(app, "alertname=Errors")
    await app.silences.end(first.id, ANN)
    assert await held(app) == [second.id, None]


async def test_an_alert_comes_at_the_moment_its_silence_ends_and_is_never_forgotten(app: App) -> None:
    for turn in range(5):
        made = await silenced(app, "service=web")
        one = alert(f"Rule{turn}")
        await asyncio.gather(app.lifecycle.take([one]), app.silences.end(made.id, ANN))
    await app.silences.tick()
    assert await held(app) == [None] * 5


async def test_the_same_delivery_makes_one_silence(app: App) -> None:
    first = await app.silences.add(ANN, wish("service=web"), delivery="click 1")
    assert await app.silences.add(ANN, wish("service=web"), delivery="click 1") == first
    assert len(await app.store.read(silences.listed)) == 1
    assert await kinds(app, first.id) == ["silence.added"]


async def test_only_people_with_a_role_set_and_end(app: App) -> None:
    with pytest.raises(NotAllowed, match="only a person with a role can silence"):
        await app.silences.add(DAN, wish("service=web"))
    made = await silenced(app, "service=web")
    with pytest.raises(NotAllowed, match="only a person with a role can end"):
        await app.silences.end(made.id, DAN)
    with pytest.raises(NoSuch):
        await app.silences.end("sil-none", ANN)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Wish((), 60, "x"), "at least one condition"),
        (Wish((matcher("service=~.*"),), 60, "x"), "nearly all"),
        (Wish((matcher("service!=web"),), 60, "x"), "nearly all"),
        (Wish((matcher("service=web"),) * 11, 60, "x"), "11 conditions are more than 10"),
        (Wish((matcher("service=web"),), 0, "x"), "from one second to 30 days"),
        (Wish((matcher("service=web"),), 31 * 86_400, "x"), "from one second to 30 days"),
        (Wish((matcher("service=web"),), 60, "x", 31 * 86_400), "begins now or within 30 days"),
        (Wish((matcher("service=web"),), 60, "  "), "comment: say why"),
        (Wish((matcher("service=web"),), 60, f"use {TOKEN}"), "looks like a credential"),
        (Wish((matcher(f"service={TOKEN}"),), 60, "x"), "looks like a credential"),
        (Wish((matcher("service=web"),), 60, "x" * 501), "501 characters are more than 500"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_name(app: App, bad: Wish, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await app.silences.add(ANN, bad)
    assert await app.store.read(silences.listed) == []


@pytest.mark.parametrize(
    ("text", "labels", "met"),
    [
        ("service=web", {"service": "web"}, True),
        ('service="web"', {"service": "web"}, True),
        ("service = web", {"service": "web"}, True),
        ("service=web", {"service": "website"}, False),
        ("service=~web", {"service": "website"}, False),
        ("service=~web.*", {"service": "website"}, True),
        ("service!=web", {}, True),
        ("service!~web|shop", {"service": "shop"}, False),
        ('service=""', {}, True),
        ("service=~.+", {}, False),
        ("note=a=b", {"note": "a=b"}, True),
    ],
)
def test_a_condition_means_what_alertmanager_means_by_it(text: str, labels: dict[str, str], met: bool) -> None:
    assert matcher(text).matches(labels) is met


@pytest.mark.parametrize("text", ["", "web", "=web", "1a=b", "ser vice=web", "service:web", "a.b=c"])
def test_what_is_no_condition_is_answered_with_the_form_of_one(text: str) -> None:
    with pytest.raises(InvalidRequest, match="write service=checkout"):
        matcher(text)


def test_a_pattern_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"the pattern cannot be read: missing \)"):
        matcher("service=~web(")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("2h", 7200), ("1d12h", 129_600), ("1d 2h 3m 4s", 93_784), ("90min", 5400), (" 2H ", 7200)],
)
def test_a_length_of_time_is_read(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 weeks", "-1h", "1h2d", "2h of"])
def test_what_is_no_length_of_time_is_answered_with_the_form_of_one(text: str) -> None:
    with pytest.raises(InvalidRequest, match="write 30m, 2h or 1d12h"):
        seconds_of(text)
