import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from library_kit import STEP, Kept, OnDisk, built, later, page, write

from sysop.knowledge.library import refresh
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.library import Library
from sysop.knowledge.library.stored import written

DIES = Path(__file__).with_name("library_dies.py")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("update", [1, 2, 3])
def test_a_process_killed_at_the_index_leaves_only_work_to_repeat(tmp_path, update, when):
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, a="# A\n", b="# B\n", c="# C\n")
    write(second, a="# Other a\n", d="# D\n")
    sources = [FolderSource(first, clock=later), FolderSource(second, clock=later)]
    index = OnDisk(tmp_path / "index")
    library = Library(sources, tmp_path / "cache", index)
    library.refresh()
    library.close()

    (first / "a.md").unlink()
    (first / "c.md").rename(first / "e.md")
    write(first, b="# B again\n", f="# F\n", g="# G\n")
    died = subprocess.run([sys.executable, DIES, tmp_path, str(update), when], capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr

    # what the dead process told the index of is different again before anybody looks
    (first / "f.md").unlink()
    (first / "e.md").unlink()
    write(first, b="# B\n")
    again = Library(sources, tmp_path / "cache", index)
    again.refresh()
    _, fresh = built(sources)
    assert list(again.documents()) == list(fresh.documents())
    assert index.content() == sorted(written(d) for d in fresh.documents())
    again.close()


def test_a_first_reading_that_was_killed_goes_on_where_it_was(tmp_path):
    write(tmp_path / "first", **{f"p{n}": f"# {n}\n" for n in range(8)})
    (tmp_path / "second").mkdir()
    died = subprocess.run([sys.executable, DIES, tmp_path, "4", "before"], capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    index = Kept()
    library = Library([FolderSource(tmp_path / "first", clock=later)], tmp_path / "cache", index)
    found = library.refresh()
    assert [path for added, _ in index.told for path in added] == ["first/p6.md", "first/p7.md"]
    assert len(found.added) == 2
    library.close()


class Died(Exception):
    """Stands for the end of a process while it tells the index."""


class Mortal(Kept):
    """An index whose process dies at one of the next updates, before or after it took effect."""

    def __init__(self):
        super().__init__()
        self.dies_in, self.after = 0, False

    def update(self, added, removed):
        self.dies_in -= 1
        if self.dies_in or self.after:
            super().update(added, removed)
        if not self.dies_in:
            raise Died


@pytest.mark.parametrize("after", [True, False])
def test_a_page_that_comes_back_after_a_death_is_found_again(tmp_path, after):
    folder = tmp_path / "pages"
    write(folder, a="# A\n", b="# B\n")
    index = Mortal()
    library = Library([FolderSource(folder, clock=later)], tmp_path / "cache", index)
    library.refresh()
    (folder / "a.md").rename(tmp_path / "kept")
    index.dies_in, index.after = 1, after
    with pytest.raises(Died):
        library.refresh()
    (tmp_path / "kept").rename(folder / "a.md")
    library.refresh()
    assert set(index.documents) == {"a", "b"}
    library.close()


NAMES = ("a.md", "b.md", "a.html", "d/a.md")
TEXTS = (
    "# One\n",
    "# Two\n",
    page("Disk", STEP, alerts="[DiskFull]"),
    page("Disk", STEP.replace("look", "7"), alerts="[DiskFull]"),
    "---\nbad: [\n---\n# Three\n",
    "\udcff",
    "",
)


class Edits(RuleBasedStateMachine):
    """Random edits, refreshes and deaths come to the same as a library that begins with nothing."""

    @initialize()
    def begin(self):
        self.place = tempfile.TemporaryDirectory()
        self.root = Path(self.place.name)
        self.folders = [self.root / "x" / "pages", self.root / "y" / "pages", self.root / "wiki"]
        for folder in self.folders:
            folder.mkdir(parents=True)
        self.sources = [FolderSource(folder, clock=later) for folder in self.folders]
        self.index = Mortal()
        self.open()

    def open(self):
        self.library = Library(self.sources, self.root / "cache", self.index)

    @rule(at=st.integers(0, 2), name=st.sampled_from(NAMES), text=st.sampled_from(TEXTS))
    def edit(self, at, name, text):
        file = self.folders[at] / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode("utf-8", "surrogateescape"))

    @rule(at=st.integers(0, 2), name=st.sampled_from(NAMES))
    def delete(self, at, name):
        (self.folders[at] / name).unlink(missing_ok=True)

    @rule(at=st.integers(0, 2), name=st.sampled_from(NAMES), to=st.integers(0, 2), new=st.sampled_from(NAMES))
    def rename(self, at, name, to, new):
        if (self.folders[at] / name).exists():
            (self.folders[to] / new).parent.mkdir(exist_ok=True)
            (self.folders[at] / name).rename(self.folders[to] / new)

    @rule(at=st.integers(0, 2), name=st.sampled_from(NAMES))
    def lead_out(self, at, name):
        file = self.folders[at] / name
        if file.parent.exists() and not file.exists() and not file.is_symlink():
            file.symlink_to("/etc/hostname")

    @rule(order=st.permutations([0, 1, 2]), some=st.integers(1, 3))
    def configure(self, order, some):
        self.sources = [FolderSource(self.folders[n], clock=later) for n in order[:some]]
        self.library.close()
        self.open()

    @rule(update=st.integers(1, 4), after=st.booleans())
    def die(self, update, after):
        self.index.dies_in, self.index.after = update, after
        with suppress(Died):
            self.library.refresh()
        self.index.dies_in = 0
        self.library.close()
        self.open()

    @rule()
    def check(self):
        self.library.refresh()
        index, fresh = built(self.sources)
        assert list(self.library.documents()) == list(fresh.documents())
        assert self.library.broken == fresh.broken
        assert self.index.documents == index.documents
        assert [raw for _, raw in self.library.runbooks()] == [raw for _, raw in fresh.runbooks()]
        assert self.library.by_alert("DiskFull") == fresh.by_alert("DiskFull")
        assert not self.library.refresh()
        fresh.close()

    @invariant()
    def ids_are_unique(self):
        if hasattr(self, "library"):
            ids = [d.id for d in self.index.documents.values()]
            assert len(ids) == len(set(ids))

    def teardown(self):
        if hasattr(self, "library"):
            self.check()
            self.library.close()
            self.place.cleanup()


@pytest.mark.timeout(110)
def test_any_edits_come_to_the_same_as_beginning_with_nothing(monkeypatch):
    monkeypatch.setattr(refresh, "_BATCH", 2)
    run_state_machine_as_test(Edits, settings=settings(max_examples=120, stateful_step_count=40, deadline=None))
