"""The documentation says what is there, and all of what is there."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sysop import api, hookspecs
from sysop.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
HOOKS = {name: f for name, f in vars(hookspecs).items() if getattr(f, "sysop_spec", None) is not None}


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_every_hook_has_a_heading_with_its_arguments(name: str) -> None:
    heading = f"## {name}({', '.join(inspect.signature(HOOKS[name]).parameters)})"
    assert heading in (ROOT / "docs/hooks.md").read_text().splitlines()


def test_no_hook_is_documented_that_does_not_exist() -> None:
    named = re.findall(r"^## (\w+)\(", (ROOT / "docs/hooks.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(HOOKS)


def test_the_page_of_actions_is_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/actions.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_name_of_the_api_is_listed() -> None:
    page = (ROOT / "docs/plugins.md").read_text().partition("## All of `sysop.api`")[2]
    assert re.findall(r"`(\w+)`", page) == api.__all__


def test_the_example_plugin_of_the_documentation_loads(tmp_path: Path) -> None:
    from sysop import host

    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/plugins.md").read_text(), re.DOTALL)
    assert code
    (tmp_path / "lights.py").write_text(code.group(1))
    loaded = host.load({}, folder=tmp_path, points=[])
    assert [line.problem for line in loaded.report] == [None]
    assert sorted(loaded.actions) == ["lights.state", "lights.switch"]


def test_what_the_shop_of_the_demo_says_to_type_can_be_typed_in_a_checkout() -> None:
    from sysop.demo import shop

    assert re.findall(r"`(make .*?)`", inspect.getsource(shop)) == ['make dev ARGS="--seed 2"']
    assert "sysop dev $(ARGS)" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documentation_exists(page: Path) -> None:
    for block in re.findall(r"```(?:sh|bash|console)?\n(.*?)```", page.read_text(), re.DOTALL):
        for word in re.findall(r"^(?:\$ )?sysop (?!--)([a-z]+)", block, re.MULTILINE):
            assert word in COMMANDS, word


def test_the_targets_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for word in re.findall(r"^make ([a-z]+)", page.read_text(), re.MULTILINE):
            assert word in targets, f"{page}: make {word}"


def test_no_committed_file_names_a_machine_or_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = re.compile(r"/work/|/root/|files\.pythonhosted|pypi\.org/simple|index-url")
    for name in listed:
        file = ROOT / name
        if file.suffix in {".svg", ".png"} or file == Path(__file__).resolve() or not file.exists():
            continue
        found = forbidden.search(file.read_text(errors="replace"))
        assert not found, f"{name}: {found.group() if found else ''}"


def test_the_settings_of_the_starting_page_are_valid(tmp_path: Path) -> None:
    from sysop import settings

    page = (ROOT / "docs/start.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    for block in blocks:
        if block.startswith("receivers:"):
            continue
        file = tmp_path / "sysop.yaml"
        file.write_text(block)
        settings.load(file)
