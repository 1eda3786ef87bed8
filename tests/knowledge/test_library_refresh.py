import fcntl
import os
import sqlite3
import threading
import time

import pytest
from library_kit import STEP, Kept, built, holds, later, page, write

from sysop.errors import LibraryError, RunbookError
from sysop.knowledge.library import stored
from sysop.knowledge.library.cache import VERSION
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.library import Library
from sysop.page_source import BrokenPage


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "runbooks"
    write(
        folder,
        disk=page("Disk full", STEP, alerts="[DiskFull, DiskFilling]"),
        node__down=page("Node down", "Look.", alerts="[NodeDown]", owner="ops"),
        prose="# How we deploy\n\nSlowly.\n",
    )
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "state" / "knowledge"


@pytest.fixture
def index():
    return Kept()


@pytest.fixture
def opened():
    """Open libraries that are closed again, as a second process would."""
    made = []

    def open_one(sources, cache, index):
        made.append(Library(sources, cache, index))
        return made[-1]

    yield open_one
    for library in made:
        library.close()


@pytest.fixture
def library(folder, cache, index, opened):
    made = opened([FolderSource(folder, clock=later)], cache, index)
    made.refresh()
    return made


def test_everything_is_read_once_and_then_only_what_changed(folder, library, index):
    assert set(index.documents) == {"disk", "node/down", "prose"}
    index.told.clear()
    assert not library.refresh()
    assert index.told == []
    write(folder, prose="# How we deploy\n\nFast.\n", new="# New\n")
    (folder / "node" / "down.md").unlink()
    found = library.refresh()
    assert found.added == ("runbooks/new.md",)
    assert found.changed == ("runbooks/prose.md",)
    assert found.removed == ("runbooks/node/down.md",)
    assert index.told == [([], ["node/down"]), (["runbooks/new.md", "runbooks/prose.md"], [])]
    index.told.clear()
    assert not library.refresh()
    assert index.told == []
    holds(library, index)


def test_a_page_that_was_only_touched_is_not_told_to_the_index(folder, library, index):
    index.told.clear()
    os.utime(folder / "prose.md", ns=(1, 1))
    assert not library.refresh()
    assert index.told == []
    assert library._cache.known()["runbooks/prose.md"].stamp.split("-")[1] == "1"


def test_what_is_unchanged_is_not_opened(folder, library, monkeypatch):
    opened = []
    monkeypatch.setattr(
        os, "open", lambda path, *rest, real=os.open, **more: (opened.append(path), real(path, *rest, **more))[1]
    )
    library.refresh()
    assert [p for p in opened if str(p).endswith(".md")] == []
    os.utime(folder / "prose.md", ns=(1, 1))
    library.refresh()
    assert [os.path.basename(p) for p in opened if str(p).endswith(".md")] == ["prose.md"]


def test_the_next_process_reads_only_what_changed_since(folder, cache, library, opened):
    library.close()
    index = Kept()
    again = opened([FolderSource(folder, clock=later)], cache, index)
    assert len(again) == 3
    assert not again.refresh()
    assert index.told == []


def test_pages_are_got_by_path_id_file_or_stem(library):
    for name in ("runbooks/node/down.md", "node/down", "down.md", "down"):
        assert library.get(name).path == "runbooks/node/down.md"
    assert library.document("node/down").owner == "ops"
    with pytest.raises(RunbookError, match="there is no runbook 'dwn'; did you mean 'down'"):
        library.get("dwn")
    with pytest.raises(RunbookError, match="there is no page of id 'down'"):
        library.document("down")


def test_a_runbook_comes_before_prose_of_the_same_name(folder, library):
    write(folder, a__disk="# Notes on disks\n", prose__deep__down="# Other\n")
    library.refresh()
    assert library.get("disk").path == "runbooks/disk.md"
    assert library.get("down").path == "runbooks/node/down.md"


