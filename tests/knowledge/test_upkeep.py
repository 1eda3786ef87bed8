"""Pages are kept up to what the sources hold: while others ask, while the server is away, and when the process ends."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest
from library_kit import Repository, page, write

from sysop.errors import LibraryError
from sysop.knowledge.duty import Duty
from sysop.knowledge.library.command import access_by_token
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.git import GitSource
from sysop.knowledge.library.library import Library
from sysop.knowledge.retrieval.store import open_search
from sysop.knowledge.upkeep import Repository as Pulled
from sysop.knowledge.upkeep import Shelf, Stopped, Upkeep
from sysop.page_source import PageEntry

RUNBOOK = """---
title: {title}
alerts: [{alert}]
services: ["*"]
owner: harbour
reviewed: 2026-11-01
---
# {title}

```step
id: look
note: Is it so?
action: metrics.query
with: {{query: up}}
```

```conclude
resolved: true
summary: Done.
```
"""


class Slow:
    """A source whose second page is read only when somebody says so."""

    name, key = "slow", "slow"

    def __init__(self):
        self.reading, self.go_on = threading.Event(), threading.Event()

    def scan(self):
        for number in range(3):
            yield PageEntry(f"p{number}", f"slow/p{number}.md", "1", lambda number=number: self._read(number))

    def _read(self, number):
        if number == 1:
            self.reading.set()
            assert self.go_on.wait(20)
            time.sleep(0.2)  # so that progress is told again
        return page(f"Pier {number}", "The crane stands still.").encode()

    def close(self):
        pass


def upkeep(folder, *sources, pulled=()):
    def open(files):
        place = folder if files else None
        search, lost = open_search(place)
        return Shelf(Library(sources, place, search), search, lost)

    return Upkeep(open, lambda _page: [], pulled)


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "harbour"
    folder.mkdir()
    write(folder, crane=page("The crane stands still", "Oil its winch."))
    (folder / "quay.md").write_text(RUNBOOK.format(title="The quay floods", alert="QuayFloods"))
    return folder


@pytest.fixture(params=["kept", "in memory"])
def kept(request, pages, tmp_path):
    made = upkeep(tmp_path / "state" if request.param == "kept" else None, FolderSource(pages))
    yield made
    made.close()


def test_what_is_asked_first_is_read_first(kept):
    assert list(kept.index.runbooks) == ["harbour/quay.md"]
    assert len(kept.index.pages) == 2
    assert kept.index.find(["QuayFloods"]).runbook.steps
    assert kept.index.search("oil the winch")[0].page.path == "harbour/crane.md"
    assert kept.index.get("crane").steps == (), "prose is a runbook without steps"


def test_changes_are_seen_and_what_is_gone_is_gone(kept, pages):
    kept.refresh()
    write(pages, crane=page("The crane turns", "Grease the pivot.", alerts="[CraneTurns]"))
    (pages / "quay.md").unlink()
    (pages / "tug.md").write_text(RUNBOOK.format(title="The tug sinks", alert="TugSinks"))
    changes = kept.refresh()
    assert (changes.added, changes.changed, changes.removed) == (
        ("harbour/tug.md",),
        ("harbour/crane.md",),
        ("harbour/quay.md",),
    )
    assert kept.index.find(["QuayFloods"]) is None
    assert kept.index.find(["TugSinks"]).runbook.path == "harbour/tug.md"
    prose = kept.index.find(["CraneTurns"])
    assert (prose.runbook.path, prose.runbook.steps) == ("harbour/crane.md", ())
    assert [hit.page.path for hit in kept.index.search("grease the pivot", 1)] == ["harbour/crane.md"]


def test_a_page_whose_steps_are_wrong_is_named_and_only_read(kept, pages):
    text = RUNBOOK.format(title="The tug sinks", alert="TugSinks").replace("id: look", "id: look\nwhen: ${oops(}")
    (pages / "tug.md").write_text(text)
    kept.refresh()
    assert any(broken.path == "harbour/tug.md" for broken in kept.index.broken)
    assert kept.index.find(["TugSinks"]).runbook.steps == (), "nobody follows it"


def test_a_second_process_sees_what_the_first_has_read(pages, tmp_path):
    first, second = (upkeep(tmp_path / "state", FolderSource(pages)) for _ in range(2))
    first.refresh()
    assert second.refresh().added == (), "it is read once"
    write(pages, buoy=page("The buoy is dark", "Change its lamp."))
    first.refresh()
    second.refresh()
    assert second.index.search("the lamp of the buoy", 1)[0].page.path == "harbour/buoy.md"
    first.close()
    second.close()


def test_who_asks_while_pages_are_read_is_answered_with_what_there_is(tmp_path):
    slow = Slow()
    kept = upkeep(tmp_path / "state", slow)
    reading = threading.Thread(target=kept.refresh)
    reading.start()
    assert slow.reading.wait(20)
    began = time.monotonic()
    assert kept.index.search("crane") == []
    assert time.monotonic() - began < 5
    slow.go_on.set()
    reading.join(20)
    assert len(kept.index.search("crane stands still")) == 3
    kept.close()


def test_reading_is_cut_short_and_goes_on_next_time(tmp_path):
    slow = Slow()
    kept = upkeep(tmp_path / "state", slow)
    met = []

    def read():
        try:
            kept.refresh()
        except Stopped as stopped:
            met.append(stopped)

    reading = threading.Thread(target=read)
    reading.start()
    assert slow.reading.wait(20)
    kept.stop()
    slow.go_on.set()
    reading.join(20)
    assert [str(bad) for bad in met] == ["the process ends; what is not read yet is read next time"]
    kept.close()
    again = upkeep(tmp_path / "state", slow)
    again.refresh()
    assert len(again.index.pages) == 3
    assert len(again.index.search("crane stands still")) == 3
    again.close()


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "origin" / "docs")
    write(made.folder, crane=page("The crane stands still", "Oil its winch."))
    made.commit()
    return made


@pytest.fixture
def pulling(repository, tmp_path):
    source = GitSource(repository.url, "main", tmp_path / "state" / "git")
    made = upkeep(tmp_path / "state", source, pulled=[Pulled(source, dict)])
    yield made
    made.close()


async def until(true):
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def test_a_repository_is_pulled_when_work_begins_and_when_somebody_pushes(pulling, repository):
    duty = Duty(pulling, refresh_s=3600, pull_s=3600)
    await duty.begin()
    try:
        await until(lambda: len(pulling.index.pages) == 1)
        write(repository.folder, buoy=page("The buoy is dark", "Change its lamp."))
        repository.commit()
        duty.pull_soon()
        await until(lambda: len(pulling.index.pages) == 2)
        assert pulling.index.search("lamp of the buoy", 1)[0].citation.startswith("docs/buoy.md")
    finally:
        await duty.stop()


async def test_pages_in_a_folder_are_looked_at_again_and_again(pages, tmp_path):
    kept = upkeep(tmp_path / "state", FolderSource(pages))
    duty = Duty(kept, refresh_s=0.05, pull_s=3600)
    await duty.begin()
    try:
        assert len(kept.index.pages) == 2, "the first look is over when work begins"
        write(pages, buoy=page("The buoy is dark", "Change its lamp."))
        await until(lambda: len(kept.index.pages) == 3)
    finally:
        await duty.stop()
        kept.close()


async def test_a_server_that_is_away_is_told_once_and_its_pages_stay(pulling, repository, caplog):
    pulling.pull()
    away = repository.folder.with_name("away")
    repository.folder.rename(away)
    caplog.set_level(logging.WARNING, "sysop.knowledge.duty")
    duty = Duty(pulling, refresh_s=0.05, pull_s=0.01)
    await duty.begin()
    try:
        await until(lambda: caplog.messages)
        assert len(pulling.index.pages) == 1
        await asyncio.sleep(0.5)
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith(f"pulling docs: {repository.url} (main) cannot be fetched: fatal: ")
        away.rename(repository.folder)
        write(repository.folder, buoy=page("The buoy is dark", "Change its lamp."))
        repository.commit()
        await until(lambda: len(pulling.index.pages) == 2)
        repository.folder.rename(away)
        await until(lambda: len(caplog.messages) == 2)  # it was well in between
    finally:
        await duty.stop()


async def test_a_pull_that_takes_for_ever_does_not_keep_the_process_from_ending(repository, tmp_path, monkeypatch):
    hook = repository.folder.parent / "slow-upload-pack"
    hook.write_text("#!/bin/sh\nsleep 60\n")
    hook.chmod(0o755)
    source = GitSource(
        f"ssh://nobody@harbour.invalid{repository.folder}",
        "main",
        tmp_path / "state" / "git",
        environment={"GIT_SSH_COMMAND": str(hook)},
    )
    kept = upkeep(tmp_path / "state", source, pulled=[Pulled(source, dict)])
    duty = Duty(kept, refresh_s=0.05, pull_s=3600)
    await duty.begin()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await duty.stop()
    assert time.monotonic() - began < 4
    kept.close()


def test_a_repository_without_its_token_is_not_pulled_and_says_which(repository, tmp_path):
    source = GitSource(repository.url, "main", tmp_path / "git")

    def access():
        raise LibraryError("knowledge.sources[0].token: the environment has no PAGES_TOKEN")

    kept = upkeep(tmp_path / "state", source, pulled=[Pulled(source, access)])
    (fetched,) = kept.pull()
    assert fetched.reason == "knowledge.sources[0].token: the environment has no PAGES_TOKEN"
    kept.close()


def test_a_token_is_in_the_environment_of_the_fetch_alone():
    shown = access_by_token("s3cret")
    assert "s3cret" not in str(shown), "it is written as the header wants it"
    assert shown["GIT_CONFIG_KEY_0"] == "http.extraHeader"
    assert shown["GIT_CONFIG_VALUE_1"] == "false", "it is sent to nobody else"
