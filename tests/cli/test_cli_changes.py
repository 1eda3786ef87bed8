"""`sysop changes`, as people type it."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from terminal import Shell

from sysop.model import Change, ChangeKind, ChangeState
from sysop.store import changes
from sysop.store.changes import Told
from sysop.store.store import Store


@pytest.fixture
def told(shell: Shell) -> Shell:
    """Return a shell whose database knows of three changes, of 1, 2 and 30 hours ago."""
    shell("db", "upgrade")

    async def fill() -> None:
        store = Store.open(f"sqlite:///{shell.folder / '.sysop' / 'sysop.db'}")
        hour, now = 3_600_000, await store.now()
        some = [
            Change(ChangeKind.DEPLOY, "checkout", "github", "d1", now - hour, after="2.3.1", by="ann", title="faster"),
            Change(ChangeKind.SCALE, "payments", "sysop", "s1", now - 2 * hour, before="3", after="6", run="run-1"),
            Change(ChangeKind.DEPLOY, "checkout", "github", "d0", now - 30 * hour, state=ChangeState.FAILED),
        ]
        await store.write(partial(changes.take, changes=some, told=Told.ASKED))
        await store.close()

    asyncio.run(fill())
    return shell


def test_before_there_is_a_database_nothing_is_known(shell: Shell) -> None:
    assert "no change is known of that time" in shell("changes").out
    assert shell("changes", "--json").json == []


def test_the_newest_comes_first_with_who_and_what(told: Shell) -> None:
    lines = told("changes").out.splitlines()
    deployed, scaled = (number for number, line in enumerate(lines) if "deployed" in line or "scaled" in line)
    assert "checkout 2.3.1 was deployed" in lines[deployed]
    assert "payments was scaled (3 -> 6)" in lines[scaled]
    assert deployed < scaled


def test_a_service_and_a_time_narrow_it_down(told: Shell) -> None:
    assert [one["id"] for one in told("changes", "--json").json] == ["d1", "s1"]
    assert [one["id"] for one in told("changes", "--service", "checkout", "--for", "2d", "--json").json] == ["d1", "d0"]
    assert [one["id"] for one in told("changes", "--for", "90m", "--json").json] == ["d1"]
    assert [one["words"] for one in told("changes", "--for", "2d", "--limit", "1", "--json").json] == [
        "checkout 2.3.1 was deployed"
    ]
    assert told("changes", "--for", "soon").code == 2
