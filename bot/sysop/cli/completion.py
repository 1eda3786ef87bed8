"""`sysop completion`: what a shell needs to complete commands, options and names of commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from sysop.cli import main
from sysop.cli.output import echo

VARIABLE = "_SYSOP_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), default="bash")
def completion(shell: str) -> None:
    """Print the script that switches on completion in a shell; bash if you name none.

    \b
    bash   eval "$(sysop completion bash)"      in ~/.bashrc
    zsh    eval "$(sysop completion zsh)"       in ~/.zshrc
    fish   sysop completion fish | source       in ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"there is no completion for {shell}")
    echo(found(main, {}, "sysop", VARIABLE).source())
