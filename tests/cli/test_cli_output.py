"""Where output goes: full disks, readers that went away, narrow terminals, and who may read what is kept."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console
from terminal import Shell, at_terminal, clean_environment

import bench
from sysop.app import App
from sysop.cli import bar, show
from sysop.model import Alert
from sysop.store import audit as log
from sysop.store.store import Store

FULL = Path("/dev/full")


def to(shell: Shell, target: Path | int, words: str) -> tuple[int, str]:
    """Run a command with its output going to a file or descriptor; return exit code and what was said."""
    with open(target, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "sysop", *words.split()],
            cwd=shell.folder,
            env=clean_environment(),
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    return done.returncode, done.stderr


# -- full disks and closed pipes --------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL.exists(), reason="/dev/full: only Linux has it")
@pytest.mark.parametrize(
    "words", ["audit export", "audit show", "runs", "runs --json", "doctor", "completion", "--help", "runs --help"]
)
def test_a_full_disk_is_one_sentence(shell: Shell, words: str) -> None:
    shell("run", "toy.read")
    code, told = to(shell, FULL, words)
    assert code == 1
    assert told == (
        "Error: standard output cannot be written: No space left on device; make room there, or write somewhere else\n"
    )


@pytest.mark.skipif(not FULL.exists(), reason="/dev/full: only Linux has it")
def test_an_export_that_does_not_fit_leaves_nothing_behind(shell: Shell) -> None:
    shell("run", "toy.read")
    (shell.folder / "log.jsonl.part").symlink_to(FULL)
    said = shell("audit", "export", "log.jsonl")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: log.jsonl cannot be written: No space left on device; ")
    assert not [file for file in shell.folder.iterdir() if file.name.startswith("log.jsonl")]
    nowhere = shell("audit", "export", "nowhere/log.jsonl")
    assert (nowhere.code, "nowhere/log.jsonl cannot be written: No such" in nowhere.err) == (1, True)


def test_an_export_into_a_pipe_or_through_a_link_replaces_neither(shell: Shell) -> None:
    shell("run", "toy.read")
    whole = shell("audit", "export").out
    pipe, link = shell.folder / "pipe", shell.folder / "link.jsonl"
    os.mkfifo(pipe)
    link.symlink_to(shell.folder / "real.jsonl")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    assert shell("audit", "export", "pipe").code == 0
    reader.join(10)
    assert (got, pipe.is_fifo()) == ([whole], True)
    assert shell("audit", "export", "link.jsonl").code == 0
    assert (link.is_symlink(), (shell.folder / "real.jsonl").read_text()) == (True, whole)


@pytest.mark.parametrize("words", ["audit export", "audit show", "runs --json"])
def test_a_reader_that_goes_away_ends_it_without_a_word(shell: Shell, words: str) -> None:
    shell("run", "toy.read")
    here, there = os.pipe()
    os.close(here)
    assert to(shell, there, words) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="/dev/full: only Linux has it")
def test_work_goes_on_where_only_the_words_on_the_way_are_lost(shell: Shell) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sysop", "run", "toy.read", "--json"],
            cwd=shell.folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "done")


def test_a_closed_standard_output_is_no_mistake(shell: Shell) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m sysop runs >&-"],
        cwd=shell.folder,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, "Error" in done.stderr) == (0, False)


# -- tables -----------------------------------------------------------------------------------------------------------


async def _an_incident(app: App) -> None:
    labels = {"alertname": "AVeryLongNameOfAnAlertThatFires", "service": "pages", "severity": "critical"}
    await bench.take(app, [Alert("test", "1", 1_700_000_000_000, None, labels, {})])
    await app.close()


@pytest.fixture
def full(shell: Shell) -> Shell:
    """Return a shell with something in every list."""
    assert shell("run", "toy.write", "text=" + "long " * 30, "--reason", "because of " + "a reason " * 20).code == 3
    folder = shell.folder / ".sysop"
    asyncio.run(_an_incident(bench.build(folder, f"sqlite:///{folder / 'sysop.db'}")))
    return shell


COPIED = {"runs": "id", "approvals": "id", "incidents": "id", "alerts": "incident", "audit show": "chain"}


@pytest.mark.parametrize("words", COPIED)
def test_ids_can_be_copied_from_a_narrow_terminal(full: Shell, words: str) -> None:
    ids = {row[COPIED[words]] for row in full(*words.split(), "--json").json}
    screen = re.sub(r"\x1b\[[0-9;]*m", "", at_terminal(full.folder, words.split(), columns=60))
    assert ids
    assert all(re.search(rf"(^|\s){re.escape(id)}(\s|$)", screen, re.MULTILINE) for id in ids), screen
    assert max(map(len, screen.splitlines())) <= 60


def drawn(width: int) -> list[str]:
    columns = ("id", "at (UTC)", "state", "planner", "about")
    rows = [("run-0123456789", "2026-01-02 03:04:05", "waiting", "a planner", "what it is about, at length " * 3)]
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(show.table(*columns, rows=rows, drop=("planner", "at (UTC)")))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (120, ["id", "at (UTC)", "state", "planner", "about"]),
        (80, ["id", "at (UTC)", "state", "planner", "about"]),
        (70, ["id", "at (UTC)", "state", "about"]),
        (60, ["id", "state", "about"]),
    ],
)
def test_a_table_leaves_columns_out_before_it_folds_an_id(width: int, columns: list[str]) -> None:
    head, first, *_ = drawn(width)
    assert re.split(r"\s{2,}", head.strip()) == columns
    assert first.startswith("run-0123456789  ")
    assert all(len(line) <= width for line in (head, first))


def test_where_nothing_more_can_go_a_table_still_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(len(line) <= 24 for line in drawn(24))


# -- progress ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_long_check_shows_how_far_it_is_on_a_terminal_only(
    store: Store, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(bar, "AFTER_S", -1.0)
    monkeypatch.setattr(bar, "EVERY", 1)
    for number in range(7):
        await store.write(lambda tx, number=number: tx.audit("system", "test.written", "person:ann", number=number))
    screen = io.StringIO()
    with bar.Bar(Console(file=screen, force_terminal=terminal, width=80), "checking", 7) as counted:
        found = await store.read(lambda conn: log.verify(counted.counting(conn)))
    assert (found.ok, found.entries) == (True, 7)
    assert ("7/7" in screen.getvalue()) is terminal
    assert terminal or screen.getvalue() == ""


# -- who may read it --------------------------------------------------------------------------------------------------


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.glob("sysop.db*"))}


@pytest.mark.parametrize("words", ["run toy.read", "db upgrade"])
def test_what_sysop_makes_only_its_user_may_read(shell: Shell, words: str) -> None:
    before = os.umask(0)
    try:
        assert shell(*words.split()).code == 0
    finally:
        os.umask(before)
    found = modes(shell.folder / ".sysop")
    assert found.pop(".sysop") == 0o700
    assert found
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize(("folder", "files"), [(0o755, 0o600), (0o775, 0o660), (0o777, 0o600)])
def test_a_folder_somebody_made_stays_as_it_is_and_its_group_may_share_it(
    shell: Shell, folder: int, files: int
) -> None:
    state = shell.folder / ".sysop"
    state.mkdir()
    state.chmod(folder)
    assert shell("run", "toy.read").code == 0
    found = modes(state)
    assert found.pop(".sysop") == folder
    assert set(found.values()) == {files}
    assert {"sysop.db", "sysop.db.runner"} <= set(found)


def test_a_database_that_is_there_keeps_its_rights(shell: Shell) -> None:
    assert shell("db", "upgrade").code == 0
    file = shell.folder / ".sysop" / "sysop.db"
    file.chmod(0o644)
    assert shell("run", "toy.read").code == 0
    assert file.stat().st_mode & 0o777 == 0o644
