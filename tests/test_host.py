"""Plugins: a broken one is named and left out, and the good ones keep working."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sysop.errors import PluginError, SettingsError
from sysop.host import Host, load

HEAD = """
from collections.abc import Iterable
from sysop.api import Action, Context, Preview, Reconciled, Risk, action, hookimpl
"""
GOOD = f"""{HEAD}
@action(risk=Risk.READ)
async def look(ctx: Context, name: str = "x") -> str:
    \"\"\"Look.\"\"\"
    return name

@hookimpl
def register_actions() -> Iterable[Action]:
    return [look]
"""


def changed(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


BROKEN: dict[str, tuple[str, str]] = {
    "raises at import": ("raise RuntimeError('no')", "RuntimeError: no"),
    "exits at import": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "does not parse": ("def (", "SyntaxError: invalid syntax"),
    "imports what is not there": ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
    "misspelt hook": (changed(("def register_actions", "def register_action")), "unknown hook 'register_action'"),
    "wrong argument names": (
        GOOD + "\n@hookimpl\ndef judge(calls, action, actor):\n    return None\n",
        "Argument(s) {'calls'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "hook that raises": (changed(("return [look]", "raise OSError('no disk')")), "OSError: no disk"),
    "hook that returns nothing useful": (changed(("return [look]", "return [1]")), "AttributeError"),
    "duplicate action": (changed(("return [look]", "return [look, look]")), "two actions have the same name"),
    "no risk": (
        changed(("risk=Risk.READ", "")),
        "TypeError: action() missing 1 required keyword-only argument: 'risk'",
    ),
    "risk as text": (changed(("Risk.READ", "'read'")), "action look: risk must be Risk.READ"),
    "no docstring": (changed(('"""Look."""', "")), "action look: a docstring is missing"),
    "no ctx": (changed(("ctx: Context, ", "")), "action look: the first parameter must be `ctx: Context`"),
    "not async": (changed(("async def", "def")), "action look: write it as `async def`"),
    "no return type": (changed((" -> str", "")), "action look: the return type is missing"),
    "no parameter type": (changed(('name: str = "x"', "name")), "action look: parameter name needs a type"),
    "star arguments": (changed(('name: str = "x"', "*name: str")), "action look: parameter name needs a type"),
    "a type nobody can read": (
        changed(('name: str = "x"', 'name: "NoSuchType"')),
        "NoSuchType",
    ),
    "a target that is no parameter": (
        changed(("risk=Risk.READ", "risk=Risk.READ, target='service:{service}'")),
        "action look: target names service, which is not a parameter",
    ),
    "destructive without preview": (
        changed(("Risk.READ", "Risk.DESTRUCTIVE")),
        "action look: a destructive action must have preview= and reconcile=",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text(GOOD)
    return tmp_path


def loaded(folder: Path, **more: object) -> Host:
    return load({}, folder=folder, points=[], **more)  # type: ignore[arg-type]


def problems(host: Host) -> dict[str, str | None]:
    return {one.name: one.problem for one in host.report}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_plugin_is_named_and_the_good_one_works(folder: Path, how: str) -> None:
    text, said = BROKEN[how]
    (folder / "broken.py").write_text(text)
    host = loaded(folder)
    assert said in str(problems(host)["broken"])
    assert problems(host)["good"] is None
    assert set(host.actions) == {"good.look"}
    assert set(host.plugins) == {"good"}
    assert host.manager.get_plugin("broken") is None
    assert host.planners() == host.alert_sources() == {}
    assert host.runbook_folders() == host.health_checks() == []


@pytest.mark.parametrize("how", ["raises at import", "misspelt hook", "no risk"])
def test_a_required_plugin_that_is_broken_stops_the_start(folder: Path, how: str) -> None:
    text, said = BROKEN[how]
    (folder / "broken.py").write_text(text)
    with pytest.raises(PluginError) as stopped:
        loaded(folder, required=["broken"])
    assert str(stopped.value).startswith("required_plugins: broken cannot be used: ")
    assert said in str(stopped.value)


def test_a_required_plugin_that_is_missing_stops_the_start(folder: Path) -> None:
    with pytest.raises(PluginError, match="required_plugins: absent cannot be used: it is not installed"):
        loaded(folder, required=["good", "absent"])


class Point:
    """An entry point."""

    value = "somewhere"
    dist = None

    def __init__(self, name: str, load: Callable[[], object]) -> None:
        self.name, self.load = name, load


def test_two_plugins_of_one_name_are_the_first_one(folder: Path) -> None:
    class Other:
        pass

    host = load({}, folder=folder, points=[Point("good", Other)])  # type: ignore[list-item]
    said = [(one.origin.split()[0], one.problem) for one in host.report]
    assert said == [("entry", None), ("file", "there is a plugin of this name already")]
    assert host.actions == {}


@pytest.mark.parametrize("name", ["Bad", "1st", "with-dash", "a.b", ""])
def test_a_name_that_no_action_could_carry_is_refused(name: str) -> None:
    host = load({}, points=[Point(name, object)])  # type: ignore[list-item]
    assert "must match" in str(host.report[0].problem)


SETTINGS = """
from pydantic import BaseModel, ConfigDict
from sysop.api import hookimpl

