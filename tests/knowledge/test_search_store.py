"""The index in a folder: damaged, of another time, written by one process and read by another, asked by threads."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.test_search_words import page
from sysop.knowledge.document import Document
from sysop.knowledge.retrieval import lexical
from sysop.knowledge.retrieval.asked import MAX_TEXT, shortened
from sysop.knowledge.retrieval.search import Search
from sysop.knowledge.retrieval.store import open_search

DISK = page("Disk filling up", ("What to do", "Delete old logs."))
CERT = page("Certificates", ("Meaning", "A TLS certificate expires soon; renew it."))


class Letters:
    """An embedder of which nothing need be installed: how often each letter stands in a text, of length 1."""

    size = 26

    def __init__(self, name: str = "letters") -> None:
        self.name, self.read = name, list[str]()

    def embed(self, texts: Iterable[str]) -> Any:
        given = list(texts)
        self.read += given
        rows = np.array([[text.lower().count(chr(97 + n)) + 0.01 for n in range(26)] for text in given], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def ask(self, text: str) -> Any:
        return self.embed([text])[0]


def told(folder: Path, embedder: Letters | None = None, *pages: Document) -> Search:
    search, _ = open_search(folder, embedder)
    search.clear()
    search.update(pages or (DISK, CERT), ())
    search.settle()
    return search


def ids(search: Search, text: str) -> list[str]:
    return [hit.id for hit in search.find(text).hits]


def test_what_was_told_is_there_again_and_need_not_be_told(tmp_path: Path) -> None:
    search, lost = open_search(tmp_path / "knowledge", Letters())
    assert (lost, len(search)) == (True, 0)
    told(tmp_path / "knowledge", Letters()).close()
    counting = Letters()
    again, lost = open_search(tmp_path / "knowledge", counting)
    assert (lost, len(again), again.mode, counting.read) == (False, 2, "hybrid", [])
    assert ids(again, "old logs")[0] == DISK.id
    assert open_search(None)[1]


def test_an_index_that_was_not_told_everything_is_told_again(tmp_path: Path) -> None:
    search = told(tmp_path)
    search.clear()
    search.update([DISK], ())  # and here the process died
    assert open_search(tmp_path)[1]


def meta_is_nonsense(folder: Path) -> None:
    (folder / "words/meta.json").write_text("{nonsense")


def meta_is_gone(folder: Path) -> None:
    (folder / "words/meta.json").unlink()


def segment_is_gone(folder: Path) -> None:
    for file in (folder / "words").glob("*.term"):
        file.unlink()


def segment_is_cut(folder: Path) -> None:
    for file in (folder / "words").glob("*.store"):
        file.write_bytes(file.read_bytes()[:10])


def words_are_a_file(folder: Path) -> None:
    shutil.rmtree(folder / "words")
    (folder / "words").write_text("")


def format_is_another(folder: Path) -> None:
    (folder / "format").write_text(str(lexical.FORMAT - 1))


def vectors_are_nonsense(folder: Path) -> None:
    (folder / "vectors.sqlite").write_bytes(b"nonsense" * 1_000)


def vectors_are_gone(folder: Path) -> None:
    (folder / "vectors.sqlite").unlink()


def vectors_are_of_another_format(folder: Path) -> None:
    with sqlite3.connect(folder / "vectors.sqlite") as db:
        db.execute("PRAGMA user_version = 1")
    db.close()


@pytest.mark.parametrize(
    "harm",
    [
        meta_is_nonsense,
        meta_is_gone,
        segment_is_gone,
        segment_is_cut,
        words_are_a_file,
        format_is_another,
        vectors_are_nonsense,
        vectors_are_gone,
        vectors_are_of_another_format,
    ],
)
def test_a_damaged_index_is_made_anew(harm: Callable[[Path], None], tmp_path: Path) -> None:
    told(tmp_path, Letters()).close()
    harm(tmp_path)
    search, lost = open_search(tmp_path, Letters())
    assert lost
    search.close()
    told(tmp_path, Letters()).close()
    again, lost = open_search(tmp_path, Letters())
    assert (lost, ids(again, "old logs")[0]) == (False, DISK.id)


def test_damage_that_shows_later_costs_the_meaning_and_not_the_search(tmp_path: Path) -> None:
    search = told(tmp_path, Letters(), *(page(f"P{n}", ("S", f"text {n}")) for n in range(90)), DISK)
    search.close()
    file = tmp_path / "vectors.sqlite"
    with sqlite3.connect(file) as db:
        (kept,) = db.execute("SELECT digests FROM page WHERE id = 'a/P40'").fetchone()
    db.close()
    data = bytearray(file.read_bytes())
    start = data.index(kept.encode()) // 4096 * 4096
    data[start : start + 64] = b"\xa5" * 64
    file.write_bytes(data)
    search, lost = open_search(tmp_path, Letters())
    found = search.find("old logs")
    assert (lost, found.hits[0].id, "cannot be read" in found.note) == (False, DISK.id, True)
    search.close()
    anew, lost = open_search(tmp_path, Letters())
    assert lost
    anew.close()
    told(tmp_path, Letters()).close()
    assert not open_search(tmp_path, Letters())[1]


def test_a_search_by_words_uses_the_same_folder_and_what_it_writes_is_read_for_its_meaning_later(
    tmp_path: Path,
) -> None:
    told(tmp_path, Letters()).close()
    by_words, lost = open_search(tmp_path)
    assert (lost, by_words.mode, len(by_words)) == (False, "lexical", 2)
    assert not open_search(tmp_path, Letters())[1]
    by_words.update([page("New", ("S", "The giraffe of the zoo."))], [])
    assert not open_search(tmp_path)[1]
    counting = Letters()
    search, lost = open_search(tmp_path, counting)
    assert lost
    search.clear()
    search.update([DISK, CERT, page("New", ("S", "The giraffe of the zoo."))], [])
    search.settle()
    assert all("giraffe" in text or text == "New" for text in counting.read)
    assert not open_search(tmp_path, Letters())[1]


def test_vectors_outlive_the_loss_of_the_words(tmp_path: Path) -> None:
    told(tmp_path, Letters()).close()
    meta_is_nonsense(tmp_path)
    counting = Letters()
    search = told(tmp_path, counting, DISK)
    assert (counting.read, len(search)) == ([], 1)
    search.close()
    with sqlite3.connect(tmp_path / "vectors.sqlite") as db:
        assert db.execute("SELECT id FROM page").fetchall() == [(DISK.id,)]
    db.close()


def test_vectors_of_another_embedder_are_made_again(tmp_path: Path) -> None:
    told(tmp_path, Letters()).close()
    other = Letters("other letters")
    search, lost = open_search(tmp_path, other)
    assert lost
    search.update([DISK], ())
    assert len(other.read) > 0


def test_what_another_process_writes_is_seen_after_a_reload(tmp_path: Path) -> None:
    writer = told(tmp_path, Letters())
    reader, _ = open_search(tmp_path, Letters())
    assert "a/New" not in ids(reader, "giraffe")
    before = reader._at_hand()
    reader.reload()
    assert reader._at_hand().words is before.words  # nothing was written: what was read is kept
    assert reader._at_hand().meaning is before.meaning
    writer.update([page("New", ("S", "The giraffe of the zoo."))], [CERT.id])
    reader.reload()
    assert ids(reader, "giraffe")[0] == "a/New"
    assert CERT.id not in ids(reader, "certificate TLS renew")
    reader.close()
    writer.close()


def test_an_update_reads_only_what_changed_and_leaves_an_earlier_time_as_it_was() -> None:
    search = open_search(None, Letters())[0]
    pages = [page(f"P{n}", ("S", f"{chr(97 + n % 26) * 9} text")) for n in range(300)]
    search.update(pages, ())
    search.find("warm up")
    then = search._at_hand().meaning
    assert then is not None
    asked = Letters().embed(["aaa"])[0]
    before = then.near(asked, lambda ids: ())
    for n in range(0, 300, 7):
        search.update([page(f"P{n}", ("S", "aaa changed"))], [f"a/P{n + 1}"])
    now = search._at_hand().meaning
    assert now is not None
    assert then.near(asked, lambda ids: ()) == before
    assert set(now.spans) == {p.id for p in pages} - {f"a/P{n + 1}" for n in range(0, 300, 7)}
    anew = open_search(None, Letters())[0]
    anew.update([page(f"P{n}", ("S", "aaa changed")) if n % 7 == 0 else pages[n] for n in range(300) if n % 7 != 1], ())
    anew.find("warm up")
    other = anew._at_hand().meaning
    assert other is not None
    left, built = (view.near(asked, lambda ids, view=view: view.spans) for view in (now, other))
    assert {id: like.best for id, like in left.items()} == pytest.approx({id: like.best for id, like in built.items()})


def test_many_may_ask_while_one_updates() -> None:
    search = open_search(None, Letters())[0]
    search.update([DISK, CERT], ())
    wrong: list[object] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                found = ids(search, "old logs on the disk")
            except Exception as bad:
                wrong.append(bad)
            else:
                if DISK.id not in found:
                    wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(25):
        search.update([page(f"Page {n % 5}", ("S", f"version {n}")), DISK], [f"a/Page {(n + 2) % 5}"])
        search.reload()
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_of_an_endless_text_the_beginning_is_asked() -> None:
    assert shortened("short") == "short"
    assert shortened("x" * 1_000_000) == "x" * MAX_TEXT
    assert shortened("word " * 1_000_000).endswith(" word")
    search = open_search(None)[0]
    search.update([DISK, CERT], ())
    assert ids(search, "old logs fill the disk " + "zebra " * 200_000)[0] == DISK.id


OPEN = """
import sys
from pathlib import Path
from sysop.knowledge.retrieval.store import open_search
search, lost = open_search(Path(sys.argv[1]))
print(lost, len(search), flush=True)
"""
TELL = """
import sys, time
from pathlib import Path
from knowledge.test_search_store import CERT, DISK
from sysop.knowledge.retrieval.store import open_search
search, _ = open_search(Path(sys.argv[1]))
search.clear()
search.update([DISK], ())
print("begun", flush=True)
time.sleep(60)
"""


def started(code: str, folder: Path) -> "subprocess.Popen[str]":
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, env=here)


def test_processes_that_begin_at_once_make_one_index(tmp_path: Path) -> None:
    running = [started(OPEN, tmp_path / "knowledge") for _ in range(3)]
    assert [process.communicate(timeout=50)[0].split() for process in running] == [["True", "0"]] * 3
    assert [process.returncode for process in running] == [0, 0, 0]
    told(tmp_path / "knowledge")
    running = [started(OPEN, tmp_path / "knowledge") for _ in range(2)]
    assert [process.communicate(timeout=50)[0].split() for process in running] == [["False", "2"]] * 2


def test_a_process_that_is_killed_while_it_tells_leaves_an_index_that_says_so(tmp_path: Path) -> None:
    told(tmp_path)
    process = started(TELL, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.kill()
    process.communicate(timeout=10)
    search, lost = open_search(tmp_path)
    assert (lost, len(search)) == (True, 1)
    again = told(tmp_path)
    assert (len(again), ids(again, "certificate TLS")[0]) == (2, CERT.id)
