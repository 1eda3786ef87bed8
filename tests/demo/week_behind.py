"""A Python whose clock is a week behind, for a demo and every process that it starts.

The interpreter itself has to know, since a build sees nothing of the environment: in what `python_behind` makes, this
file is `sitecustomize`, which Python reads when it starts; and the interpreter that a process finds for its children is
a script that has this file run whatever is started without that.
"""

import datetime
import runpy
import shutil
import sys
import sysconfig
import time
import venv
from pathlib import Path

WEEK_S = 7 * 24 * 3600
WRAPPER = """#!/bin/sh
if [ "$1 $2" = "-I -S" ]; then
  shift 2
  exec {python} -I -S {shim} "$@"
fi
exec {python} "$@"
"""

_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime


class _Behind(_datetime):
    """The type of points in time, with another idea of now."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Behind":
        return cls.fromtimestamp(time.time(), tz)


def python_behind(folder: Path) -> Path:
    """Make an environment with everything that is installed in this one, and return its interpreter."""
    venv.create(folder, symlinks=True, with_pip=False)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    shim = packages / "sitecustomize.py"
    shutil.copy(__file__, shim)
    python = folder / "bin" / "python"
    children = folder / "bin" / "python-of-children"
    children.write_text(WRAPPER.format(python=python, shim=shim))
    children.chmod(0o755)
    return python


def _turn_back() -> None:
    time.time = lambda: _time() - WEEK_S
    time.time_ns = lambda: _time_ns() - WEEK_S * 10**9
    datetime.datetime = _Behind  # type: ignore[misc]


if __name__ == "sitecustomize":
    _turn_back()
    sys.executable = f"{sys.executable}-of-children"
elif __name__ == "__main__":
    _turn_back()
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
