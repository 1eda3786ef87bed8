"""Log files are followed across rotation, truncation and restarts: every whole line once, none twice."""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sysop.watches.logs import follow as follow_module
from sysop.watches.logs import tail as tail_module
from sysop.watches.logs.follow import LINGER_S, SCAN_S, Follower
from sysop.watches.logs.tail import CHUNK, Position


@dataclass
class Bench:
    folder: Path
    now: float = 1000.0
    made: list[Follower] = field(default_factory=list)

    def follow(self, *patterns: str, positions: list[Position] | None = None) -> Follower:
        found = Follower([str(self.folder / p) for p in patterns or ("*.log",)], positions, lambda: self.now)
        self.made.append(found)
        return found

    def again(self, follower: Follower, *patterns: str) -> Follower:
        """Start anew with what the old one would have kept."""
        kept = json.loads(json.dumps([position.as_json() for position in follower.positions]))
        follower.close()
        return self.follow(*patterns, positions=[Position.from_json(one) for one in kept])

    def write(self, text: str, name: str = "app.log") -> None:
        with (self.folder / name).open("a") as file:
            file.write(text)

    def read(self, follower: Follower, budget: int = 10 * CHUNK) -> list[str]:
        self.now += SCAN_S
        return follower.read(budget)[0]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for follower in made.made:
        follower.close()


def test_the_first_start_begins_at_the_end(bench):
    bench.write("old\n")
    follower = bench.follow()
    assert bench.read(follower) == []
    bench.write("new\n")
    assert bench.read(follower) == ["new"]
    assert bench.read(follower) == []


def test_a_line_without_its_end_waits(bench):
    follower = bench.follow()
    bench.write("one\ntw")
    assert bench.read(follower) == ["one"]
    bench.write("o\n\n  \nthree\n")
    assert bench.read(follower) == ["two", "three"]


def test_half_a_line_that_was_there_first_is_not_taken_for_a_whole_one(bench):
    bench.write("half of")
    follower = bench.follow()
    bench.write(" a line\nwhole\n")
    assert bench.read(follower) == ["whole"]


def test_a_file_that_appears_later_is_read_from_its_beginning(bench):
    follower = bench.follow()
    bench.write("first\n", "other.log")
    assert bench.read(follower) == ["first"]


def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(bench):
    bench.write("0\n")
    follower = bench.follow()
    bench.write("1\n")
    (bench.folder / "app.log").rename(bench.folder / "app.log.1")
    bench.write("2\n", "app.log.1")  # the writer has not noticed yet
    bench.write("3\n")
    assert sorted(bench.read(follower)) == ["1", "2", "3"]
    bench.write("4\n", "app.log.1")
    assert bench.read(follower) == ["4"]


def test_a_renamed_file_that_the_pattern_still_finds_is_not_read_again(bench):
    bench.write("0\n")
    follower = bench.follow("app.log*")
    bench.write("1\n")
    assert bench.read(follower) == ["1"]
    (bench.folder / "app.log").rename(bench.folder / "app.log.1")
    bench.write("2\n")
    assert bench.read(follower) == ["2"]


@pytest.mark.parametrize("noticed", ["before it is emptied", "after it was emptied"])
def test_the_copy_that_rotation_makes_of_a_file_it_empties_is_not_read_again(bench, noticed):
    bench.write("0\n")
    follower = bench.follow("app.log*")
    bench.write("".join(f"line {n}\n" for n in range(100)))
    assert len(bench.read(follower)) == 100
    bench.write("not read yet\n")
    (bench.folder / "app.log.1").write_bytes((bench.folder / "app.log").read_bytes())
    if noticed == "after it was emptied":
        os.truncate(bench.folder / "app.log", 0)
        bench.write("fresh\n")
        follower.read(10 * CHUNK)  # sees the emptied file, and looks for new ones a moment later
        assert bench.read(follower) == ["not read yet"]
        return
    assert bench.read(follower) == ["not read yet", "not read yet"]  # as long as both are there, both are followed
    os.truncate(bench.folder / "app.log", 0)
    bench.write("fresh\n")
    assert bench.read(follower) == ["fresh"]


def test_a_new_file_that_only_begins_like_another_is_read_whole(bench):
    banner = "".join(f"# header {n}\n" for n in range(50))
    bench.write("0\n")
    follower = bench.follow("*.log")
    bench.write(banner + "one\n", "a.log")
    assert len(bench.read(follower)) == 51
    bench.write(banner + "two\n", "b.log")
    assert len(bench.read(follower)) == 51


def test_what_rotation_has_compressed_is_left_alone(bench):
    follower = bench.follow("app.log*")
    bench.write("1\n")
    for name in ("app.log.2.gz", "app.log.3.zst"):
        bench.write("no text\n", name)
    assert bench.read(follower) == ["1"]


