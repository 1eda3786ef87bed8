import os
import tempfile
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import pytest
from library_kit import later, write

from sysop.errors import LibraryError
from sysop.knowledge.library.folder import FolderSource
from sysop.page_source import BrokenPage, PageEntry


@contextmanager
def as_nobody():
    """Let the superuser, who may read everything, be somebody else."""
    mine = os.geteuid()
    os.seteuid(65534 if mine == 0 else mine)
    try:
        yield
    finally:
        os.seteuid(mine)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pages"
    write(folder, disk="# Disk", node__down="# Down")
    return folder


def scanned(folder, **more):
    found = list(FolderSource(folder, **more).scan())
    return [f for f in found if isinstance(f, PageEntry)], {
        f.path: f.reason for f in found if isinstance(f, BrokenPage)
    }


def test_pages_are_markdown_and_html_below_the_folder(folder):
    for name in (
        "a.markdown",
        "b.html",
        "c.HTM",
        "README.md",
        "Readme.html",
        "notes.txt",
        ".hidden.md",
        ".md",
        "x.md.bak",
    ):
        (folder / name).write_text(name)
    write(folder, **{".git__config": "no", "node__README": "no"})
    pages, broken = scanned(folder)
    assert [p.path for p in pages] == [
        *("pages/a.markdown", "pages/b.html", "pages/c.HTM", "pages/disk.md", "pages/node/down.md")
    ]
    assert [p.id for p in pages] == ["a", "b", "c", "disk", "node/down"]
    assert pages[-1].read() == b"# Down"
    assert broken == {}


def test_a_source_is_called_as_its_folder_unless_it_is_named(folder):
    assert [p.path for p in scanned(folder, name="wiki")[0]] == ["wiki/disk.md", "wiki/node/down.md"]
    with pytest.raises(LibraryError, match=r"it cannot be called '.*': the name would lead elsewhere"):
        FolderSource(folder, "a/b")


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("", ""),
        ("https://wiki.example/ops/", "https://wiki.example/ops/node/a%20b.md"),
        ("https://wiki.example/{id}?raw={path}", "https://wiki.example/node/a%20b?raw=node/a%20b.md"),
    ],
)
def test_the_address_of_a_page_follows_the_pattern(tmp_path, pattern, url):
    write(tmp_path, **{"node__a b": "# A"})
    assert [p.url for p in scanned(tmp_path, pages_url=pattern)[0]] == [url]


def test_a_link_is_followed_within_the_folder_and_never_out_of_it(folder, tmp_path):
    secret = tmp_path / "secret.md"
    secret.write_text("secret")
    (folder / "alias.md").symlink_to("node/down.md")
    (folder / "up.md").symlink_to("../secret.md")
    (folder / "absolute.md").symlink_to(secret)
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "again").symlink_to(folder / "node")
    (folder / "round").symlink_to(folder)
    (folder / "nowhere.md").symlink_to("missing.md")
    (folder / "self.md").symlink_to("self.md")
    pages, broken = scanned(folder)
    assert [p.path for p in pages] == ["pages/alias.md", "pages/disk.md", "pages/node/down.md"]
    assert pages[0].read() == b"# Down"
    assert set(broken) == {f"pages/{name}" for name in ("up.md", "absolute.md", "elsewhere", "nowhere.md", "self.md")}
    for name in ("up.md", "absolute.md", "elsewhere"):
        assert broken[f"pages/{name}"] == "the link leads out of the folder; put the file itself there"
    assert broken["pages/nowhere.md"] == "the link leads nowhere; mend it or remove it"
    assert broken["pages/self.md"].startswith("the link cannot be followed (Too many levels")


