"""Pages in a Git repository, read from a bare mirror: nothing is ever checked out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from unicodedata import normalize

from sysop.errors import LibraryError
from sysop.knowledge.library.blobs import Blobs
from sysop.knowledge.library.command import Git, without_secret
from sysop.knowledge.library.lock import locked
from sysop.knowledge.library.source import (
    MAX_DEPTH,
    MAX_PAGES,
    address,
    is_page,
    shown,
    too_large,
    without_suffix,
    wrong_name,
)
from sysop.page_source import BrokenPage, PageEntry
from sysop.paths import private_folder

_FETCH_S: Final = 600.0
_LOOK_S: Final = 60.0
_PATIENCE_S: Final = 60.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9._/@+#-]{0,199}")
_SCHEME: Final = re.compile(r"(?:https|ssh|file)://[^\s-]\S*")
_SHORT_SSH: Final = re.compile(r"[A-Za-z0-9_.][\w.-]*@[A-Za-z0-9_.][\w.-]*:[^:\s-][^:\s]*")
_LINK, _MODULE = "120000", "160000"


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file of a commit. `path` is where it is below the subfolder, as it can be shown."""

    mode: str
    blob: str
    size: int
    path: str


class GitSource:
    """The pages of one branch, tag or full commit of a repository.

    `pull` fetches, `scan` reads what was fetched, so that search works while the server is away. `cache` is the folder
    of the mirrors. `url` must be https, ssh, file or a path; `pages_url` is where people read the pages, see `address`.
    Git sees `environment` beside PATH and HOME: what finds an agent or a proxy goes there. `timeout` is for one fetch,
    in seconds.
    """

    def __init__(
        self,
        url: str,
        ref: str,
        cache: Path,
        *,
        subfolder: str = "",
        name: str | None = None,
        pages_url: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = _FETCH_S,
    ) -> None:
        _check_url(url)
        _check_ref(ref)
        _check_subfolder(subfolder)
        self._url, self._ref, self._subfolder = url, ref, subfolder
        self._pages_url = pages_url
        self._timeout = timeout
        self.name = normalize("NFC", name or _named(url))
        if wrong := wrong_name(self.name):
            raise LibraryError(f"name: {shown(self.name)!r} cannot begin a citation: {wrong}")
        self.key = f"git:{without_secret(url)}#{ref}:{subfolder}"
        self._cache = cache
        self._mirror = cache / f"{_hash(without_secret(url))}.git"
        self._pinned = f"refs/sysop/{_hash(ref)}"
        self._last = cache / f"{_hash(self.key)}.pulled"
        self._shown = f"{without_secret(url)} ({ref})"
        self._git = Git(self._mirror.absolute(), environment or {})
        self._blobs = Blobs(self._git)

    @property
    def revision(self) -> str:
        """Return the commit whose pages are read, empty before the first pull."""
        if not self._mirror.is_dir():
            return ""
        return self._commit(self._pinned)

    @property
    def pulled_at(self) -> float | None:
        """Return when a process last pulled it well, in seconds since the epoch, None before the first time."""
        try:
            return self._last.stat().st_mtime
        except OSError:
            return None

    def pull(self, *, rewritten: bool = False, access: Mapping[str, str] | None = None) -> bool:
        """Fetch the ref and tell whether its pages may have changed. Raises LibraryError; the old pages stay then.

        What no longer holds the commit that was read is refused unless `rewritten` says that this is meant. Blocks for
        as long as the server takes, ten minutes at most, or until `stop`. `access` is added to the environment of the
        fetch: `access_by_token`.
        """
        private_folder(self._cache)
        with locked(self._mirror.with_suffix(".lock"), _PATIENCE_S) as ours:
            if not ours:
                raise LibraryError(f"{self._shown}: another process is pulling it; try again when that is done")
            self._make_mirror()
            changed = self._fetch(rewritten, access or {})
            self._last.touch()
            return changed

    def stop(self) -> None:
        """End a pull that is under way in another thread: it raises LibraryError."""
        self._git.stop()

    def scan(self) -> Iterator[PageEntry | BrokenPage]:
        """Yield the pages of the commit at hand. Raises LibraryError before the first pull."""
        revision = self.revision
        if not revision:
            raise LibraryError(f"{self._shown}: it has not been pulled yet; run `sysop runbooks index`")
        count = 0
        for file in self._files(revision):
            found = self._entry(file)
            if isinstance(found, PageEntry):
                count += 1
            if count > MAX_PAGES:
                yield BrokenPage(self.name, f"more than {MAX_PAGES} pages; the rest is left out: name a subfolder")
                return
            if found:
                yield found

    def close(self) -> None:
        """End the process that reads pages."""
        self._blobs.close()

    def _make_mirror(self) -> None:
        if not (self._mirror / "HEAD").is_file():
            self._git.run("init", "--bare", "--quiet", "--template=", timeout=_LOOK_S, what=f"{self._mirror}")

    def _fetch(self, rewritten: bool, access: Mapping[str, str]) -> bool:
        git, before = self._git, self._commit(self._pinned)
        if before and before == self._ref:
            return False
        fresh = f"{self._pinned}-fetched"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--force")
        git.run(
            *("fetch", *options, "--end-of-options", self._url, f"{self._ref}:{fresh}"),
            timeout=self._timeout,
            what=f"{self._shown} cannot be fetched",
            access=access,
        )
        after = self._commit(fresh)
        if not after:
            raise LibraryError(f"{self._shown}: it names no commit; name a branch, a tag or a full commit id")
        if before and not rewritten and not self._holds(after, before):
            raise LibraryError(
                f"{self._shown}: it no longer holds {before[:12]}, which was read last, and is at {after[:12]}; "
                "its pages stay as they were until somebody confirms that history was rewritten"
            )
        git.run("update-ref", self._pinned, after, timeout=_LOOK_S, what=self._shown)
        return after != before

    def _commit(self, ref: str) -> str:
        """Return the commit a ref of the mirror leads to, empty if there is none."""
        told = self._git.run(
            *("for-each-ref", "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname)", ref),
            timeout=_LOOK_S,
            what=self._shown,
        )
        words = told.decode().split()
        return next((id for kind, id in zip(words[::2], words[1::2], strict=True) if kind == "commit"), "")

    def _holds(self, commit: str, older: str) -> bool:
        base = self._git.run(
            *("rev-list", "--max-count=1", "--ignore-missing", older, f"^{commit}", "--"),
            timeout=_LOOK_S,
            what=self._shown,
        )
        return not base.strip()

    def _files(self, revision: str) -> Iterator[_Blob]:
        tree = f"{revision}:{self._subfolder}" if self._subfolder else revision
        what = f"{self._shown}: subfolder {self._subfolder!r}" if self._subfolder else self._shown
        listed = self._git.run("ls-tree", "-r", "-z", "-l", "--full-tree", tree, timeout=_LOOK_S, what=what)
        for line in sorted(listed.split(b"\0")[:-1], key=lambda entry: entry.partition(b"\t")[2]):
            facts, _, name = line.partition(b"\t")
            mode, _, blob, size = facts.decode().split()
            path = normalize("NFC", name.decode("utf-8", "surrogateescape"))
            yield _Blob(mode, blob, int(size) if size.isdigit() else 0, path)

    def _entry(self, file: _Blob) -> PageEntry | BrokenPage | None:
        parts = file.path.split("/")
        hidden = any(part.startswith(".") and part != ".." for part in parts)
        if file.mode == _MODULE or hidden or not is_page(parts[-1]):
            return None
        path = f"{self.name}/{'/'.join(map(shown, parts))}"
        if reason := _wrong(file):
            return BrokenPage(path, reason)
        read = partial(self._blobs.read, file.blob)
        url = address(self._pages_url, file.path)
        return PageEntry(without_suffix(file.path), path, file.blob, read, url)


