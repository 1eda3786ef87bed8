"""A source of pages that a plugin brings: what it does wrong stays its own trouble."""

from __future__ import annotations

import pytest
from library_kit import built, page

from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.foreign import Foreign
from sysop.page_source import BrokenPage, PageEntry


class Wiki:
    """A wiki in a dictionary; `fails` names the method that does."""

    name, key = "wiki", "wiki:1"

    def __init__(self, fails="", **pages):
        self.pages, self.fails = pages, fails

    def scan(self):
        if self.fails == "scan":
            raise KeyError("space")
        for name, text in self.pages.items():
            yield PageEntry(
                name, f"wiki/{name}.md", text, lambda text=text: self._read(text), f"https://wiki.test/{name}"
            )

    def _read(self, text):
        if self.fails == "read":
            raise RuntimeError("the session is over")
        return text.encode()

    def close(self):
        if self.fails == "close":
            raise RuntimeError("it is closed already")


def read(source, *more):
    index, library = built([source, *more])
    return library, [d.path for d in index.documents.values()]


def test_its_pages_are_read_and_lead_to_where_people_read_them():
    library, found = read(Foreign(Wiki(crane=page("The crane"))))
    assert found == ["wiki/crane.md"]
    assert [d.path for d in library.by_url("https://wiki.test/crane")] == ["wiki/crane.md"]


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ("scan", "wiki: the plugin that brings it failed (KeyError: 'space')"),
        ("read", "wiki/crane.md: wiki: the plugin that brings it failed (RuntimeError: the session is over)"),
    ],
)
def test_what_it_raises_is_told_and_the_other_sources_are_read(tmp_path, fails, told):
    (tmp_path / "buoy.md").write_text(page("The buoy"))
    library, found = read(Foreign(Wiki(fails, crane=page("The crane"))), FolderSource(tmp_path, "harbour"))
    assert found == ["harbour/buoy.md"]
    assert told in [broken.reason for broken in (*library.broken, *library.stale)]


def test_what_was_read_counts_where_it_cannot_be_closed(caplog):
    _, found = read(Foreign(Wiki("close", crane=page("The crane"))))
    assert found == ["wiki/crane.md"]
    assert caplog.messages == ["wiki: the plugin that brings it failed (RuntimeError: it is closed already)"]


class Odd(Wiki):
    def __init__(self, entry):
        super().__init__()
        self.entry = entry

    def scan(self):
        yield self.entry


@pytest.mark.parametrize(
    ("path", "url", "told"),
    [
        ("runbooks/crane.md", "", "its path 'runbooks/crane.md' must begin with wiki/"),
        ("wiki/../crane.md", "", "the name would lead elsewhere"),
        ("wiki/a\u202eb.md", "", "the name holds a character that is not shown"),
        ("wiki/crane.md", "javascript:alert(1)", "its url is no web address"),
    ],
)
def test_a_page_that_poses_as_another_one_is_left_out(path, url, told):
    entry = PageEntry("crane", path, "1", lambda: b"# Crane", url)
    library, found = read(Foreign(Odd(entry)))
    assert found == []
    (broken,) = library.broken
    assert told in broken.reason


def test_a_page_that_is_too_large_is_left_out():
    library, found = read(Foreign(Odd(PageEntry("crane", "wiki/crane.md", "1", lambda: b"x" * (2**20 + 1)))))
    assert found == []
    assert "bytes are too much" in library.broken[0].reason


def test_what_it_cannot_use_itself_is_passed_on():
    library, found = read(Foreign(Odd(BrokenPage("wiki/crane.md", "locked by an editor"))))
    assert (found, [b.reason for b in library.broken]) == ([], ["locked by an editor"])
