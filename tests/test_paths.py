"""Whoever shares the state folder with a group shares what Sysop makes in it; else nobody else gets in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sysop.paths import private_file, private_folder
from sysop_plugins.cicd.local.records import make_lock, make_root


@pytest.fixture(params=[0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("around", "folder", "file"), [(0o2770, 0o2770, 0o660), (0o700, 0o700, 0o600), (0o1777, 0o700, 0o600)], ids=oct
)
def test_what_is_made_is_as_private_as_what_it_is_made_in(tmp_path: Path, around: int, folder: int, file: int) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(around)
    private_folder(state / "plugins" / "cicd")
    make_root(state / "plugins" / "cicd" / "builds")
    made = [state / "plugins", state / "plugins" / "cicd", state / "plugins" / "cicd" / "builds"]
    assert [oct(mode(path)) for path in made] == [oct(folder)] * 3
    private_file(state / "sysop.db")
    make_lock(made[-1] / ".claims")
    assert [oct(mode(path)) for path in (state / "sysop.db", made[-1] / ".claims")] == [oct(file)] * 2
