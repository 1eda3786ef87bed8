"""The hook that others take from this repository, run as pre-commit does: its entry, then the names of files."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
GOOD = "---\ntitle: Disk\nalerts: [DiskFull]\nowner: shop\nreviewed: 2026-12-01\n---\n# Disk\n\nLook at it.\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "good.md").write_text(GOOD)
    return tmp_path


def hook(project, *files):
    entry = shlex.split(HOOK["entry"])
    program = Path(sys.executable).with_name(entry[0])
    command = [str(program), *entry[1:], *HOOK.get("args", ()), *files]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)


def test_the_hook_passes_pages_without_errors(project):
    done = hook(project, "runbooks/good.md")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 pages, 0 errors" in done.stdout


def test_the_hook_fails_on_an_error_and_names_the_file_and_line(project):
    (project / "runbooks" / "bad.md").write_text(GOOD.replace("owner:", "ownr:"))
    done = hook(project, "runbooks/good.md", "runbooks/bad.md")
    assert (done.returncode, done.stderr) == (1, "")
    assert "runbooks/bad.md:4: error: 'ownr' is not a key" in done.stdout


def test_the_hook_is_asked_for_pages_of_the_folder_of_runbooks_alone():
    assert (HOOK["id"], HOOK["language"]) == ("sysop-runbooks", "python")
    asked = re.compile(HOOK["files"])
    names = ("runbooks/a.md", "runbooks/node/b.md", "docs/runbooks.md", "runbooks/a.yaml", "other/runbooks/a.md")
    assert [name for name in names if asked.search(name)] == ["runbooks/a.md", "runbooks/node/b.md"]