def test_pages_are_found_by_the_alerts_they_name(folder, library):
    write(folder, about=page("On disks", "Prose.", alerts="[DiskFull]"))
    library.refresh()
    assert [d.path for d in library.by_alert("DiskFull")] == ["runbooks/disk.md", "runbooks/about.md"]
    assert [d.path for d in library.by_alert("DiskFilling")] == ["runbooks/disk.md"]
    assert library.by_alert("diskfull") == []
    (folder / "about.md").unlink()
    library.refresh()
    assert [d.path for d in library.by_alert("DiskFull")] == ["runbooks/disk.md"]


@pytest.mark.parametrize(
    "url",
    [
        "https://wiki.example/ops/node/down",
        "http://WIKI.example/ops/node/down.md#look",
        "https://wiki.example/ops/Node/Down/?ref=alert",
        "https://bot@wiki.example/ops/node%2Fdown.html",
    ],
)
def test_a_page_is_found_by_its_address(folder, cache, index, opened, url):
    library = opened([FolderSource(folder, pages_url="https://wiki.example/ops")], cache, index)
    library.refresh()
    assert [d.path for d in library.by_url(url)] == ["runbooks/node/down.md"]
    assert library.by_url("https://wiki.example/ops/node") == []
    assert library.by_url("https://[bad") == []
    assert library.by_url("") == []


def test_an_address_that_changes_in_the_settings_changes_the_pages(folder, cache, index, library, opened):
    library.close()
    moved = opened([FolderSource(folder, clock=later, pages_url="https://new.example/{id}")], cache, index)
    assert set(moved.refresh().changed) == {"runbooks/disk.md", "runbooks/node/down.md", "runbooks/prose.md"}
    assert moved.document("prose").url == "https://new.example/prose"
    holds(moved, index)


def test_the_bytes_of_a_runbook_are_kept_and_those_of_prose_are_not(folder, library):
    assert library.runbook_bytes("disk") == (folder / "disk.md").read_bytes()
    assert [(d.id, raw) for d, raw in library.runbooks()] == [("disk", (folder / "disk.md").read_bytes())]
    with pytest.raises(RunbookError, match=r"runbooks/prose\.md has no steps that can be followed"):
        library.runbook_bytes("prose")
    with pytest.raises(RunbookError, match="there is no page of id 'x'"):
        library.runbook_bytes("x")


def test_a_page_that_breaks_is_told_of_and_searched_no_more_and_comes_back(folder, library, index):
    (folder / "prose.md").write_bytes(b"\xff")
    found = library.refresh()
    assert [b.path for b in found.broken] == ["runbooks/prose.md"]
    assert "prose" not in index.documents
    with pytest.raises(RunbookError, match=r"runbook prose is broken: .*not valid UTF-8"):
        library.get("prose")
    assert library.refresh().broken == found.broken
    write(folder, prose="# Mended\n")
    assert library.refresh().broken == ()
    assert index.documents["prose"].title == "Mended"


def test_a_runbook_that_breaks_stays_prose_and_cannot_be_followed(folder, library, index):
    write(folder, disk=page("Disk full", STEP.replace("id: look", "id: 7"), alerts="[DiskFull]"))
    (broken,) = library.refresh().broken
    assert "cannot be an id" in broken.reason
    assert library.get("disk").kind == index.documents["disk"].kind == "page"
    assert list(library.runbooks()) == []
    assert [d.path for d in library.by_alert("DiskFull")] == ["runbooks/disk.md"]


def test_a_page_that_cannot_be_listed_is_named_when_it_is_asked_for(folder, library, tmp_path):
    (folder / "out.md").symlink_to(tmp_path)
    library.refresh()
    with pytest.raises(RunbookError, match="runbook out is broken: the link leads out of the folder"):
        library.get("out")


