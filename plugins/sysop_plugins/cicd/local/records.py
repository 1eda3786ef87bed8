"""A build folder, read: what was asked for, whether it was started, how it ended."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sysop.api import ActionFailed, InvalidCall
from sysop_plugins.cicd.local_build import sync_folder, write_once
from sysop_plugins.cicd.provider import Build, BuildState, Deploy, Rollout

_ID = re.compile(r"build-[0-9a-f]{16}")
_LOST = "lost: its supervisor was killed before the build ended; the log shows how far it came"


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spec(_Stored):
    """What was asked for. Written whole before the folder has its name, and never again."""

    key: str
    pipeline: str
    parameters: dict[str, str]
    command: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    timeout_seconds: float
    deploys: bool
    previous: str | None
    change: str
    requested_by: str
    created_at: int


class _Started(_Stored):
    """Who owns the build. With `abandoned` nobody ever will: the text says why it is never executed."""

    at: int
    pid: int | None = None
    abandoned: str | None = None


class _Result(_Stored):
    state: Literal["succeeded", "failed", "cancelled"]
    exit_code: int | None
    reason: str
    finished_at: int


_T = TypeVar("_T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Record:
    """One folder at one moment."""

    folder: Path
    spec: Spec
    build: Build

    @property
    def deploys(self) -> bool:
        """Tell whether the build brings a version live."""
        return self.spec.deploys

    @property
    def service(self) -> str:
        """Return the service of a build that deploys."""
        return self.spec.parameters["service"]

    def deploy(self) -> Deploy:
        """Return the record of a build that deploys."""
        return Deploy(
            service=self.service,
            version=self.spec.parameters["version"],
            previous=self.spec.previous,
            at=self.build.finished_at or self.build.created_at,
            build=self.build.id,
            state=self.build.state,
            by=self.spec.requested_by,
            change=self.spec.change,
        )

    def rollout(self) -> Rollout:
        """Return the handle on a build that deploys."""
        return Rollout(
            service=self.service,
            version=self.spec.parameters["version"],
            previous=self.spec.previous,
            change=self.spec.change,
            build=self.build,
        )


def build_id(key: str) -> str:
    """Return the one id that this idempotency key will ever have."""
    return "build-" + hashlib.sha256(key.encode()).hexdigest()[:16]


def folder_of(root: Path, build: str) -> Path:
    """Return where a build is kept. Raises InvalidCall for what is no build's id."""
    folder = root / build if _ID.fullmatch(build) else None
    if folder is None or not folder.is_dir():
        raise InvalidCall(f"build: there is no build {build!r}")
    return folder


def folders(root: Path) -> Iterator[Path]:
    """Yield every build's folder, in no order."""
    if root.is_dir():
        yield from (f for f in root.iterdir() if _ID.fullmatch(f.name))


def make_root(root: Path) -> None:
    """Make the folder of builds as the folder around it is: for this user alone, or for a group that shares it."""
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = 0o2770 if _is_shared(root.parent) else 0o700
        with suppress(FileExistsError):
            root.mkdir(mode=mode)
            root.chmod(mode)  # the umask has taken the group's rights away


def make_lock(path: Path) -> None:
    """Make an empty file to lock, once, for whoever may write in its folder."""
    mode = 0o660 if _is_shared(path.parent) else 0o600
    with suppress(FileExistsError):
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)
        os.fchmod(made, mode)
        os.close(made)


def _is_shared(folder: Path) -> bool:
    return stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0o020


def create(root: Path, spec: Spec) -> bool:
    """Make the build's folder appear with its spec inside. False when somebody was first; then nothing changed."""
    aside = root / f".new-{os.urandom(8).hex()}"
    (aside / "work").mkdir(parents=True, mode=0o700)
    write_once(aside / "spec.json", spec.model_dump(mode="json"))
    try:
        aside.rename(root / build_id(spec.key))
    except OSError:
        if not (root / build_id(spec.key)).is_dir():
            raise
        (aside / "spec.json").unlink()
        (aside / "work").rmdir()
        aside.rmdir()
        return False
    sync_folder(root)
    return True


def read(folder: Path) -> Record:
    """Read a folder. Raises ActionFailed where it was tampered with."""
    spec = _load(folder / "spec.json", Spec)
    if spec is None:
        raise ActionFailed(f"{folder}: spec.json is missing; the build's record was tampered with")
    state, started, result, reason = _state(folder)
    return Record(
        folder,
        spec,
        Build(
            id=folder.name,
            pipeline=spec.pipeline,
            state=state,
            parameters=spec.parameters,
            created_at=spec.created_at,
            started_at=started.at if started and started.abandoned is None else None,
            finished_at=result.finished_at if result else None,
            exit_code=result.exit_code if result else None,
            reason=reason,
            url=(folder / "log").as_uri(),
            requested_by=spec.requested_by,
        ),
    )


def _state(folder: Path) -> tuple[BuildState, _Started | None, _Result | None, str]:
    started = _load(folder / "started", _Started)
    if started is None:
        return "queued", None, None, ""
    if started.abandoned is not None:
        return "cancelled", started, None, f"never executed: {started.abandoned}"
    result = _load(folder / "result.json", _Result)
    supervised = result is None and _supervised(folder)
    if result is None and not supervised:
        result = _load(folder / "result.json", _Result)  # it may have ended in between
    if result is not None:
        return result.state, started, result, result.reason
    return ("running", started, None, "") if supervised else ("failed", started, None, _LOST)


def _supervised(folder: Path) -> bool:
    """Tell whether the supervisor lives. Only asked once `started` is there, so the probe disturbs nobody."""
    with _opened(folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _load(path: Path, model: type[_T]) -> _T | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as bad:
        raise ActionFailed(f"{path}: cannot be read; the build's record was tampered with: {bad}") from bad
