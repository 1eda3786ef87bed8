"""The supervisor of one build: executes the command in a build folder, at most once ever, and records how it ended.

Started by its path as a script, so it must need nothing but the standard library. It leaves the process
that started it at once, therefore the build goes on when that one is killed. In the folder it finds
`spec.json` and makes

  lock         held as long as the supervisor lives; the kernel frees it, so nobody can mistake a dead one
  started      appears once, complete; whoever makes it appear owns the build
  log          what the command wrote
  result.json  appears once, complete

and it obeys `cancel`, which others make.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_POLL = 0.1
_GRACE = 5.0  # between the polite signal and the final one
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_CANNOT_EXECUTE = 127


def write_once(path: Path, content: dict[str, Any]) -> bool:
    """Make a durable file appear with all its content. Returns False, and changes nothing, if it was there already."""
    ready = _write_aside(path, content)
    try:
        os.link(ready, path)
    except FileExistsError:
        return False
    finally:
        ready.unlink()
    sync_folder(path.parent)
    return True


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace a file durably; readers see the old content or the new, never a part."""
    _write_aside(path, content).replace(path)
    sync_folder(path.parent)


def _write_aside(path: Path, content: dict[str, Any]) -> Path:
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    return aside


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def now() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def supervise(folder: Path, told: int) -> None:
    """Own the build, execute it, record the end. Returns without any effect when somebody else owns it.

    `told` is a descriptor closed as soon as it is known who owns the build.
    """
    if not _locked(folder):  # before `started` appears: a reader must find it held
        return
    owned = write_once(folder / "started", {"pid": os.getpid(), "at": now()})
    os.close(told)
    if owned:
        stop = _Stop(folder)
        write(folder / "result.json", {**_execute(folder, stop), "finished_at": now()})


def _locked(folder: Path) -> bool:
    """Take the lock for the rest of this process's life. False once another supervisor has the build."""
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    while not (folder / "started").exists():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.01)  # whoever holds it is about to start the build, or dies and frees it
    return False


class _Stop:
    """Why the build must end early, if it must: somebody cancelled it, or this process was asked to go."""

    def __init__(self, folder: Path) -> None:
        self._cancel = folder / "cancel"
        self._terminated = False
        signal.signal(signal.SIGTERM, self._on_signal)
        for number in (signal.SIGINT, signal.SIGHUP):  # handled, not ignored: the command would inherit ignoring
            signal.signal(number, lambda *_: None)

    def _on_signal(self, *_: Any) -> None:
        self._terminated = True

    def asked(self) -> dict[str, Any] | None:
        if self._cancel.exists():
            by = json.loads(self._cancel.read_text(encoding="utf-8"))["by"]
            return {"state": "cancelled", "exit_code": None, "reason": f"cancelled by {by}"}
        if self._terminated:
            return {"state": "failed", "exit_code": None, "reason": "stopped: the supervisor was asked to end"}
        return None


def _execute(folder: Path, stop: _Stop) -> dict[str, Any]:
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    parent = os.getpid()
    with (folder / "log").open("ab", buffering=0) as log:
        try:
            process = subprocess.Popen(  # noqa: S603  an argument list of declared pipelines, no shell
                spec["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=spec["directory"],
                env=spec["environment"],
                start_new_session=True,
                preexec_fn=lambda: _die_with(parent),  # safe: this process has one thread
            )
        except OSError as failed:
            return {"state": "failed", "exit_code": _CANNOT_EXECUTE, "reason": f"cannot execute: {failed}"}
        return _follow(process, spec["timeout_seconds"], stop)


def _die_with(parent: int) -> None:
    """Let the kernel end the command if the supervisor is killed: a build nobody watches must not go on unseen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _follow(process: subprocess.Popen[bytes], timeout: float, stop: _Stop) -> dict[str, Any]:
    deadline = time.monotonic() + timeout
    while True:
        ended = stop.asked()
        if ended is None and time.monotonic() > deadline:
            ended = {"state": "failed", "exit_code": None, "reason": f"timed out after {timeout:g} s"}
        if ended is not None:
            _end(process)
            return ended
        try:
            code = process.wait(_POLL)
        except subprocess.TimeoutExpired:
            continue
        reason = "" if code == 0 else f"exit code {code}" if code > 0 else f"killed by signal {-code}"
        return {"state": "failed" if code else "succeeded", "exit_code": code, "reason": reason}


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def main(arguments: list[str]) -> int:
    """Supervise the build in the folder given, in a process of its own. Returns once it is known who owns the build."""
    if len(arguments) != 1:
        sys.stderr.write("usage: local_build.py FOLDER\n")
        return 2
    heard, told = os.pipe()
    if os.fork():
        os.close(told)
        os.read(heard, 1)  # ends when the supervisor closes its end, by death at the latest
        return 0
    os.close(heard)
    os.setsid()
    supervise(Path(arguments[0]), told)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
