"""Names of things: the same seed gives the same ids, secrets never come from it."""

from __future__ import annotations

import random
import secrets
import string
import uuid

_LETTERS = string.ascii_uppercase + string.digits


class Ids:
    """Makes ids in the shapes that Slack's have."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 (ids, no secrets)
        self._last_ts = 0

    def make(self, prefix: str) -> str:
        """Return an id such as `U0ABCDEFGHI`."""
        return prefix + "0" + "".join(self._random.choices(_LETTERS, k=9))

    def ts(self, now: float) -> str:
        """Return a message's ts: the time with six digits, always later than the one before."""
        self._last_ts = max(int(now * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def trigger(self) -> str:
        """Return a trigger id such as `1.2.hex`."""
        return f"{self.number()}.{self.number()}.{self.hex()}"

    def number(self) -> int:
        """Return a number of twelve digits."""
        return self._random.randrange(10**11, 10**12)

    def hex(self) -> str:
        """Return 32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def uuid(self) -> str:
        """Return a UUID, as envelopes and client messages carry."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    @staticmethod
    def secret(prefix: str = "") -> str:
        """Return something nobody can guess, different on every start."""
        return prefix + secrets.token_urlsafe(24)
