"""What holds the floors apart, checked on the source itself. It stops accidents; malice is stopped by credentials."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import sysop.api

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = sorted([*(ROOT / "bot").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])

# Every place that may catch anything, and how often.
BROAD = {
    "bot/sysop/app.py": 1,  # undo a half-made start, then raise on
    "bot/sysop/changes/feed.py": 1,  # plugin code: asking a place for changes
    "bot/sysop/cli/__init__.py": 1,  # a plugin's command module
    "bot/sysop/cli/checks.py": 1,  # a plugin's health check
    "bot/sysop/cli/common.py": 1,  # the outermost handler of the command line
    "bot/sysop/gate/perform.py": 4,  # plugin code: actions, their results, what they changed, previews and checks
    "bot/sysop/host.py": 4,  # plugin code: import, judge, observe, startup and shutdown
    "bot/sysop/incidents/placing.py": 2,  # a fault in correlation: alerts are placed all the same; undo, then raise on
    "bot/sysop/incidents/pulling.py": 1,  # plugin code: asking a place for its alerts
    "bot/sysop/knowledge/duty.py": 1,  # a periodic duty goes on, whatever one round of it met
    "bot/sysop/knowledge/library/foreign.py": 1,  # plugin code: a source of pages
    "bot/sysop/knowledge/retrieval/vectors.py": 1,  # undo a half-made opening, then raise on
    "bot/sysop/runner/advance.py": 1,  # planners
    "bot/sysop/runner/local.py": 1,  # a periodic duty goes on, whatever one round of it met
    "bot/sysop/store/writer.py": 1,  # a unit's failure is its caller's
    "bot/sysop/surfaces/slack/outbox/delivery.py": 1,  # drawing one row: the others are told all the same
    "bot/sysop/surfaces/slack/outbox/sender.py": 1,  # the outermost loop of sending
    "bot/sysop/surfaces/slack/project.py": 1,  # what is told must not undo what it tells of
    "bot/sysop/surfaces/slack/surface.py": 1,  # undo a half-made start, then raise on
    "bot/sysop/watches/sources.py": 1,  # plugin code: the answers to queries
    "bot/sysop/surfaces/webhooks.py": 1,  # plugin code: reading a delivery
}
SUPPRESSES: set[str] = set()
SHARED = {"incoming", "remote"}  # what several plugins use, and no plugin
READS_THE_ENVIRONMENT = {
    "bot/sysop/settings.py",
    "bot/sysop/demo/company/asking.py",  # a command in a pipeline: which build it runs in
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for file in PRODUCT:
        yield str(file.relative_to(ROOT)), ast.parse(file.read_text(), str(file))


def test_actions_are_performed_in_one_place() -> None:
    read = [
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "_perform"
    ]
    assert read == ["bot/sysop/gate/perform.py"]
    named = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "_perform"
    }
    assert named == set(), "the performing attribute must not be reached by name"


def test_the_environment_is_read_in_one_place() -> None:
    found = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {a.name for a in node.names} & {"environ", "environb", "getenv"}
        )
    }
    assert found == READS_THE_ENVIRONMENT


def _broad(node: ast.ExceptHandler) -> bool:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in kinds)


def _keeps(node: ast.ExceptHandler) -> bool:
    """Tell whether a handler raises, logs, or uses what it caught."""
    body = [inner for statement in node.body for inner in ast.walk(statement)]
    raises = any(isinstance(inner, ast.Raise) for inner in body)
    uses = node.name is not None and any(isinstance(inner, ast.Name) and inner.id == node.name for inner in body)
    logs = any(
        isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and isinstance(inner.func.value, ast.Name)
        and inner.func.value.id == "log"
        for inner in body
    )
    return raises or uses or logs


def test_only_a_short_list_of_places_catches_anything_and_none_swallows_it() -> None:
    found: dict[str, int] = {}
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and _broad(node):
                found[name] = found.get(name, 0) + 1
                assert _keeps(node), f"{name}:{node.lineno} swallows every error"
    assert found == BROAD


def test_no_handler_is_suppressing_everything() -> None:
    suppressed = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "suppress"
        and {getattr(a, "id", "") for a in node.args} & {"Exception", "BaseException"}
    }
    assert suppressed <= SUPPRESSES


def test_the_plugins_that_ship_are_the_ones_that_load() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["sysop"]
    folder = ROOT / "plugins" / "sysop_plugins"
    files = {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/__init__.py")}
    assert {name: f"sysop_plugins.{name}" for name in files - {"__init__", *SHARED}} == declared


def test_imports_go_down_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_what_a_plugin_may_import_is_what_the_module_offers() -> None:
    offered = {name for name in vars(sysop.api) if not name.startswith("_")}
    assert set(sysop.api.__all__) == offered
    assert sysop.api.__all__ == sorted(sysop.api.__all__)


def test_nothing_is_built_at_import() -> None:
    """No module keeps a client, an engine or the settings of its own."""
    makers = {"Settings", "create_engine", "create_async_engine", "AsyncClient", "Client", "Store", "Host"}
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", getattr(node.value.func, "attr", "")) in makers
    ]
    assert found == []


HEAVY = ("pydantic", "sqlalchemy", "pydantic_ai", "starlette", "alembic", "pluggy", "httpx2", "openai")


@pytest.mark.parametrize(
    "code",
    [
        "import sysop",
        "from sysop.cli import main\ntry:\n    main(['--help'], prog_name='sysop')\nexcept SystemExit:\n    pass",
    ],
    ids=["import sysop", "sysop --help"],
)
def test_a_light_start_loads_nothing_heavy(code: str) -> None:
    if "cli" in code and not (ROOT / "bot/sysop/cli").exists() and not (ROOT / "bot/sysop/cli.py").exists():
        return
    print_modules = "\nimport sys; print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code + print_modules], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)
