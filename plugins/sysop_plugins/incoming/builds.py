"""What the sources of builds share: one that fails is an alert, and a later one that succeeds ends it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from sysop.api import Alert

_LONGEST = 200
_SHOWN = 10


def outcome(
    source: str,
    fingerprint: str,
    *,
    failed: bool,
    began: int,
    ended: int,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    url: str = "",
) -> Alert:
    """Return the alert of a build that failed, or the ending that one which succeeded is.

    `began` and `ended` are in milliseconds since the epoch. Builds are put in order by when they began: one that
    succeeds says nothing of those that began after it, however late it was done.
    """
    return Alert(
        source=source,
        fingerprint=fingerprint,
        starts_at=began,
        ends_at=None if failed else max(began, ended),
        labels=labels,
        annotations=annotations,
        url=url,
        ending=not failed,
    )


def identity(*parts: str) -> str:
    """Return what tells a thing from all others of its source: its names, or their digest where they are long."""
    whole = " ".join(parts)
    return whole if len(whole) <= _LONGEST else hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()


def short(commit: str) -> str:
    """Return a commit as people write it."""
    return commit[:_SHOWN]


def repository_of(url: str) -> str:
    """Return the last part of a repository's address, `checkout` of `git@host:shop/checkout.git`; empty without one."""
    try:
        path = urlsplit(url).path or url
    except ValueError:  # such as half an IPv6 address
        path = url
    return path.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
