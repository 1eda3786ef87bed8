"""What commands share: settings, the app, who is asking, how things end."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from sysop import app as composition
from sysop import settings as settings_file
from sysop.app import App
from sysop.errors import SysopError
from sysop.model import Actor
from sysop.settings import Settings

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

EXIT_NOT_RESOLVED = 1
EXIT_WAITING = 3

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
err = Console(stderr=True, highlight=False)


def out() -> Console:
    """Return the console for results; wide when nobody is looking, so that lines are not folded in pipes."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160, soft_wrap=True)


def emit(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False))


def command(function: F) -> F:
    """Make an async function a click callback: errors are one message, never a traceback."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        ctx = click.get_current_context()
        verbose = ctx.find_root().obj["verbose"]
        level = {0: logging.ERROR, 1: logging.INFO}.get(verbose, logging.DEBUG)
        logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
        try:
            code = asyncio.run(function(*args, **kwargs))
        except SysopError as bad:
            raise click.ClickException(str(bad)) from None
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None
        if code:
            raise click.exceptions.Exit(code)

    return run  # type: ignore[return-value]


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
        yield app
    finally:
        await app.close()


def me(app: App) -> Actor:
    """Return who is asking: the operating-system user, as the settings map it. Nothing else can say so."""
    return app.people.by_uid(os.getuid())


async def wait_for(condition: Callable[[], Awaitable[T | None]], every_s: float = 0.1) -> T:
    """Ask again and again until there is an answer."""
    while (answer := await condition()) is None:
        await asyncio.sleep(every_s)
    return answer
