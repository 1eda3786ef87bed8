"""What happens when output has nowhere to go: a full disk is said, a reader that went away is not worth a word."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import click

EXIT_READER_GONE = 141
"""What a shell reports of any program that is stopped by a closed pipe."""


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Write to standard output inside of this. Ends the command where it cannot be written."""
    try:
        yield
    except BrokenPipeError:
        mute(sys.stdout)
        raise click.exceptions.Exit(EXIT_READER_GONE) from None
    except OSError as bad:
        mute(sys.stdout)
        raise click.ClickException(reason(bad)) from None


def echo(text: str) -> None:
    """Print a line to standard output."""
    with printing():
        click.echo(text)


def end(bad: OSError) -> NoReturn:
    """End a command that wrote outside of `printing`, such as help, or cannot even say what is wrong."""
    mute(sys.stdout)
    try:
        click.echo(f"Error: {reason(bad)}", err=True)
    except OSError:
        mute(sys.stderr)
    sys.exit(1)


def reason(bad: OSError) -> str:
    """Return what a person is told."""
    return f"standard output cannot be written: {bad.strerror or bad}; make room there, or write somewhere else"


def mute(stream: Any) -> None:
    """Send a stream nowhere: what is left in its buffer would fail once more when the process ends."""
    with contextlib.suppress(OSError):  # no file behind it, as in tests
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
