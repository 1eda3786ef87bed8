"""A disk that refuses: what was not written is said, with the file and what to do, and the next write works."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sysop.errors import StoreUnavailable
from sysop.store import audit, schema
from sysop.store.engine import parse_url, sqlite_file
from sysop.store.store import Store
from sysop.store.writer import Tx

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """Let the kernel refuse every write behind this place in any file, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def append(tx: Tx, text: str = "x") -> None:
    tx.audit("chain", "test.kept", "tester", text=text)


async def test_a_write_the_kernel_refuses_is_not_there_and_the_next_one_works(store: Store) -> None:
    await store.write(append)
    file = sqlite_file(store.url)
    log = file.with_name(f"{file.name}-wal")
    with no_file_grows_beyond(log.stat().st_size + 10_000):
        found = await asyncio.gather(
            store.write(append), store.write(lambda tx: append(tx, "x" * 200_000)), return_exceptions=True
        )
        assert await store.read(audit.count) == 1, "reads go on"
    for refused in found:  # they were committed together, and neither is durable
        assert isinstance(refused, StoreUnavailable), refused
        assert f"the database {file} refused a write (disk I/O error); nothing was written" in str(refused)
        assert f"look at the disk that {file.parent} is on" in str(refused)
    await store.write(append)
    verified = await store.read(audit.verify)
    assert (verified.problem, verified.entries) == (None, 2)


async def test_a_file_that_is_no_database_is_named_for_reads_and_writes(url: str) -> None:
    file = sqlite_file(parse_url(url))
    file.write_bytes(b"not a database " * 1000)
    store = Store.open(url)
    for attempt in (store.read(audit.count), store.write(append)):
        with pytest.raises(StoreUnavailable, match=r"the database .*not a database.*bring back a backup") as said:
            await attempt
        assert str(file) in str(said.value)
    await store.close()
    with pytest.raises(StoreUnavailable, match=r"cannot be read: .*bring back a backup"):
        schema.ensure(parse_url(url))


async def test_a_folder_that_is_not_there_is_named_with_the_user_who_needs_it(url: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "sysop.db"
    store = Store.open(f"sqlite:///{gone}")
    for attempt in (store.read(audit.count), store.write(append)):
        with pytest.raises(StoreUnavailable, match=f"let user {os.getuid()} write {gone} and the folder it is in"):
            await attempt
    await store.close()


async def test_a_new_database_without_room_says_so(url: str, tmp_path: Path) -> None:
    file = tmp_path / "new" / "sysop.db"
    with no_file_grows_beyond(8192), pytest.raises(StoreUnavailable, match=f"{file} cannot be upgraded: .*look at the"):
        schema.upgrade(parse_url(f"sqlite:///{file}"))
    schema.upgrade(parse_url(f"sqlite:///{file}"))