def test_of_two_pages_of_one_path_the_first_source_wins(folder, cache, index, opened, tmp_path):
    write(tmp_path / "more" / "runbooks", disk="# Other disk\n", extra="# Extra\n")
    sources = [FolderSource(folder), FolderSource(tmp_path / "more" / "runbooks")]
    library = opened(sources, cache, index)
    (broken,) = library.refresh().broken
    assert broken.reason == "runbooks/disk.md: another source has a page of this path; rename one of them"
    assert library.get("disk").title == "Disk full"
    assert "extra" in index.documents
    (folder / "disk.md").unlink()
    assert library.refresh().broken == ()
    assert library.get("disk").title == "Other disk"
    holds(library, index)


def test_of_two_pages_of_one_id_the_first_has_it_and_the_other_the_whole_path(folder, cache, index, opened, tmp_path):
    wiki = tmp_path / "wiki"
    write(wiki, disk="# Wiki disk\n")
    (folder / "disk.html").write_text("<h1>HTML disk</h1>")
    library = opened([FolderSource(folder), FolderSource(wiki)], cache, index)
    library.refresh()
    assert {d.path: d.id for d in library.documents() if "disk" in d.path} == {
        "runbooks/disk.html": "disk",
        "runbooks/disk.md": "runbooks/disk",
        "wiki/disk.md": "wiki/disk",
    }
    (folder / "disk.html").unlink()
    (folder / "disk.md").unlink()
    library.refresh()
    assert index.documents["disk"].path == "wiki/disk.md"
    holds(library, index)


def test_a_source_that_is_away_keeps_its_pages_marked_stale(folder, cache, index, opened, tmp_path):
    wiki = tmp_path / "wiki"
    write(wiki, vpn="# VPN\n")
    sources = [FolderSource(folder), FolderSource(wiki)]
    library = opened(sources, cache, index)
    library.refresh()
    wiki.rename(tmp_path / "away")
    found = library.refresh()
    assert not found
    assert [s.path for s in found.stale] == ["wiki"]
    assert "the folder cannot be read" in found.stale[0].reason
    assert library.stale == found.stale
    assert library.get("vpn").title == "VPN"
    (tmp_path / "away").rename(wiki)
    assert library.refresh().stale == ()
    wiki.rename(tmp_path / "away")
    library.close()
    without = opened([FolderSource(folder)], cache, index)
    assert without.refresh().removed == ("wiki/vpn.md",)
    assert "vpn" not in index.documents


class Closed:
    """A source of which a part cannot be looked into."""

    name = key = "part"

    def scan(self):
        yield BrokenPage("part/a", "closed", folder=True)

    def close(self):
        pass


class Opened(Closed):
    def __init__(self, folder):
        self._folder = FolderSource(folder, "part")

    def scan(self):
        return self._folder.scan()


def test_a_folder_that_cannot_be_looked_into_keeps_its_pages(tmp_path, cache, index, opened):
    write(tmp_path / "part", a__x="# X\n", ab__y="# Y\n", z="# Z\n")
    library = opened([Opened(tmp_path / "part")], cache, index)
    library.refresh()
    library.close()
    again = opened([Closed()], cache, index)
    found = again.refresh()
    assert set(found.removed) == {"part/ab/y.md", "part/z.md"}
    assert [b.path for b in found.broken] == ["part/a"]
    assert set(index.documents) == {"a/x"}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"not a database at all, but long enough to be looked at as one" * 100,
        None,
    ],
    ids=["empty", "garbage", "other version"],
)
def test_a_cache_that_cannot_be_used_is_made_again(folder, cache, library, opened, damage):
    library.close()
    file = cache / "library.sqlite"
    if damage is None:
        with sqlite3.connect(file) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.close()
    else:
        for left in cache.glob("library.sqlite-*"):
            left.unlink()
        file.write_bytes(damage)
    index = Kept()
    index.documents["left over"] = "from before"
    again = opened([FolderSource(folder)], cache, index)
    assert list(again.documents()) == []
    assert len(again.refresh().added) == 3
    assert set(index.documents) == {"disk", "node/down", "prose"}


