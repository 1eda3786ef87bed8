"""Commands that plugins bring: what is wrong with one is told of its plugin, and hurts nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from bench import Point
from sysop import host
from sysop.api import Action, Context, Risk, SlashCommand, action, hookimpl


@action(risk=Risk.READ)
async def look(ctx: Context) -> str:
    """Look."""
    return "seen"


def nothing(_text: str) -> Mapping[str, Any]:
    return {}


def plugin(*commands: SlashCommand) -> Any:
    class Plugin:
        @hookimpl
        def register_actions(self) -> Iterable[Action]:
            return [look]

        @hookimpl
        def register_slash_commands(self) -> Iterable[SlashCommand]:
            return commands

    return Plugin()


def command(name: str = "look", to: str = "look") -> SlashCommand:
    return SlashCommand(name, "look at it", f"/sysop {name}", to, nothing)


def loaded(**plugins: Any) -> host.Host:
    points: Any = [Point(name, module) for name, module in plugins.items()]
    return host.load({}, points=points)


def test_a_command_names_an_action_of_its_own_plugin() -> None:
    found = loaded(eyes=plugin(command())).commands
    assert found["look"].action == "eyes.look"


@pytest.mark.parametrize(
    ("commands", "problem"),
    [
        ([command("Look")], "the command 'Look' must match"),
        ([command("status")], "not be one of ours"),
        ([command("cost")], "not be one of ours"),
        ([command(to="lock")], "the command look names the action 'lock'; did you mean 'eyes.look'?"),
        ([command(), command()], "the command look exists already"),
    ],
)
def test_a_command_that_cannot_be_breaks_its_plugin_alone(commands: list[SlashCommand], problem: str) -> None:
    found = loaded(eyes=plugin(*commands), other=plugin(command("other")))
    report = {line.name: line.problem for line in found.report}
    assert problem in str(report["eyes"])
    assert report["other"] is None
    assert set(found.commands) == {"other"}


def test_two_plugins_cannot_have_the_same_command() -> None:
    found = loaded(a=plugin(command()), b=plugin(command()))
    assert {line.name: line.problem for line in found.report} == {"a": None, "b": "the command look exists already"}
    assert found.commands["look"].action == "a.look"
