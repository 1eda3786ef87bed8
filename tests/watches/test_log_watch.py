"""A log watch as a whole: a planted error is found, an ordinary log is not, and a restart forgets nothing."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sysop.model import Alert
from sysop.sections import LogWatchSettings
from sysop.watches.logs.log_watch import LogWatch
from sysop.watches.logs.survey import survey

T0 = 1_800_000_000
ORDINARY = (
    ("INFO handled GET /orders/{n} from 10.0.0.{b} in {n}ms", 12.0),
    ("INFO order {n} of {name} placed", 5.0),
    ("INFO cache refreshed in {n} ms", 2.0),
    ("WARN slow query took {n} ms", 0.5),
    ("ERROR provider answered {b}, trying again", 0.2),
)
NAMES = ("ann", "bruno", "chen", "dalia")


def ordinary(random_: random.Random) -> Iterator[str]:
    """Yield the lines of one window: as many of each kind as chance makes of its rate."""
    for kind, mean in ORDINARY:
        for _ in range(sum(random_.random() < mean / 40 for _ in range(40))):
            yield kind.format(n=random_.randrange(10_000), b=random_.randrange(256), name=random_.choice(NAMES))


@dataclass
class Site:
    """A log that is written window by window, and the watch on it; what fires is remembered as the database would."""

    folder: Path
    seed: int = 1
    changes: dict[str, object] = field(default_factory=dict)
    now: float = T0
    firing: dict[str, Alert] = field(default_factory=dict)
    told: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.log = self.folder / "app.log"
        self.log.touch()
        self.start()

    def start(self) -> None:
        values = {"name": "App", "files": (str(self.log),), "learn_windows": 30, "host": "web-1", **self.changes}
        settings = LogWatchSettings.model_validate(values)
        self.watch = LogWatch(settings, self.folder / "state" / "App.json", lambda: self.now)
        self.watch.look_here(self.now, self.firing)

    async def restart(self) -> None:
        self.watch.close()
        self.start()

    async def window(self, *more: str, lines: bool = True) -> list[Alert]:
        """Write a window's lines, let its time pass, and return what is told."""
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in [*(ordinary(self.random) if lines else ()), *more])
        self.now += 60
        found = self.watch.look_here(self.now, self.firing)
        for alert in found:
            self.told.append(alert)
            if alert.firing:
                self.firing[alert.fingerprint] = alert
            else:
                del self.firing[alert.fingerprint]
        await self.watch.keep()
        return found

    async def windows(self, count: int) -> list[Alert]:
        return [alert for _ in range(count) for alert in await self.window()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.watch.close()


def planted(n: int) -> str:
    return f"ERROR payment {n} refused: certificate of pay-{n}.example expired password=hunter22{n}"


@pytest.mark.parametrize("seed", range(6))
async def test_an_ordinary_log_gives_no_alert(tmp_path, seed):
    site = Site(tmp_path, seed)
    assert await site.windows(120) == []
    site.watch.close()


async def test_a_planted_error_is_told_with_its_template_and_an_example_without_secrets(site):
    assert await site.windows(50) == []
    (alert,) = await site.window(*(planted(n) for n in range(12)))
    assert alert.firing
    assert alert.source == "watch"
    assert alert.starts_at == int(site.now - 60) * 1000
    assert dict(alert.labels) == {
        "alertname": "App-new",
        "watch": "App",
        "severity": "warning",
        "host": "web-1",
    }
    words = alert.annotations
    assert words["template"].startswith("ERROR payment <number> refused: certificate of")
    assert words["example"].startswith("ERROR payment 0 refused: certificate of pay-0.example expired")
    assert words["count"] == "12"
    assert words["summary"] == "App: a new kind of line, 12 in the last 10 windows"
    assert "hunter" not in str(words)
    assert "hunter" not in (site.folder / "state" / "App.json").read_text()


async def test_it_ends_once_it_has_stayed_away(site):
    await site.windows(50)
    (opened,) = await site.window(*(planted(n) for n in range(12)))
    (ended,) = await site.windows(30)
    assert (ended.fingerprint, ended.starts_at) == (opened.fingerprint, opened.starts_at)
    assert ended.ends_at is not None
    assert opened.starts_at < ended.ends_at <= site.now * 1000


async def test_a_log_that_stops_is_told(site):
    await site.windows(60)
    told = [alert for _ in range(15) for alert in await site.window(lines=False)]
    (alert,) = told
    assert alert.labels["alertname"] in ("App-fewer", "App-vanished")
    assert "of the whole log" in alert.annotations["summary"]


async def test_a_restart_neither_forgets_nor_counts_twice(site):
    await site.windows(50)
    before = site.watch.templates
    await site.restart()
    assert [t.text for t in site.watch.templates] == [t.text for t in before]
    assert await site.windows(5) == []
    (alert,) = await site.window(*(planted(n) for n in range(12)))
    await site.restart()
    assert await site.window() == []
    (ended,) = await site.windows(40)
    assert (ended.fingerprint, ended.starts_at) == (alert.fingerprint, alert.starts_at)


async def test_lines_written_while_nobody_looked_are_no_burst(site):
    await site.windows(60)
    site.watch.close()
    with site.log.open("a") as file:
        for _ in range(40):
            file.writelines(f"{line}\n" for line in ordinary(site.random))
    site.now += 40 * 60
    site.start()
    assert await site.windows(10) == []


async def test_a_finding_nobody_knows_of_any_more_ends(site):
    await site.windows(50)
    (alert,) = await site.window(*(planted(n) for n in range(12)))
    (site.folder / "state" / "App.json").unlink()
    await site.restart()
    (ended,) = await site.windows(15)
    assert ended.fingerprint == alert.fingerprint
    assert site.firing == {}


async def test_a_finding_of_a_host_that_is_gone_ends_once_it_is_older_than_any_finding_gets(site):
    await site.windows(50)
    (alert,) = await site.window(*(planted(n) for n in range(12)))
    gone = replace(alert, fingerprint="f" * 16, labels={**alert.labels, "host": "web-0"})
    site.firing[gone.fingerprint] = gone
    told = await site.windows(360)
    assert gone.fingerprint not in {one.fingerprint for one in told}
    told = await site.windows(20)
    assert [(one.fingerprint, one.firing) for one in told] == [(gone.fingerprint, False)]


async def test_what_was_told_before_a_crash_is_not_told_again(site):
    await site.windows(50)
    kept = (site.folder / "state" / "App.json").read_text()
    (alert,) = await site.window(*(planted(n) for n in range(12)))
    (site.folder / "state" / "App.json").write_text(kept)  # the crash came before this window was written down
    await site.restart()
    assert await site.window(*(planted(n) for n in range(12))) == []
    assert await site.window(*(planted(n) for n in range(12))) == []
    assert list(site.firing.values()) == [alert]


async def test_a_clock_that_is_set_back_is_no_change_of_rates(site):
    await site.windows(60)
    site.now -= 3600
    assert await site.windows(20) == []
    (alert,) = await site.window(*(planted(n) for n in range(12)))
    assert alert.labels["alertname"] == "App-new"


async def test_a_log_that_is_not_there_is_said_once_and_its_coming_too(site, caplog):
    site.log.unlink()
    await site.restart()
    with caplog.at_level(logging.INFO, logger="sysop.watches"):
        for _ in range(3):
            site.now += 60
            site.watch.look_here(site.now, {})
        await site.windows(2)
    assert [record.getMessage() for record in caplog.records] == [
        f"the watch App sees nothing: no file fits {site.log}",
        "the watch App looks again",
    ]


async def test_a_log_that_grows_faster_than_it_is_read_is_said_once(site, caplog):
    await site.windows(2)
    with site.log.open("a") as file:
        file.writelines(f"INFO order {n} placed by somebody with a rather long name\n" for n in range(260_000))
    with caplog.at_level(logging.INFO, logger="sysop.watches"):
        await site.windows(6)
    assert [record.getMessage() for record in caplog.records] == [
        "the watch App reads with delay, and does not judge rates: the log grows faster than it is read",
        "the watch App looks again",
    ]


async def test_once_closed_nothing_is_read(site):
    await site.windows(2)
    site.watch.close()
    lines = site.watch.lines
    assert await site.window() == []
    assert site.watch.lines == lines


async def test_the_state_is_for_nobody_elses_eyes(site):
    await site.windows(2)
    assert (site.folder / "state" / "App.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 99}', '{"version": 1, "window": "x"}'])
async def test_a_state_that_cannot_be_used_is_said_and_learnt_anew(site, text, caplog):
    await site.windows(3)
    (site.folder / "state" / "App.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        await site.restart()
    (record,) = caplog.records
    assert "cannot be used" in record.getMessage()
    assert "learns anew" in record.getMessage()
    assert await site.windows(2) == []


async def test_known_secrets_stand_in_no_template(tmp_path):
    log = tmp_path / "app.log"
    log.touch()
    settings = LogWatchSettings(name="App", files=(str(log),))
    watch = LogWatch(settings, tmp_path / "App.json", lambda: T0, known=lambda: ["correct-horse"])
    watch.count(["login with correct-horse battery"] * 3)
    (template,) = watch.templates
    assert template.text == "login with [redacted secret] battery"
    assert template.example == template.text


def test_a_survey_shows_the_commonest_kinds_without_secrets(tmp_path):
    random_ = random.Random(1)
    lines = [line for _ in range(50) for line in ordinary(random_)]
    (tmp_path / "a.log").write_text("\n".join([*lines, *(planted(n) for n in range(3))]) + "\n")
    (tmp_path / "b.log").write_text("only one\n")
    found = survey(LogWatchSettings(name="App", files=(str(tmp_path / "*.log"),)))
    assert (found.files, found.lines, found.left_out) == (2, len(lines) + 4, 0)
    first, *_ = found.commonest
    assert first.template == "INFO handled GET <path> from <address> in <number>"
    assert sum(kind.count for kind in found.commonest) == found.lines
    assert "hunter" not in str(found)
