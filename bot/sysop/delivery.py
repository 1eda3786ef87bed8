"""A webhook call, and how its sender proves to know the token of its source. All comparing takes constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call. `headers` have lower-case names; `json` is None until the sender is proven genuine."""

    headers: Mapping[str, str]
    body: bytes
    json: Any = None


Proof = Callable[[Delivery, str], bool]
"""Tells whether a delivery comes from somebody who knows the token. It must not trust anything else in it."""


def bearer(delivery: Delivery, token: str) -> bool:
    """Tell whether the token is in `Authorization: Bearer TOKEN`."""
    given = _credentials(delivery, "bearer")
    return given is not None and _same(given, token)


def basic(delivery: Delivery, token: str) -> bool:
    """Tell whether the token is the password of `Authorization: Basic …`; the user may be called anything."""
    given = _credentials(delivery, "basic")
    try:
        plain = base64.b64decode(given or "", validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(plain.partition(b":")[2], token.encode())


def header(name: str) -> Proof:
    """Return a proof by a header that holds the token, such as `X-Gitlab-Token`."""

    def proves(delivery: Delivery, token: str) -> bool:
        return _same(delivery.headers.get(name.lower(), ""), token)

    return proves


def signed(name: str, *, prefix: str = "", digest: str = "sha256") -> Proof:
    """Return a proof by a header that holds the HMAC of the body in hex, with the token as the key.

    Several signatures may stand in it, separated by commas, while a sender changes its key: one must fit.
    """

    def proves(delivery: Delivery, token: str) -> bool:
        expected = prefix + hmac.new(token.encode(), delivery.body, digest).hexdigest()
        given = delivery.headers.get(name.lower(), "").split(",")
        fits = [_same(one.strip(), expected) for one in given]
        return any(fits)

    return proves


def either(*proofs: Proof) -> Proof:
    """Return a proof that is satisfied by any of some; all of them are tried."""

    def proves(delivery: Delivery, token: str) -> bool:
        fits = [proof(delivery, token) for proof in proofs]
        return any(fits)

    return proves


def _credentials(delivery: Delivery, scheme: str) -> str | None:
    found, _, credentials = delivery.headers.get("authorization", "").partition(" ")
    return credentials if found.lower() == scheme else None


def _same(given: str, expected: str) -> bool:
    """Compare what came over the wire: header values are bytes, shown as Latin-1."""
    return hmac.compare_digest(given.encode("latin-1", "backslashreplace"), expected.encode())