def test_a_cache_that_is_damaged_inside_is_made_again(folder, cache, opened, tmp_path):
    write(folder, **{f"p{n}": f"# Page {n}\n\n{'word ' * 400}\n" for n in range(60)})
    index = Kept()
    library = opened([FolderSource(folder, clock=later)], cache, index)
    library.refresh()
    library.close()
    file = cache / "library.sqlite"
    data = bytearray(file.read_bytes())
    data[8192 : len(data) - 4096] = b"\xa5" * (len(data) - 12288)
    file.write_bytes(data)
    again = opened([FolderSource(folder, clock=later)], cache, index)
    again.refresh()
    holds(again, index)
    assert len(again) == 63


def test_the_cache_and_what_is_around_it_is_for_this_user_alone(cache, library):
    assert cache.stat().st_mode & 0o777 == 0o700
    for file in cache.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_nothing_is_written_down_without_a_folder(folder, tmp_path):
    index, library = built([FolderSource(folder, clock=later)])
    assert set(index.documents) == {"disk", "node/down", "prose"}
    index.told.clear()
    assert not library.refresh()
    assert index.told == []
    assert [p.name for p in tmp_path.iterdir()] == ["runbooks"]
    library.close()


def test_who_does_not_get_the_lock_reads_what_is_there_and_says_so(folder, cache, library, opened):
    write(folder, new="# New\n")
    index = Kept()
    other = opened([FolderSource(folder)], cache, index)
    with (cache / "library.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = other.refresh(patience=0.05)
        assert found.waiting == "another process is reading the sources; what it has read so far is used"
        assert (not found, index.told) == (True, [])
        assert other.get("down").title == "Node down"
    assert other.refresh().added == ("runbooks/new.md",)


def test_two_threads_take_turns(folder, cache, library):
    begun, go_on = threading.Event(), threading.Event()

    def slow(done, total, path):
        begun.set()
        go_on.wait(10)

    write(folder, new="# New\n")
    thread = threading.Thread(target=library.refresh, args=(slow,))
    thread.start()
    assert begun.wait(10)
    assert library.refresh(patience=0.05).waiting
    assert library.get("down").title == "Node down"
    go_on.set()
    thread.join()
    assert library.get("new").title == "New"


def test_a_library_follows_when_another_process_makes_the_cache_anew(folder, cache, library, index, opened):
    other_index = Kept()
    other = opened([FolderSource(folder)], cache, other_index)
    other._cache.file.discard()
    other.refresh()
    write(folder, new="# New\n")
    assert library.refresh().added == ("runbooks/new.md",)
    assert other.get("new").title == "New"


def test_an_index_that_lost_what_it_knew_is_told_again(library, index):
    index.documents = {"left over": None}
    library.feed()
    holds(library, index)


def test_progress_is_told_seldom_and_at_the_end(folder, cache, opened):
    write(folder, **{f"p{n:03}": f"# Page {n}\n" for n in range(400)})
    told = []
    library = opened([FolderSource(folder)], cache, Kept())
    began = time.monotonic()
    library.refresh(lambda *what: told.append(what))
    assert told[-1] == (403, 403, "runbooks/node/down.md")
    assert len(told) <= (time.monotonic() - began) / 0.1 + 2
    assert [t[0] for t in told] == sorted(t[0] for t in told)


def test_a_page_is_kept_as_it_was_read(library):
    for document in library.documents():
        assert stored.read(stored.written(document)) == document


def test_a_cache_that_cannot_be_made_is_an_error_that_names_it(folder, tmp_path):
    (tmp_path / "file").write_text("")
    library = Library([FolderSource(folder)], tmp_path / "file" / "knowledge", Kept())
    with pytest.raises(LibraryError, match=r"library\.lock: cannot be made \(Not a directory\)"):
        library.refresh()


def test_many_pages_come_to_the_index_in_batches(folder, cache, index, opened):
    write(folder, **{f"p{n:03}": f"# Page {n}\n" for n in range(500)})
    opened([FolderSource(folder)], cache, index).refresh()
    assert [len(added) for added, _ in index.told] == [200, 200, 103]
