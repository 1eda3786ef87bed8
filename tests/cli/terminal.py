"""Talk to Sysop as its users do: a command line, in this process or in one of its own, as any operating-system user."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from sysop.cli import main

HERE = Path(__file__).parent
UIDS = {"ann": 60001, "bob": 60002, "cat": 60003, "dan": 60004}
SETTINGS = f"""
plugins_dir: {HERE / "plugins"}
shipped_runbooks: false
people:
  ann: {{uid: 60001, roles: [approver]}}
  bob: {{uid: 60002, roles: [approver]}}
  cat: {{uid: 60003, roles: [approver]}}
  dan: {{uid: 60004}}
"""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def find(self, pattern: str) -> str:
        found = re.search(pattern, self.out + self.err)
        assert found, self
        return found[0]


@dataclass(frozen=True)
class Shell:
    """A folder with settings, and a command line in it."""

    folder: Path
    monkeypatch: Any

    def write(self, text: str, name: str = "sysop.yaml") -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def __call__(self, *words: str, by: str = "ann", stdin: str | None = None) -> Said:
        """Run a command in this process as one of the people. The kernel's answer is what the test replaces."""
        with self.monkeypatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(os, "getuid", lambda: UIDS.get(by, 64999))
            done = CliRunner().invoke(main, list(words), input=stdin, catch_exceptions=False)
        return Said(done.exit_code, done.stdout, done.stderr)

    def process(self, *words: str, by: str | None = None, **more: Any) -> Said:
        """Run a command as a process of its own; `by` as one of the people, see `cannot_switch_users`."""
        prefix, user = ([], {}) if by is None else as_user(UIDS[by])
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "sysop", *words],
            cwd=self.folder,
            env={**clean_environment(), **more.pop("env", {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **user,
            **more,
        )
        return Said(done.returncode, done.stdout, done.stderr)


def as_user(uid: int) -> tuple[list[str], dict[str, Any]]:
    """Return what to put before a command, and how to start it, so that the kernel says that this user runs it.

    As root only the real user changes, which is what decides: the interpreter may lie where others cannot read. As
    anybody else it is the user's number in a name space of its own.
    """
    if os.getuid() == 0:
        return [], {"preexec_fn": lambda: os.setresuid(uid, 0, 0)}
    return ["unshare", "--user", f"--map-user={uid}"], {}


def cannot_switch_users() -> str:
    """Return why commands cannot be run as another user, nothing if they can."""
    prefix, user = as_user(60001)
    code = "import os; print(os.getuid())"
    try:
        done = subprocess.run(
            [*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=False, **user
        )
    except OSError as bad:
        return f"switching users: {bad}; run the tests as root"
    return "" if done.stdout.strip() == "60001" else "switching users: neither root nor user name spaces here"


def at_terminal(folder: Path, words: list[str], typed: str = "", columns: int = 120) -> str:
    """Run a command at a terminal, answer its question, return the screen."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "sysop", *words]
    environment = {**clean_environment(), "COLUMNS": str(columns)}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=there, stdout=there, stderr=there)
    os.close(there)
    seen, answered, until = "", False, time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([here], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(here, 65536)
        except OSError:
            break
        seen += data.decode(errors="replace")
        if "[y/N]" in seen and not answered:
            answered = True
            os.write(here, typed.encode())
    process.wait(timeout=30)
    os.close(here)
    return seen


def clean_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SYSOP_")}
    return {**kept, "COLUMNS": "120", "NO_COLOR": "1"}


def same_as_snapshot(text: str, name: str) -> None:
    """Compare with a stored file; SYSOP_TEST_REWRITE=1 writes it anew. Ids, digests and times are blanked."""
    blanked = re.sub(r"\b(run|apr|inc)-[0-9a-z]{10}\b", r"\1-..........", text)
    blanked = re.sub(r"\b[0-9a-f]{64}\b", "." * 64, blanked)
    blanked = re.sub(r"\d+ min \d+ s left", "... left", blanked)
    blanked = "\n".join(line.rstrip() for line in blanked.splitlines()) + "\n"
    file = HERE / "snapshots" / f"{name}.txt"
    if os.environ.get("SYSOP_TEST_REWRITE"):
        file.write_text(blanked)
    assert blanked == file.read_text(), f"{file.name} differs; rewrite it with SYSOP_TEST_REWRITE=1 if that is right"
