"""Asking places for alerts again and again: what is new comes in, what is gone has ended, trouble ends nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import bench
from sysop.api import ActionFailed, Alert, Inventory, PluginContext, Pull, Pulled
from sysop.app import App
from sysop.gate.http import HttpClient, PluginHttp
from sysop.incidents.pulling import KEPT_MS, Place, Pulling
from sysop.store import alerts


@dataclass
class Monitored:
    """A place that is asked, and the clock."""

    app: App
    folder: Path
    http: PluginHttp
    firing: list[Alert] = field(default_factory=list)
    hushed: set[tuple[str, int]] = field(default_factory=set)
    trouble: Exception | None = None
    now: int = 1_000_000
    asked: int = 0
    secrets: list[str] = field(default_factory=list)
    gone_after: float = 0.0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all that is in memory."""
        self.pulling = Pulling([self.place()], self.app.lifecycle.take, self._secret, lambda: self.now)

    def place(self, name: str = "http://alertmanager:9093", every: float = 0.01) -> Place:
        context = PluginContext("alertmanager", None, self.folder, Inventory(), self.http)
        return Place(Pull(name, every, self.look, self.gone_after), lambda: context)

    async def look(self, _ctx: PluginContext, secret: Callable[[str], str]) -> Pulled:
        self.asked += 1
        self.secrets.append(secret("token"))
        if self.trouble:
            raise self.trouble
        return Pulled(tuple(self.firing), frozenset(self.hushed))

    def _secret(self, name: str) -> str:
        return f"secret {name}"

    async def ask(self, after_ms: int = 1000) -> dict[tuple[str, int], int | None]:
        """Ask once, some time later, and return what is stored: (fingerprint, start) to end."""
        self.now += after_ms
        await self.pulling.ask(self.place())
        return await self.stored()

    async def stored(self) -> dict[tuple[str, int], int | None]:
        rows = await self.app.store.read(alerts.listed)
        return {(one.alert.fingerprint, one.alert.starts_at): one.alert.ends_at for one in rows}


@pytest.fixture
async def monitored(tmp_path: Path, url: str) -> AsyncIterator[Monitored]:
    app, pool = bench.build(tmp_path, url), HttpClient()
    yield Monitored(app, tmp_path, PluginHttp(pool, (), changes=False))
    await pool.close()
    await app.close()


def alert(fingerprint: str = "a", starts_at: int = 500_000, **labels: str) -> Alert:
    named = {"alertname": "High", "service": "checkout", **labels}
    return Alert("alertmanager", fingerprint, starts_at, None, named, {"summary": "it is high"})


async def test_what_fires_comes_in_once_and_what_is_gone_ended_when_that_was_noticed(monitored: Monitored) -> None:
    monitored.firing = [alert("a"), alert("b")]
    assert await monitored.ask() == {("a", 500_000): None, ("b", 500_000): None}
    await monitored.ask()
    monitored.firing = [alert("b")]
    assert await monitored.ask() == {("a", 500_000): None, ("b", 500_000): None}, "one answer alone may be a hiccup"
    assert await monitored.ask() == {("a", 500_000): 1_003_000, ("b", 500_000): None}
    assert await monitored.ask() == {("a", 500_000): 1_003_000, ("b", 500_000): None}


async def test_what_is_missing_from_one_answer_only_has_not_ended(monitored: Monitored) -> None:
    monitored.firing = [alert("a")]
    await monitored.ask()
    for _ in range(3):
        monitored.firing = []
        await monitored.ask()
        monitored.firing = [alert("a")]
        assert await monitored.ask() == {("a", 500_000): None}


async def test_a_server_that_forgot_all_when_it_was_started_anew_has_time_to_be_told_again(
    monitored: Monitored,
) -> None:
    monitored.gone_after = 180
    monitored.firing = [alert("a")]
    await monitored.ask()
    monitored.firing = []
    for _ in range(12):
        assert await monitored.ask(15_000) == {("a", 500_000): None}
    monitored.firing = [alert("a")]
    assert await monitored.ask(15_000) == {("a", 500_000): None}
    monitored.firing = []
    await monitored.ask(15_000)
    assert await monitored.ask(179_999) == {("a", 500_000): None}
    assert await monitored.ask(1) == {("a", 500_000): 1_211_000}, "at the time of the first answer without it"


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_comes_back_after_it_was_taken_for_ended_fires_again_and_ends_again(
    monitored: Monitored, restarted: bool
) -> None:
    """Stored as ended under the start it has there, it would stay so for ever, however long it fires."""
    monitored.firing = [alert("a")]
    await monitored.ask()
    monitored.firing = []
    await monitored.ask()
    ended = await monitored.ask()
    monitored.firing = [alert("a")]
    for _ in range(3):
        if restarted:
            monitored.restart()
        assert await monitored.ask() == ended | {("a", 1_004_000): None}
    monitored.firing = []
    await monitored.ask()
    assert await monitored.ask() == ended | {("a", 1_004_000): 1_007_000}


async def test_what_ended_is_not_remembered_for_ever(monitored: Monitored) -> None:
    monitored.firing = [alert("a")]
    await monitored.ask()
    monitored.firing = []
    await monitored.ask()
    await monitored.ask()
    monitored.firing = [alert("b")]
    await monitored.ask(KEPT_MS)
    (file,) = monitored.folder.glob("pulled-*.json")
    assert [one["fingerprint"] for one in json.loads(file.read_text())] == ["b"]


