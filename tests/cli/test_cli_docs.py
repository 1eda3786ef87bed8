"""The documents say what the program does: every command, every option, every setting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sysop.cli import COMMANDS, main
from sysop.cli.settings_doc import document

DOCS = Path(__file__).parents[2] / "docs"


def sections() -> dict[str, str]:
    """Return the text of docs/cli.md by command, such as `runs show`."""
    parts = re.split(r"^### `sysop ([a-z -]+?)(?: [A-Z\[].*)?`$", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name; a group is one if it does something by itself."""
    if not isinstance(command, click.Group) or command.invoke_without_command or not path:
        yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}".strip())


ALL = dict(commands(main))


def test_every_command_has_a_section_and_no_section_is_left_over() -> None:
    assert sections().keys() == ALL.keys()


@pytest.mark.parametrize("path", ALL, ids=lambda path: path or "sysop")
def test_every_option_of_a_command_is_in_its_section(path: str) -> None:
    text = sections()[path]
    options = [name for o in ALL[path].params if isinstance(o, click.Option) for name in o.opts if name[:2] == "--"]
    assert [name for name in options if f"`{name}`" not in text] == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path or "sysop")
def test_every_command_and_option_explains_itself(path: str) -> None:
    command = ALL[path]
    assert command.help
    assert [o.name for o in command.params if isinstance(o, click.Option) and not o.help] == []


def test_the_lines_of_the_help_fit_their_commands() -> None:
    for name, (module, line) in COMMANDS.items():
        assert ALL.get(name) or any(path.startswith(f"{name} ") for path in ALL), (name, module)
        assert line.endswith(".")


def test_the_page_of_settings_is_current() -> None:
    fix = "run: python -m sysop.cli.settings_doc docs/settings.md"
    assert (DOCS / "settings.md").read_text() == document(), fix