def test_a_link_put_in_a_pages_place_after_the_scan_is_not_followed_out(folder, tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    pages, _ = scanned(folder)
    (folder / "disk.md").unlink()
    (folder / "disk.md").symlink_to(tmp_path / "secret.md")
    (folder / "node").rename(tmp_path / "node")
    (folder / "node").symlink_to(tmp_path / "node")
    for page in pages:
        with pytest.raises(LibraryError, match="leads out of the folder"):
            page.read()


def test_a_page_may_go_between_scan_and_reading(folder):
    pages, _ = scanned(folder)
    (folder / "disk.md").unlink()
    (folder / "node" / "down.md").unlink()
    (folder / "node").rmdir()
    assert [p.read() for p in pages] == [None, None]


def test_a_folder_that_goes_during_the_scan_holds_nothing(folder):
    write(folder, zoo__x="# X")
    scan = FolderSource(folder).scan()
    first = next(scan)
    (folder / "zoo" / "x.md").unlink()
    (folder / "zoo").rmdir()
    assert [p.path for p in (first, *scan)] == ["pages/disk.md", "pages/node/down.md"]


def test_a_large_file_is_refused_without_reading_it(folder):
    with (folder / "huge.md").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    _, broken = scanned(folder)
    assert broken == {"pages/huge.md": "52428800 bytes are too much, 1048576 are allowed; split the page"}


def test_a_file_that_grows_after_the_scan_is_refused(folder):
    pages, _ = scanned(folder)
    with (folder / "disk.md").open("wb") as file:
        file.truncate(1024 * 1024 + 1)
    with pytest.raises(LibraryError, match="1048577 bytes are too much"):
        pages[0].read()


def test_a_pipe_is_refused_and_nobody_waits_for_it(folder):
    os.mkfifo(folder / "pipe.md")
    pages, broken = scanned(folder)
    assert broken == {"pages/pipe.md": "not a file; remove it or rename it"}
    (folder / "disk.md").unlink()
    os.mkfifo(folder / "disk.md")
    with pytest.raises(LibraryError, match="not a file"):
        pages[0].read()


def test_a_folder_named_like_a_page_is_a_folder(folder):
    write(folder, **{"x.md__y": "# Y"})
    assert "pages/x.md/y.md" in [p.path for p in scanned(folder)[0]]


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        (b"latin-\xe9.md", "latin-\\udce9.md", "the name is not UTF-8; rename it"),
        (b"two\nlines.md", "two\\nlines.md", "the name holds a character that is not shown; rename it"),
        ("\u202egnp.md".encode(), "\\u202egnp.md", "the name holds a character that is not shown; rename it"),
        (b"a\\..\\..\\etc.md", "a\\\\..\\\\..\\\\etc.md", "the name would lead elsewhere; rename it"),
    ],
)
def test_a_name_that_cannot_be_cited_is_refused(folder, name, shown, reason):
    try:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(b"# X")
    except OSError:
        pytest.skip("this file system takes only good names")
    pages, broken = scanned(folder)
    assert len(pages) == 2
    assert broken == {f"pages/{shown}": reason}


def test_a_bad_name_of_a_folder_hides_its_pages(folder):
    write(folder, **{"a\tb__x": "# X"})
    pages, broken = scanned(folder)
    assert len(pages) == 2
    assert broken == {"pages/a\\tb": "the name holds a character that is not shown; rename it"}


def test_names_are_normalised_so_that_every_system_cites_alike(tmp_path):
    decomposed = unicodedata.normalize("NFD", "störung")
    write(tmp_path / "pages", **{f"{decomposed}__größe": "# X"})
    (page,), _ = scanned(tmp_path / "pages")
    assert page.id == unicodedata.normalize("NFC", "störung/größe")
    assert page.read() == b"# X"


def test_too_deep_a_folder_is_refused(folder):
    deep = folder / "/".join(["d"] * 32)
    deep.mkdir(parents=True)
    (deep / "in.md").write_text("# In")
    (deep / "d").mkdir()
    (deep / "d" / "out.md").write_text("# Out")
    pages, broken = scanned(folder)
    assert f"pages/{'d/' * 32}in.md" in [p.path for p in pages]
    assert list(broken.values()) == ["deeper than 32 folders; move it up"]


def test_more_pages_than_a_library_holds_are_left_out(folder, monkeypatch):
    monkeypatch.setattr("sysop.knowledge.library.folder.MAX_PAGES", 2)
    write(folder, z="# Z")
    pages, broken = scanned(folder)
    assert [p.path for p in pages] == ["pages/disk.md", "pages/z.md"]
    assert broken["pages"].startswith("more than 2 pages; the rest is left out")


def test_a_folder_that_cannot_be_looked_into_keeps_its_pages():
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pages"
        write(folder, disk="# Disk", node__down="# Down")
        Path(place).chmod(0o755)
        source = FolderSource(folder)
        (folder / "node").chmod(0)
        with as_nobody():
            found = [f for f in source.scan() if isinstance(f, BrokenPage)]
        (folder / "node").chmod(0o700)
    (bad,) = found
    assert (bad.path, bad.folder) == ("pages/node", True)
    assert bad.reason == "the folder cannot be read (Permission denied); its pages stay as they were"


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_source_that_is_no_folder_cannot_be_scanned(tmp_path, kind):
    place = tmp_path / "pages"
    if kind == "a file":
        place.write_text("x")
    with pytest.raises(
        LibraryError, match=r"pages: the folder cannot be read \(.*\); make it readable or name another"
    ):
        list(FolderSource(place).scan())


def test_the_stamp_of_a_settled_file_changes_with_any_edit(folder):
    def stamp():
        return scanned(folder, clock=later)[0][0].stamp

    before = stamp()
    assert stamp() == before
    file = folder / "disk.md"
    seen = file.stat()
    replacement = folder / "other.txt"
    replacement.write_text("# Tape"[: seen.st_size])
    os.utime(replacement, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    replacement.rename(file)
    assert file.stat().st_mtime_ns == seen.st_mtime_ns
    assert stamp() != before


def test_the_stamp_of_a_young_file_is_never_the_same_twice(folder):
    first, second = scanned(folder)[0][0].stamp, scanned(folder)[0][0].stamp
    assert first != second
    assert first.rpartition("-")[0] == second.rpartition("-")[0]


def test_the_shipped_pages_are_all_found():
    shipped = Path(__file__).parents[2] / "runbooks"
    pages, broken = scanned(shipped)
    assert {p.path for p in pages} == {
        f"runbooks/{file.relative_to(shipped)}" for file in shipped.rglob("*.md") if file.name != "README.md"
    }
    assert broken == {}
