"""Likeness of meaning from a provider: any endpoint that speaks OpenAI's embeddings."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2

from sysop.errors import SettingsError
from sysop.knowledge.retrieval.semantic import MeaningAway

if TYPE_CHECKING:
    from sysop.knowledge.retrieval.semantic import Vectors

BATCH: Final = 64
"""How many texts are sent at once."""
TRIES: Final = 4
MAX_WAIT_S: Final = 30.0
"""A server that asks for more patience than this counts as away: what waits is tried again later."""
MAX_BYTES: Final = 32 * 2**20
REST_S: Final = 30.0
"""So long nobody's question waits for a server again that left one unanswered."""
_AGAIN: Final = frozenset({408, 409, 425, 429})
_HELP: Final = {
    401: "it refuses the key",
    403: "it refuses the key",
    404: "it knows no such model or address; base_url ends in /v1",
    429: "it is asked too often, or the budget is used up",
}


class Provider:
    """The embeddings of a model behind `base_url`, which goes up to and with /v1. Pages and questions are sent there.

    What it may cost in time is bounded: a question waits `question_s` seconds at most and is asked once, pages are
    tried `TRIES` times. Raises MeaningAway, whose text says what to do. Any thread may call it.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None = None,
        *,
        question_s: float = 5.0,
        request_s: float = 60.0,
        pause_s: float = 0.5,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"base_url: not an address: {base_url!r}; write https://HOST/v1")
        self.name = f"{model} at {parts.hostname}"
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._model = model
        self._question_s, self._request_s, self._pause_s = question_s, request_s, pause_s
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(headers=headers, follow_redirects=False, trust_env=False)
        self._turn = threading.Lock()
        self._rests_until = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Return one row of float32 a text, of length 1. Waits and tries again where the server asks for that."""
        import numpy as np

        given = list(texts)
        rows = [self._patiently(given[start : start + BATCH]) for start in range(0, len(given), BATCH)]
        return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)

    def ask(self, text: str) -> Vectors:
        """Return the vector of a question. A server that was away a moment ago is not asked."""
        with self._turn:
            if time.monotonic() < self._rests_until:
                raise MeaningAway(f"{self.name} did not answer a moment ago")
        try:
            return self._once([text], self._question_s)[0]  # type: ignore[no-any-return]
        except _Refused as bad:
            with self._turn:
                self._rests_until = time.monotonic() + REST_S
            raise MeaningAway(str(bad)) from None

    def _patiently(self, texts: Sequence[str]) -> Vectors:
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(texts, self._request_s)
            except _Refused as bad:
                wait = bad.wait if bad.wait is not None else self._pause_s * 2**attempt * random.uniform(0.5, 1)  # noqa: S311  only spreads
                if not bad.again or attempt == TRIES or wait > MAX_WAIT_S:
                    raise MeaningAway(f"{bad}, tried {attempt} times") from None
                time.sleep(wait)
        raise AssertionError("unreachable")

    def _once(self, texts: Sequence[str], timeout: float) -> Vectors:
        body = {"model": self._model, "input": [_sendable(text) for text in texts], "encoding_format": "float"}
        until = time.monotonic() + timeout
        try:
            with self._http.stream("POST", self._url, json=body, timeout=timeout) as response:
                if response.status_code != 200:
                    raise self._refused(response)
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_BYTES or time.monotonic() > until:
                        raise _Refused(f"{self.name} answers too much or too slowly", again=True)
        except (httpx2.HTTPError, httpx2.InvalidURL) as bad:
            raise _Refused(f"{self.name} cannot be reached ({type(bad).__name__})", again=True) from None
        return self._read(bytes(content), len(texts))

    def _refused(self, response: httpx2.Response) -> _Refused:
        status = response.status_code
        told = response.headers.get("Retry-After", "")
        wait = float(told) if told.isdigit() and len(told) < 6 else None
        help = f": {_HELP[status]}" if status in _HELP else ""
        return _Refused(f"{self.name} answers {status}{help}", again=status >= 500 or status in _AGAIN, wait=wait)

    def _read(self, content: bytes, count: int) -> Vectors:
        import numpy as np

        try:
            rows = {int(row["index"]): row["embedding"] for row in json.loads(content)["data"]}
            found = np.array([rows[number] for number in range(count)], np.float32)
        except (ValueError, TypeError, LookupError, RecursionError):
            raise _Refused(f"{self.name} answers with something else than embeddings", again=False) from None
        lengths = np.linalg.norm(found, axis=-1, keepdims=True) if found.ndim == 2 else np.zeros(1)
        if len(rows) != count or not found.size or not np.isfinite(lengths).all() or not lengths.all():
            raise _Refused(f"{self.name} answers with something else than embeddings", again=False)
        return _float32(found / lengths)


class _Refused(Exception):
    """One request did not give vectors. `wait` is what the server asks for, in seconds."""

    def __init__(self, text: str, *, again: bool, wait: float | None = None) -> None:
        super().__init__(text)
        self.again = again
        self.wait = wait


def _float32(rows: Any) -> Vectors:
    import numpy as np

    return np.asarray(rows, np.float32)


def _sendable(text: str) -> str:
    """Half a character cannot be sent, and servers refuse an empty text."""
    return text.encode("utf-8", "replace").decode() or " "
