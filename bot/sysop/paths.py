"""Where shipped data lies, and how folders and files of our own are made: for nobody else's eyes."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data(name: str) -> Path:
    """Return a shipped folder such as `runbooks`: beside the package in a wheel, at the root of a checkout."""
    shipped = _PACKAGE / "_data" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent.parent / name


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. One that exists stays as it is.

    Inside a folder that its group may write in, the group may do so in these, too.
    """
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        mode = 0o2770 if _shared(missing.parent) else 0o700
        with contextlib.suppress(FileExistsError):
            missing.mkdir(mode=mode)
            missing.chmod(mode)  # the umask has taken the group's rights away


def _shared(folder: Path) -> bool:
    """Tell whether a folder's group may write in it, and not everybody."""
    return stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0o020


def private_file(file: Path) -> None:
    """Make an empty file for this user alone. One that exists stays as it is.

    Whoever made a folder that its group may write in lets the group share what lies there, whatever the umask; a folder
    that everybody may write in, such as /tmp, says nothing of that kind.
    """
    mode = 0o660 if _shared(file.parent) else 0o600
    with contextlib.suppress(FileExistsError):
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            os.fchmod(made, mode)
        finally:
            os.close(made)