async def test_an_alert_that_fires_anew_is_another_occurrence(monitored: Monitored) -> None:
    monitored.firing = [alert("a")]
    await monitored.ask()
    monitored.firing = [alert("a", 1_001_500)]
    await monitored.ask()
    assert await monitored.ask() == {("a", 500_000): 1_002_000, ("a", 1_001_500): None}


async def test_what_is_silenced_there_fires_on_and_is_no_news(monitored: Monitored) -> None:
    monitored.firing = [alert("a")]
    await monitored.ask()
    monitored.firing, monitored.hushed = [], {("a", 500_000), ("b", 500_000)}
    await monitored.ask()
    assert await monitored.ask() == {("a", 500_000): None}
    monitored.hushed = set()
    await monitored.ask()
    assert (await monitored.ask())["a", 500_000] == 1_004_000


@pytest.mark.parametrize("trouble", [ActionFailed("refused"), OSError("gone"), ValueError("not JSON"), KeyError("bug")])
async def test_trouble_ends_nothing_and_is_told_once(
    monitored: Monitored, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sysop.incidents.pulling")
    monitored.firing = [alert("a")]
    await monitored.ask()
    monitored.trouble = trouble
    for _ in range(3):
        assert await monitored.ask() == {("a", 500_000): None}
    monitored.trouble = None
    assert await monitored.ask() == {("a", 500_000): None}
    said = [record.levelname for record in caplog.records if record.name == "sysop.incidents.pulling"]
    assert said == (["ERROR"] * 3 if isinstance(trouble, KeyError) else ["WARNING"]) + ["INFO"]


async def test_what_ended_while_nobody_asked_is_noticed_after_a_restart(monitored: Monitored) -> None:
    monitored.firing = [alert("a"), alert("b", password="hunter2hunter2")]
    await monitored.ask()
    monitored.restart()
    monitored.firing = []
    await monitored.ask()
    assert await monitored.ask() == {("a", 500_000): 1_002_000, ("b", 500_000): 1_002_000}
    (file,) = monitored.folder.glob("pulled-*.json")
    assert [(one["fingerprint"], one["over"]) for one in json.loads(file.read_text())] == [
        ("a", 1_002_000),
        ("b", 1_002_000),
    ]


async def test_what_is_kept_for_a_restart_holds_no_credential(monitored: Monitored) -> None:
    monitored.firing = [alert("a", note="token=hunter2hunter2")]
    await monitored.ask()
    (file,) = monitored.folder.glob("pulled-*.json")
    assert '"fingerprint": "a"' in file.read_text()
    assert "hunter2" not in file.read_text()
    assert "it is high" not in file.read_text()


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"source": "a"}]', "{}", '[{"starts_at": "x"}]'])
async def test_a_file_that_cannot_be_read_is_told_and_made_anew(
    monitored: Monitored, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    monitored.firing = [alert("a")]
    await monitored.ask()
    (file,) = monitored.folder.glob("pulled-*.json")
    file.write_text(text)
    monitored.restart()
    assert await monitored.ask() == {("a", 500_000): None}
    assert text == "{}" or "cannot be read" in caplog.text
    monitored.restart()
    monitored.firing = []
    await monitored.ask()
    assert (await monitored.ask())["a", 500_000] is not None


async def test_an_end_is_never_before_the_start(monitored: Monitored) -> None:
    monitored.firing = [alert("a", 9_000_000)]
    await monitored.ask()
    monitored.firing = []
    await monitored.ask()
    assert await monitored.ask() == {("a", 9_000_000): 9_000_000}


async def test_what_could_not_be_stored_comes_in_with_the_next_answer(monitored: Monitored) -> None:
    monitored.firing = [alert("a")]
    take, tries = monitored.app.lifecycle.take, []

    async def broken(found: object) -> None:
        tries.append(found)
        raise OSError("no space left")

    monitored.pulling = Pulling([monitored.place()], broken, lambda name: name, lambda: monitored.now)
    assert await monitored.ask() == {}
    monitored.pulling = Pulling([monitored.place()], take, lambda name: name, lambda: monitored.now)
    assert await monitored.ask() == {("a", 500_000): None}
    assert len(tries) == 1


async def test_every_place_is_asked_again_and_again_until_it_is_told_to_stop(monitored: Monitored) -> None:
    slow = asyncio.Event()

    async def stuck(_ctx: PluginContext, _secret: Callable[[str], str]) -> Pulled:
        await slow.wait()
        return Pulled(())

    hung = Place(Pull("http://hung", 0.01, stuck), monitored.place().context)
    pulling = Pulling([monitored.place(), hung], monitored.app.lifecycle.take, lambda name: name, lambda: monitored.now)
    running = asyncio.create_task(pulling.run())
    async with asyncio.timeout(30):
        while monitored.asked < 5:
            await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_without_a_place_there_is_nothing_to_do(monitored: Monitored) -> None:
    await Pulling([], monitored.app.lifecycle.take, lambda name: name, lambda: 0).run()


async def test_a_place_is_given_a_way_to_its_credential(monitored: Monitored) -> None:
    await monitored.ask()
    assert monitored.secrets == ["secret token"]
