"""How a build gets a supervisor of its own, and what its command gets to see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sysop.api import ActionFailed
from sysop_plugins.cicd import local_build
from sysop_plugins.cicd.local.records import Record, read

_SPAWN_WAIT = 20.0


def command_path() -> str:
    """Return where commands are looked for."""
    return os.pathsep.join(os.get_exec_path())


def environment(build: str, pipeline: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return all a command gets to see of the environment: what Sysop itself was started with stays with Sysop."""
    return {
        "PATH": command_path(),
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "SYSOP_BUILD_ID": build,
        "SYSOP_BUILD_PIPELINE": pipeline,
        **{f"SYSOP_BUILD_{name.upper()}": value for name, value in parameters.items()},
    }


def spawn(folder: Path) -> Record:
    """Let a supervisor of its own take the build. However this ends, it is known whether the build is executed."""
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603  our own script
            [sys.executable, "-I", "-S", local_build.__file__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": command_path(), "LANG": "C.UTF-8"},
            start_new_session=True,
            timeout=_SPAWN_WAIT,
            check=False,
        )
    if abandon(folder, "its supervisor did not start"):
        raise ActionFailed(f"{folder.name}: the supervisor did not start; nothing was executed")
    return read(folder)


def abandon(folder: Path, reason: str) -> bool:
    """Make sure that a build is never executed. False when it was started already."""
    return local_build.write_once(folder / "started", {"at": local_build.now(), "abandoned": reason})
