"""What commands share: settings, the app, who is asking, how things end."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import os
import pwd
import shlex
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from sysop import app as composition
from sysop import settings as settings_file
from sysop.app import App
from sysop.cli.output import echo, printing
from sysop.cli.show import visible
from sysop.errors import SysopError
from sysop.gate.people import People
from sysop.model import Actor
from sysop.redact import RedactingFormatter
from sysop.settings import Settings
from sysop.store.engine import sqlite_file

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

EXIT_NOT_RESOLVED = 1
EXIT_WAITING = 3

_EXTRAS = {"psycopg": "postgres", "pydantic_ai": "llm", "openai": "llm"}

log = logging.getLogger(__name__)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


class Results(Console):
    """Standard output. A command ends where it cannot be written: nobody would know how it went."""

    def __exit__(self, *about: Any) -> None:
        """Write what was printed."""
        with printing():
            super().__exit__(*about)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `printing`."""
        raise BrokenPipeError


class Remarks(Console):
    """Standard error. The work goes on where it cannot be written: these are words on the way, no results."""

    def __exit__(self, *about: Any) -> None:
        """Write what was printed, if anybody takes it."""
        with suppress(OSError):
            super().__exit__(*about)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `__exit__`."""
        raise BrokenPipeError


err = Remarks(stderr=True, highlight=False, soft_wrap=True)


def out() -> Console:
    """Return the console for results; wide where nobody is looking, so that tables are folded little in pipes."""
    watched = sys.stdout is not None and sys.stdout.isatty()
    return Results(highlight=False, width=None if watched else 160)


def emit(value: Any) -> None:
    """Print a value as JSON."""
    echo(json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False))


def command(function: F) -> F:
    """Make a function a click callback: errors are one message, never a traceback.

    What never waits for anything, such as a long computation, is a plain function: an event loop would hold Ctrl-C
    back until it is over.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        _log_to_stderr(click.get_current_context().find_root().obj["verbose"])
        try:
            made = function(*args, **kwargs)
            code = asyncio.run(made) if inspect.iscoroutine(made) else made
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None
        except Exception as bad:  # the outermost handler: whatever it is, a person reads one message
            log.debug("the command failed", exc_info=True)
            raise click.ClickException(visible(message(bad))) from None
        if code:
            raise click.exceptions.Exit(code)

    return run  # type: ignore[return-value]


def _log_to_stderr(verbose: int) -> None:
    level = {0: logging.ERROR, 1: logging.INFO}.get(verbose, logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def message(bad: Exception) -> str:
    """Return what an error says to the person at the terminal."""
    if isinstance(bad, SysopError):
        return str(bad)
    if isinstance(bad, DBAPIError):
        return f"the database cannot be used ({bad.orig})"
    if isinstance(bad, sqlite3.Error):
        return f"the database cannot be used ({bad})"
    if isinstance(bad, OSError) and bad.filename:
        return f"{bad.filename}: {bad.strerror}; check the path and who may use it (you are user {os.getuid()})"
    if isinstance(bad, ModuleNotFoundError) and bad.name in _EXTRAS:
        return f"{bad.name} is not installed; add it, in the checkout: pip install -e '.[{_EXTRAS[bad.name]}]'"
    return f"internal error: {type(bad).__name__}: {bad}; the same command with -vv shows where"


def load_settings() -> Settings:
    """Return the settings of this invocation."""
    given = click.get_current_context().find_root().obj
    file, named = settings_file.config_file(given["config"])
    return settings_file.load(file, named=named, state=Path(given["state"]) if given["state"] else None)


def reload_people() -> Any:
    """Return the people as the settings file has them now."""
    return load_settings().people


@asynccontextmanager
async def opened(*, check: bool = True) -> AsyncIterator[App]:
    """Build the app for one command. `check` refuses a schema that is not ours."""
    settings = load_settings()
    context = click.get_current_context()

    def people() -> Any:
        with context.scope(cleanup=False):
            return reload_people()

    app = composition.build(settings, people=people)
    try:
        if check:
            await app.store.check()
            await app.people.refresh()
        yield app
    finally:
        await app.close()


async def listed(app: App, query: Callable[[Connection], Sequence[T]]) -> Sequence[T]:
    """Return rows; none where there is no database yet, which a read never makes. Open the app with `check=False`."""
    if app.store.embedded and not sqlite_file(app.store.url).exists():
        err.print(f"there is no database at {app.store.place} yet", style="dim", markup=False)
        return []
    await app.store.check()
    return await app.store.read(query)


def me(app: App) -> Actor:
    """Return who is asking: the operating-system user, as the settings map it. Nothing else can say so."""
    return app.people.by_uid(os.getuid())


def me_of(settings: Settings) -> Actor:
    """Return who is asking, where there is no app."""
    return People(lambda: settings.people).by_uid(os.getuid())


def lines_to_add(roles: Iterable[str] = ("approver",)) -> str:
    """Return what to put into sysop.yaml so that this operating-system user is a person with these roles."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "NAME"
    return f"people:\n  {name}:\n    uid: {uid}\n    roles: [{', '.join(roles)}]"


def again(*words: str) -> str:
    """Return a command line for somebody to copy: with the settings and the state folder of this invocation."""
    given = click.get_current_context().find_root().obj
    options = [
        part
        for name in ("config", "state")
        if given[name]
        for part in (f"--{name}", str(Path(given[name]).expanduser().absolute()))
    ]
    return shlex.join(["sysop", *options, *words])


def pairs(words: Iterable[str]) -> dict[str, Any]:
    """Return arguments written as `key=text` or `key:=JSON`."""
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        name = key.removesuffix(":")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{word!r} is neither key=text nor key:=JSON")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice")
        found[name] = value if name == key else from_json(value, name)
    return found


def from_json(text: str, what: str) -> Any:
    """Return a JSON value a person typed."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as bad:
        raise click.BadParameter(f"{what}: {text!r} is not JSON ({bad})") from None
