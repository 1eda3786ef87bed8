"""`make test`: what fails twice has failed, what passes by itself is named, and nothing else is run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).with_name("run.py")
AT_FIRST = """
from pathlib import Path

def test_fails_at_first():
    been = Path("been")
    again = been.exists()
    been.touch()
    assert again

def test_passes():
    Path("count").open("a").write("x")
"""
ALWAYS = "def test_fails():\n    assert False\n"


def run(folder: Path, *options: str) -> tuple[int, str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, str(RUN), "-q", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_what_passes_by_itself_is_named_and_what_passed_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(AT_FIRST)
    code, said = run(tmp_path)
    assert code == 0
    assert "passed by itself, mend it: it depends on the machine: test_it.py::test_fails_at_first" in said
    assert (tmp_path / "count").read_text() == "x"


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(AT_FIRST)
    (tmp_path / "test_other.py").write_text(ALWAYS)
    code, said = run(tmp_path)
    assert code == 1
    assert "FAILED TWICE: test_other.py::test_fails" in said


def test_where_many_fail_or_nothing_can_be_collected_it_is_over_at_once(tmp_path: Path) -> None:
    many = "import pytest\n\n@pytest.mark.parametrize('n', range(11))\ndef test_fails(n):\n    assert False\n"
    (tmp_path / "test_many.py").write_text(many)
    assert "once more" not in run(tmp_path)[1]
    (tmp_path / "test_many.py").write_text("import nothing_of_the_kind")
    code, said = run(tmp_path)
    assert code == 2
    assert "once more" not in said