class Mine(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str
    retries: int = 3

@hookimpl
def register_settings():
    return Mine
"""


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "plugins.mine.url: Field required"),
        ({"url": "x", "retrys": 1}, "plugins.mine.retrys: Extra inputs are not permitted; did you mean 'retries'?"),
        ({"url": "x", "retries": "many"}, "plugins.mine.retries: Input should be a valid integer"),
    ],
)
def test_a_wrong_section_names_plugin_key_and_fix(folder: Path, section: dict[str, object], said: str) -> None:
    (folder / "mine.py").write_text(SETTINGS)
    with pytest.raises(SettingsError) as stopped:
        load({"mine": section}, folder=folder, points=[])
    assert said in str(stopped.value)


def test_a_section_of_no_plugin_or_of_one_without_settings_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"plugins\.goood: there is no such plugin; did you mean 'good'\?"):
        load({"goood": {}}, folder=folder, points=[])
    with pytest.raises(SettingsError, match=r"plugins\.good: this plugin has no settings; remove the section"):
        load({"good": {"a": 1}}, folder=folder, points=[])


def test_an_observer_that_fails_harms_nobody(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "eager.py").write_text(
        "from sysop.api import hookimpl\n@hookimpl\ndef observe(entry):\n    raise RuntimeError('no')\n"
        "@hookimpl\ndef startup(ctx):\n    raise RuntimeError('never up')\n"
    )
    host = loaded(folder)

    class Entry:
        id = 1

    host.observe(Entry())  # type: ignore[arg-type]
    host.start(lambda plugin: None)  # type: ignore[arg-type,return-value]
    assert "plugin eager failed to observe entry 1" in caplog.text
    assert "plugin eager failed in startup" in caplog.text


def test_an_action_is_a_record_and_not_a_function(folder: Path) -> None:
    action = loaded(folder).actions["good.look"]
    with pytest.raises(TypeError):
        action("x")  # type: ignore[operator]


def test_every_installed_plugin_works() -> None:
    assert [one for one in load({}).report if one.problem] == []


SOURCE = """
from sysop.api import AlertSource, hookimpl
from pydantic import BaseModel

class Settings(BaseModel):
    names: tuple[str, ...] = ("bells",)

@hookimpl
def register_settings():
    return Settings

@hookimpl
def register_alert_sources(settings):
    return [AlertSource(name, lambda delivery: []) for name in settings.names]
"""


def test_alert_sources_are_made_of_the_plugins_own_settings_and_know_their_plugin(tmp_path: Path) -> None:
    (tmp_path / "tower.py").write_text(SOURCE)
    assert list(load({}, folder=tmp_path, points=[]).alert_sources()) == ["bells"]
    host = load({"tower": {"names": ["north", "south-2"]}}, folder=tmp_path, points=[])
    assert {name: source.plugin for name, source in host.alert_sources().items()} == {
        "north": "tower",
        "south-2": "tower",
    }


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "a"], "the alert source a exists already"),
        (["taken"], "the alert source taken exists already"),
        (["../x"], "the alert source '../x' must match"),
        (["x" * 65], "must match"),
    ],
)
def test_a_source_without_a_name_of_its_own_breaks_its_plugin_and_no_other(
    tmp_path: Path, names: list[str], said: str
) -> None:
    (tmp_path / "first.py").write_text(SOURCE)
    (tmp_path / "second.py").write_text(SOURCE)
    host = load({"first": {"names": ["taken"]}, "second": {"names": names}}, folder=tmp_path, points=[])
    assert said in str(problems(host)["second"])
    assert list(host.alert_sources()) == ["taken"]
    assert set(host.plugins) == {"first"}