def test_a_rotation_between_two_steps_of_a_look_counts_nothing_twice(bench, monkeypatch):
    follower = bench.follow("app.log*")
    bench.write("old\n")
    honest = os.stat

    def rotates(path: str) -> os.stat_result:
        found = honest(path)
        monkeypatch.setattr(follow_module.os, "stat", honest)
        (bench.folder / "app.log").rename(bench.folder / "app.log.1")
        bench.write("new\n")
        return found

    monkeypatch.setattr(follow_module.os, "stat", rotates)
    read = [line for _ in range(4) for line in bench.read(follower)]
    assert sorted(read) == ["new", "old"]


def test_a_restart_inside_of_a_long_line_does_not_take_its_rest_for_a_line(bench, monkeypatch):
    monkeypatch.setattr(tail_module, "CHUNK", 64)
    follower = bench.follow()
    bench.write("x" * 150)
    assert bench.read(follower) == ["x" * 64]
    follower = bench.again(follower)
    bench.write("x" * 50 + "\nnext\n")
    assert bench.read(follower) == ["next"]


def test_a_file_that_is_gone_is_closed_after_a_while(bench):
    bench.write("0\n")
    follower = bench.follow()
    (bench.folder / "app.log").unlink()
    bench.read(follower)
    assert len(follower.positions) == 1
    bench.now += LINGER_S
    bench.read(follower)
    assert follower.positions == []


@pytest.mark.parametrize("longer", [False, True], ids=["shorter than before", "longer than before"])
def test_a_file_that_was_emptied_is_read_from_its_beginning(bench, longer):
    bench.write("a line\n")
    follower = bench.follow()
    bench.write("another line\n")
    assert bench.read(follower) == ["another line"]
    text = "".join(f"fresh {n}\n" for n in range(100 if longer else 1))
    (bench.folder / "app.log").write_text(text)
    assert bench.read(follower) == text.split("\n")[:-1]


def test_a_restart_goes_on_where_it_stopped(bench):
    bench.write("0\n")
    follower = bench.follow()
    bench.write("1\n2\nhal")
    assert bench.read(follower) == ["1", "2"]
    bench.write("f\n3\n")
    follower = bench.again(follower)
    assert bench.read(follower) == ["half", "3"]


def test_a_rotation_while_nobody_followed_loses_nothing(bench):
    bench.write("0\n")
    follower = bench.follow()
    bench.write("1\n")
    (bench.folder / "app.log").rename(bench.folder / "app.log.1")
    bench.write("2\n")
    assert sorted(bench.read(bench.again(follower))) == ["1", "2"]


def test_a_file_that_was_replaced_while_nobody_followed_is_read_whole(bench):
    bench.write("a long line of the old file\n")
    follower = bench.follow()
    (bench.folder / "app.log").write_text("new 1\nnew 2\nnew 3, and much longer than the old one ever was\n")
    assert bench.read(bench.again(follower))[0] == "new 1"


def test_a_line_longer_than_what_is_read_at_once_is_cut_off(bench, monkeypatch):
    monkeypatch.setattr(tail_module, "CHUNK", 64)
    follower = bench.follow()
    bench.write("x" * 200 + "\nnext\n")
    lines = bench.read(follower)
    assert lines == ["x" * 64, "next"]


def test_bytes_that_are_no_text_are_no_trouble(bench):
    follower = bench.follow()
    (bench.folder / "app.log").write_bytes(b"caf\xe9 \xff\x00\nnext\n")
    assert bench.read(follower) == ["caf\ufffd \ufffd\x00", "next"]


def test_a_loud_file_does_not_silence_the_others(bench):
    follower = bench.follow()
    bench.write("loud\n" * 200_000, "a.log")
    bench.write("quiet\n", "b.log")
    bench.now += SCAN_S
    lines, everything = follower.read(2 * CHUNK)
    assert "quiet" in lines
    assert not everything
    while not everything:
        more, everything = follower.read(2 * CHUNK)
        lines += more
    assert len(lines) == 200_001


def test_a_file_nobody_may_read_is_said_once(bench, caplog):
    os.mkfifo(bench.folder / "pipe.log")
    bench.write("0\n")
    with caplog.at_level(logging.WARNING):
        follower = bench.follow()
        bench.read(follower)
        bench.read(follower)
    assert [record.getMessage() for record in caplog.records] == [
        f"the log file {bench.folder / 'pipe.log'} cannot be followed: is no plain file"
    ]
    bench.write("1\n")
    assert bench.read(follower) == ["1"]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_to_the_file_every_line_comes_once(bench, seed):
    random_ = random.Random(seed)
    follower = bench.follow("app.log*")  # so that what is rotated twice between two looks is found, too
    written, read, rotated = 0, [], 0
    for _ in range(150):
        match random_.randrange(6):
            case 0:
                rotated += 1
                if (bench.folder / "app.log").exists():
                    (bench.folder / "app.log").rename(bench.folder / f"app.log.{rotated}")
            case 1:
                follower = bench.again(follower, "app.log*")
            case 2:
                read += bench.read(follower, random_.choice((1, 10 * CHUNK)))
            case _:
                for _ in range(random_.randrange(1, 4)):
                    bench.write(f"line {written}\n")
                    written += 1
    for _ in range(5):
        read += bench.read(follower)
    assert sorted(read, key=lambda line: int(line.split()[1])) == [f"line {n}" for n in range(written)]
