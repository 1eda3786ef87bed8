"""The command line: thin commands, imported when called, so that `sysop --help` loads nothing of the product."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click
from click.shell_completion import CompletionItem

from sysop import __version__
from sysop.cli import output

# name: (module, what `sysop --help` says). The module has a click command of the same name.
COMMANDS = {
    "demo": ("demo", "Break a small company and repair it under your approval."),
    "drill": ("drill", "Put faults with a known right answer to Sysop, and judge what it does."),
    "dev": ("dev", "Chat with Sysop on a local stand-in for Slack."),
    "serve": ("serve", "Run Sysop: take alerts in, carry runs forward."),
    "ask": ("ask", "Ask a question or for help with a symptom."),
    "run": ("ask", "Carry out one action through the gate."),
    "approve": ("approve", "Approve a change that waits."),
    "deny": ("approve", "Deny a change that waits."),
    "revoke": ("approve", "Take an approval back before it is used."),
    "approvals": ("approve", "List approvals, or show one in full."),
    "cancel": ("runs", "Stop a run."),
    "runs": ("runs", "List runs, show one step by step, settle an unknown effect."),
    "incidents": ("incidents", "List incidents, show one, group alerts by hand, look back."),
    "alerts": ("alerts", "List alerts and the incidents they belong to, or replay recorded ones."),
    "changes": ("changes", "List what was deployed, configured or scaled lately, and by whom."),
    "silences": ("silences", "List silences, set one, or end one."),
    "watches": ("watches", "List watches, and try one on the past."),
    "actions": ("catalogue", "List what Sysop can do."),
    "plugins": ("catalogue", "List plugins and what is wrong with them."),
    "policy": ("policy", "Explain or replay policy decisions."),
    "runbooks": ("runbooks", "List, show, lint, search and follow runbooks."),
    "audit": ("audit", "Show, verify and export the audit log."),
    "doctor": ("doctor", "Check the installation and explain what is missing."),
    "db": ("db", "Create, upgrade and check the database."),
    "pause": ("mode", "Hold every change back, at once."),
    "resume": ("mode", "Let changes go on."),
    "completion": ("completion", "Print the line that switches on shell completion."),
}
PLUGIN_GROUP = "sysop.cli"


class Group(click.Group):
    """Says which command was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise click.UsageError(f"there is no command {name!r}; {meant}", ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """Knows every command's name and one line; imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`, then those of plugins."""
        return [*COMMANDS, *sorted(point.name for point in entry_points(group=PLUGIN_GROUP))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(f"sysop.cli.{COMMANDS[cmd_name][0]}")
            found = getattr(module, cmd_name)
        else:
            found = next((_load(point) for point in entry_points(group=PLUGIN_GROUP) if point.name == cmd_name), None)
        return found if isinstance(found, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return names that begin so, without importing the commands behind them: somebody has just pressed TAB."""
        known = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=COMMANDS[name][1] if name in COMMANDS else None) for name in known]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; what cannot be printed ends it with a message, as far as that can be printed."""
        try:
            return super().main(*args, **kwargs)
        except OSError as bad:
            output.end(bad)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing anything."""
        rows = [(name, COMMANDS[name][1] if name in COMMANDS else "a plugin's") for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as broken:  # a plugin's module may fail in any way; the other commands work on
        raise click.ClickException(f"the command {point.name} of {point.value} cannot be loaded: {broken}") from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", metavar="FILE", help="Settings file; default: SYSOP_CONFIG, else ./sysop.yaml if it exists.")
@click.option("--state", metavar="FOLDER", help="State folder; default: SYSOP_STATE, else the settings', else .sysop.")
@click.option("-v", "--verbose", count=True, help="Log more to stderr; twice for debugging.")
@click.version_option(__version__, prog_name="sysop")
@click.pass_context
def main(ctx: click.Context, config: str | None, state: str | None, verbose: int) -> None:
    """Sysop investigates, asks the right people, acts once, and proves it."""
    ctx.obj = {"config": config, "state": state, "verbose": verbose}
