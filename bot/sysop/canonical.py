"""Canonical JSON (RFC 8785) and the digests built on it."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from sysop.errors import InvalidCall


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value.

    Raises InvalidCall for what has no canonical form: NaN, infinity, integers beyond 2^53,
    lone surrogates, keys that are not strings.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as bad:
        raise InvalidCall(f"the value has no canonical JSON form: {bad}; send large numbers as strings") from bad


def digest(domain: str, payload: Any) -> str:
    """Return the hex SHA-256 of `domain`, a newline and the canonical payload.

    The domain keeps a digest made for one purpose from being accepted for another.
    """
    return hashlib.sha256(domain.encode() + b"\n" + canonical(payload)).hexdigest()
