"""Composes what finds pages: the sources of the settings and the plugins, the library, the search, and their upkeep."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sysop.delivery import bearer, either, header, signed
from sysop.errors import LibraryError, SettingsError
from sysop.extension import AlertSource
from sysop.host import Host
from sysop.inventory import Inventory
from sysop.knowledge.duty import Duty
from sysop.knowledge.index import Index
from sysop.knowledge.library.command import access_by_token
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.foreign import Foreign
from sysop.knowledge.library.git import GitSource
from sysop.knowledge.library.library import Library
from sysop.knowledge.lint import errors, lint
from sysop.knowledge.upkeep import Repository, Shelf, Upkeep
from sysop.page_source import PageSource
from sysop.paths import data
from sysop.sections import KnowledgeSettings, SourceSettings
from sysop.settings import Settings, git_environment

if TYPE_CHECKING:
    from sysop.knowledge.retrieval.semantic import Embedder

Resolve = Callable[[str, str], str]
"""Returns what a reference to a secret points at; the second is the setting it stands in."""

DOOR = "runbooks"
"""Where a push to a repository is told: /webhooks/runbooks."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The parts. `sources` are all places with pages, an earlier one before a later one."""

    index: Index
    upkeep: Upkeep
    duty: Duty
    sources: tuple[PageSource, ...]

    @property
    def door(self) -> AlertSource | None:
        """Return what takes the news of a push, None where nothing is pulled."""
        if not self.upkeep.repositories:
            return None

        def pushed(_delivery: object) -> tuple[()]:
            self.duty.pull_soon()
            return ()

        proves = either(bearer, header("X-Gitlab-Token"), signed("X-Hub-Signature-256", prefix="sha256="))
        return AlertSource(DOOR, pushed, proves)


def build(
    settings: Settings, host: Host, inventory: Inventory, resolve: Resolve, *, durable: bool = False
) -> Knowledge:
    """Build all parts; nothing is read or opened yet. Raises SettingsError for a source that cannot be one.

    What is `durable` is not kept in memory where it cannot be written: whoever asks meets LibraryError then.
    """
    place, given = _place(settings.state), settings.knowledge
    repositories: list[Repository] = []
    sources = [*_folders(settings, host), *map(Foreign, host.page_sources())]
    for number, source in enumerate(given.sources):
        key = f"knowledge.sources[{number}]"
        try:
            if source.git is None:
                sources.append(_folder(source))
            else:
                repositories.append(_repository(source, place / "git", resolve, key))
                sources.append(repositories[-1].source)
        except LibraryError as bad:
            raise SettingsError(f"{key}.{bad}") from bad
    upkeep = Upkeep(
        partial(_open if not durable else _opened, tuple(sources), place, given, resolve),
        lambda page: errors(lint(page, host.actions, inventory)),
        repositories,
    )
    return Knowledge(upkeep.index, upkeep, Duty(upkeep, given.refresh_seconds, given.pull_seconds), tuple(sources))


def _place(state: Path) -> Path:
    """Return where what was read is kept: each user's own, since files of an index are for who made them alone."""
    place, mine = state / "knowledge", os.geteuid()
    try:
        return place if place.stat().st_uid == mine else state / f"knowledge-{mine}"
    except OSError:
        return place


def runbook_folders(settings: Settings, host: Host) -> list[Path]:
    """Return every folder of runbooks: the shipped ones, the plugins' and the settings'."""
    shipped = [data("runbooks")] if settings.shipped_runbooks else []
    return [*shipped, *host.runbook_folders(), *settings.runbooks]


def _folders(settings: Settings, host: Host) -> Iterator[PageSource]:
    for folder in runbook_folders(settings, host):
        try:
            yield FolderSource(folder)
        except LibraryError as bad:
            raise SettingsError(f"runbooks: {bad}") from bad


def _folder(source: SourceSettings) -> FolderSource:
    assert source.folder is not None
    return FolderSource(source.folder.expanduser(), source.name, pages_url=source.pages_url)


def _repository(source: SourceSettings, cache: Path, resolve: Resolve, key: str) -> Repository:
    assert source.git is not None
    made = GitSource(
        source.git,
        source.ref,
        cache,
        subfolder=source.subfolder,
        name=source.name,
        pages_url=source.pages_url,
        environment=git_environment(),
    )
    token = source.token

    def access() -> Mapping[str, str]:
        return access_by_token(resolve(token, f"{key}.token")) if token else {}

    return Repository(made, access)


def _open(
    sources: tuple[PageSource, ...], place: Path, given: KnowledgeSettings, resolve: Resolve, files: bool
) -> Shelf:
    """Open library and search: in the state folder where there is one and files may be used, else in memory."""
    if not files:
        return _opened(sources, None, given, resolve)
    try:
        return _opened(sources, place if place.parent.is_dir() else None, given, resolve)
    except LibraryError as bad:
        log.warning("pages are kept in memory only: %s", bad)
        return _opened(sources, None, given, resolve)


def _opened(
    sources: tuple[PageSource, ...],
    folder: Path | None,
    given: KnowledgeSettings,
    resolve: Resolve,
    _files: bool = True,
) -> Shelf:
    from sysop.knowledge.retrieval.store import open_search  # 25 ms, for those who look at pages only

    embedder = _embedder(given, resolve)
    try:
        search, lost = open_search(folder, embedder)
    except (OSError, ValueError, sqlite3.Error) as bad:  # ValueError is what Tantivy raises
        told = f"{folder}: the index cannot be made ({bad}); free disk space, or name another state folder"
        raise LibraryError(told) from bad
    return Shelf(Library(sources, folder, search), search, lost)


def _embedder(given: KnowledgeSettings, resolve: Resolve) -> Embedder | None:
    if given.mode == "lexical":
        return None
    if given.embeddings is None:
        from sysop.knowledge.retrieval.semantic import MiniLm

        return MiniLm.load()
    from sysop.knowledge.retrieval.provider import Provider

    wanted = given.embeddings
    key = resolve(wanted.key, "knowledge.embeddings.key") if wanted.key else None
    return Provider(wanted.base_url, wanted.model, key)
