"""The fixture that plugin authors test with, as they use it: in a project of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("sqlalchemy", "pydantic", "aiohttp", "slack_bolt", "slack_sdk", "starlette", "yaml", "sysop.app")
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    return subprocess.run([*PYTEST, *more], capture_output=True, text=True, cwd=folder, check=False)


def test_whoever_does_not_use_it_loads_nothing_for_it(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    code = "import pytest, sys; pytest.main(['-q', sys.argv[1]]); print('LOADED', *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
    said, _, loaded = done.stdout.rpartition("LOADED")
    assert "1 passed" in said, done.stdout + done.stderr
    assert "sysop.testing.plugin" in loaded.split()
    assert set(loaded.split()).isdisjoint(HEAVY)


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_the_example_of_the_documentation_runs_as_it_stands_there(tmp_path: Path, transport: str) -> None:
    page = (ROOT / "docs/plugins.md").read_text()
    example, _, tests = page.partition("## Test it")
    for file, text in (("lights.py", example), ("test_lights.py", tests)):
        code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
        assert code
        (tmp_path / file).write_text(code.group(1))
    done = run(tmp_path, "--sysop-transport", transport)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_a_test_that_fails_shows_the_chat(tmp_path: Path) -> None:
    (tmp_path / "test_wrong.py").write_text(
        "async def test_wrong(bot):\n    await bot.say('/sysop status')\n    assert 'pigs fly' in bot.told\n"
    )
    done = run(tmp_path)
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert "the chat" in done.stdout
    assert "All is quiet" in done.stdout


def test_a_plugin_that_does_not_load_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "test_broken.py").write_text(
        "import pathlib, pytest\n\n\n@pytest.fixture\ndef bot_plugins():\n    return pathlib.Path('plugins')\n\n\n"
        "async def test_broken(bot):\n    pass\n"
    )
    done = run(tmp_path)
    assert "plugin broken does not load: ModuleNotFoundError" in done.stdout, done.stdout + done.stderr
