"""Talk to Sysop as its users do: a command line, in this process or in one of its own, as any operating-system user."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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
        """Run a command as a process of its own; `by` needs root.

        Only its real user changes, which is what decides: the interpreter may lie where others cannot read.
        """
        user = {} if by is None else {"preexec_fn": lambda: os.setresuid(UIDS[by], 0, 0)}
        done = subprocess.run(
            [sys.executable, "-m", "sysop", *words],
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