def _named(url: str) -> str:
    return re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git") or "pages"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _wrong(file: _Blob) -> str:
    parts = file.path.split("/")
    if len(parts) > MAX_DEPTH + 1:
        return f"deeper than {MAX_DEPTH} folders; move it up"
    if file.mode == _LINK:
        return "a link, which is not followed in a repository; put the file itself there"
    return next(filter(None, map(wrong_name, parts)), "") or too_large(file.size)


def _check_url(url: str) -> None:
    good = url.isprintable() and (_SCHEME.fullmatch(url) or (url.startswith("/") and "::" not in url))
    if not good and not _SHORT_SSH.fullmatch(url):
        raise LibraryError(
            f"url: {shown(without_secret(url))!r} is no address of a repository; "
            "write https://…, ssh://…, file://…, user@host:path or an absolute path"
        )


def _check_ref(ref: str) -> None:
    if not _REF.fullmatch(ref):
        raise LibraryError(
            f"ref: {shown(ref)!r} is no branch, tag or full commit id; write it as `git branch` shows it"
        )


def _check_subfolder(subfolder: str) -> None:
    if subfolder and any(wrong_name(part) for part in subfolder.split("/")):
        raise LibraryError(f"subfolder: {shown(subfolder)!r} is no folder below the root; write it as docs/runbooks")
