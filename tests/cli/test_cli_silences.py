"""`sysop silences`, as people type it."""

from __future__ import annotations

import asyncio

import pytest
from terminal import Shell

import bench
from sysop.app import App
from sysop.model import Alert


async def _take(app: App, *services: str) -> None:
    labels = [{"alertname": "Errors", "service": name, "severity": "critical"} for name in services]
    await app.lifecycle.take([Alert("test", one["service"], 1_700_000_000_000, None, one, {}) for one in labels])
    await app.close()


def take(shell: Shell, *services: str) -> None:
    folder = shell.folder / ".sysop"
    asyncio.run(_take(bench.build(folder, f"sqlite:///{folder / 'sysop.db'}"), *services))


def test_before_there_is_a_database_nothing_is_silenced(shell: Shell) -> None:
    assert "nothing is silenced" in shell("silences").out
    assert shell("silences", "--json").json == []


def test_a_silence_is_set_listed_and_ended(shell: Shell) -> None:
    shell("db", "upgrade")
    said = shell("silences", "add", "service=checkout", "--for", "2h", "--comment", "a migration")
    id = said.find(r"sil-\w+")
    assert said.code == 0
    assert 'UTC: service="checkout"' in said.out
    assert "It holds in Sysop only." in said.out
    assert f"sysop silences end {id}" in said.out
    take(shell, "checkout", "payments")
    listed = shell("silences")
    for words in (id, "holds", 'service="checkout"', "a migration (ann)"):
        assert words in listed.out
    (one,) = shell("silences", "list", "--json").json
    assert (one["state"], one["alerts"], one["conditions"]) == ("holds", 1, ['service="checkout"'])
    assert one["ends_at"] - one["starts_at"] == 7_200_000
    ended = shell("silences", "end", id, "--json", by="bob").json
    assert (ended["state"], ended["ended_by"], ended["mirror"]["state"]) == ("over", "person:bob", "nowhere")
    assert "nothing is silenced" in shell("silences").out
    assert id in shell("silences", "--all").out
    assert "is over already" in shell("silences", "end", id).err


def test_a_maintenance_window_begins_later(shell: Shell) -> None:
    shell("db", "upgrade")
    words = ("service=checkout", "pod=~web-.*", "--for", "1d12h", "--in", "30m", "--comment", "window", "--json")
    made = shell("silences", "add", *words).json
    assert made["state"] == "ahead"
    assert made["starts_at"] - made["created_at"] == 1_800_000
    assert made["ends_at"] - made["starts_at"] == 129_600_000
    assert made["conditions"] == ['service="checkout"', 'pod=~"web-.*"']


def test_who_has_no_role_can_look_and_nothing_else(shell: Shell) -> None:
    shell("db", "upgrade")
    wish = ("silences", "add", "service=checkout", "--for", "2h", "--comment", "x")
    refused = shell(*wish, by="dan")
    assert (refused.code, "only a person with a role can silence alerts" in refused.err) == (1, True)
    assert "people:" not in refused.err, "dan is known already"
    assert "To be known, add" in shell(*wish, by="nobody").err
    id = shell(*wish).find(r"sil-\w+")
    assert "only a person with a role can end" in shell("silences", "end", id, by="dan").err
    assert id in shell("silences", by="dan").out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add", "service=checkout", "--for", "2 weeks", "--comment", "x"), 2, "write 30m, 2h or 1d12h"),
        (("add", "checkout", "--for", "2h", "--comment", "x"), 1, "write service=checkout"),
        (("add", "service=~.*", "--for", "2h", "--comment", "x"), 1, "nearly all"),
        (("add", "service=~(", "--for", "2h", "--comment", "x"), 1, "the pattern cannot be read"),
        (("add", "service=checkout", "--for", "40d", "--comment", "x"), 1, "30 days"),
        (("add", "service=checkout", "--for", "2h", "--comment", " "), 1, "say why"),
        (("add", "--for", "2h", "--comment", "x"), 2, "CONDITION"),
        (("end", "sil-none"), 1, "there is no silence 'sil-none'; see: sysop silences"),
    ],
)
def test_what_is_typed_wrong_is_answered_with_what_to_type(
    shell: Shell, words: tuple[str, ...], code: int, says: str
) -> None:
    shell("db", "upgrade")
    said = shell("silences", *words)
    assert said.code == code
    assert says in said.err
    assert "Traceback" not in said.err
