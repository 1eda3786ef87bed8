"""Files that commands write: whole or not there at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click


def same(one: Path, other: Path) -> bool:
    """Tell whether two names lead to one ordinary file, also where it does not exist yet."""
    if one.resolve() == other.resolve():
        return not one.exists() or one.is_file()
    return one.is_file() and other.is_file() and one.samefile(other)


@contextlib.contextmanager
def whole(file: Path) -> Iterator[TextIO]:
    """Write beside a file and rename at the end, so that what was broken off never looks complete.

    What is no file, such as a pipe, is written into: putting a file in its place would do harm. Raises ClickException
    where it cannot be written.
    """
    ordinary = not file.exists() or file.is_file()
    place = file.resolve()
    part = place.with_name(f"{place.name}.part") if ordinary else file
    done = False
    try:
        with part.open("w", encoding="utf-8") as target:
            yield target
            target.flush()
            if ordinary:
                os.fsync(target.fileno())
        if ordinary:
            part.replace(place)
        done = True
    except OSError as bad:
        told = f"{file} cannot be written: {bad.strerror}; name a place where there is room and that is yours to write"
        raise click.ClickException(told) from None
    finally:
        if ordinary and not done:
            with contextlib.suppress(OSError):
                part.unlink()
