"""Runs `git` so that it asks nobody, runs nothing of what it fetches, and says what failed without secrets."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sysop.errors import LibraryError

_PROTOCOLS: Final = "https:ssh:file"
_TOLD: Final = 300
_SECRET: Final = re.compile(r"(?<=://)[^/@\s]*+@")

# A repository can bring neither hooks nor submodules nor a background process of its own to life with these.
_CONFIG: Final = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "credential.interactive": "false",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.ssh.allow": "always",
    "protocol.file.allow": "always",
}


@dataclass(frozen=True)
class Git:
    """The `git` program at work in one bare repository.

    It sees PATH, HOME and `environment` and nothing else of what Sysop was started with.
    """

    repository: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    _running: set[Process] = field(default_factory=set, repr=False, compare=False)

    def run(self, *args: str, timeout: float, what: str, access: Mapping[str, str] | None = None) -> bytes:
        """Return what a command prints. Raises LibraryError, in the words of `what`, if it fails or takes too long.

        It alone sees `access`.
        """
        process = self.start(*args, stderr=subprocess.PIPE, access=access)
        self._running.add(process)
        try:
            out, told = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise LibraryError(f"{what}: no answer within {timeout:g} s; check the network and the server") from None
        finally:
            self._running.discard(process)
            end(process)
        if process.returncode:
            raise LibraryError(f"{what}: {said(told)}")
        return out

    def stop(self) -> None:
        """Kill what `run` waits for in another thread."""
        for process in tuple(self._running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def start(
        self,
        *args: str,
        stdin: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        access: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a command in a process group of its own; whoever calls this calls `end`."""
        config = [part for key, value in _CONFIG.items() for part in ("-c", f"{key}={value}")]
        try:
            return subprocess.Popen(  # noqa: S603  an argument list, no shell; addresses and refs are checked
                ["git", *config, f"--git-dir={self.repository}", *args],  # noqa: S607  the operator's git, by PATH
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**self._environment(), **(access or {})},
                start_new_session=True,
            )
        except OSError as bad:
            raise LibraryError(
                f"git cannot be run ({bad.strerror}); install it to read pages from repositories"
            ) from None

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join(os.get_exec_path()),
            "HOME": str(Path.home()),
            "LANG": "C.UTF-8",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
            **self.environment,
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }


def access_by_token(token: str) -> dict[str, str]:
    """Return the environment in which `git` shows a token to an https server, and to no other it is sent on to.

    It is in no argument, where other users of the machine could read it. Any name goes with a token.
    """
    shown = base64.b64encode(f"oauth2:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {shown}",
        "GIT_CONFIG_KEY_1": "http.followRedirects",
        "GIT_CONFIG_VALUE_1": "false",
    }


Process = subprocess.Popen[bytes]


def end(process: Process) -> None:
    """End a process and whatever it started, and close its pipes."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def without_secret(url: str) -> str:
    """Return an address without user and password."""
    return _SECRET.sub("", url)


def said(told: bytes) -> str:
    """Return the last thing a command complained about, in one short line without secrets."""
    lines = [line.strip() for line in told.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines or ["it failed without a word"]
    line = without_secret("".join(char if char.isprintable() else " " for char in telling[0]))
    return line if len(line) <= _TOLD else line[: _TOLD - 1] + "…"
