"""What the tests of the library share: an index that keeps its word, and repositories of their own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from sysop.knowledge.library.library import Library
from sysop.knowledge.library.stored import written

STEP = "```step\nid: look\naction: metrics.query\n```\n\n```conclude\nresolved: true\nsummary: Done.\n```\n"


class Kept:
    """An index in a dictionary, strict about what it is told."""

    def __init__(self):
        self.documents = {}
        self.told = []

    def update(self, added, removed):
        added, removed = list(added), list(removed)
        assert len({d.id for d in added}) == len(added), "one document twice"
        assert not {d.id for d in added} & set(removed), "added and removed at once"
        self.told.append(([d.path for d in added], removed))
        for id in removed:
            self.documents.pop(id, None)
        self.documents.update({d.id: d for d in added})

    def clear(self):
        self.documents = {}


class OnDisk(Kept):
    """An index that survives its process: every document is a file."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def update(self, added, removed):
        for id in removed:
            self._file(id).unlink(missing_ok=True)
        for document in added:
            self._file(document.id).write_text(written(document))

    def clear(self):
        for file in self.folder.iterdir():
            file.unlink()

    def content(self):
        return sorted(file.read_text() for file in self.folder.iterdir())

    def _file(self, id):
        return self.folder / id.replace("/", "%")


def later():
    """A clock on which everything written so far is long ago, so that stamps are settled."""
    return time.time_ns() + 60_000_000_000


def page(title, text="", **front):
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    return f"---\ntitle: {title}\n{lines}---\n# {title}\n\n{text}\n"


def write(folder, **pages):
    """Write pages by their path; `__` stands for `/` and the suffix is `.md`."""
    for name, text in pages.items():
        file = folder / f"{name.replace('__', '/')}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def built(sources):
    """Return an index filled by a library that begins with nothing, and that library."""
    index = Kept()
    library = Library(sources, None, index)
    library.refresh()
    return index, library


def holds(library, index):
    """Check that the index knows exactly what the library does."""
    assert index.documents == {d.id: d for d in library.documents()}


class Repository:
    """A Git repository made with the git binary."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    @property
    def url(self):
        return f"file://{self.folder}"

    def git(self, *args, data=None):
        who = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        dates = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
        nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return (
            subprocess.run(
                ["git", "-C", str(self.folder), *args],
                input=data,
                env={"PATH": os.environ["PATH"], **who, **dates, **nothing},
                check=True,
                capture_output=True,
            )
            .stdout.decode()
            .strip()
        )

    def commit(self, message="more"):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, *entries):
        """Commit a tree of (mode, path, content) that no checkout could hold, and let main point at it."""
        lines = []
        for mode, name, content in entries:
            kind = "commit" if mode == "160000" else "tree" if mode == "040000" else "blob"
            id = content if kind != "blob" else self.git("hash-object", "-w", "--stdin", data=content)
            lines.append(f"{mode} {kind} {id}\t".encode() + name)
        tree = self.git("mktree", "-z", "--missing", data=b"".join(line + b"\0" for line in lines))
        return tree

    def point(self, tree):
        commit = self.git("commit-tree", tree, "-m", "tree")
        self.git("update-ref", "refs/heads/main", commit)
        return commit


def dump(document):
    return json.loads(written(document))
