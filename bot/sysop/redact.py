"""Take secrets out of text before it is stored, hashed, logged or shown. Linear-time patterns only (RE2)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import re2


def _mask_value(match: Any) -> str:
    whole, name, value = match.group(0), match.group(1), match.group(2)
    return str(whole) if value.startswith("[redacted") else f"{name}[redacted]"


def _mask_if_random(match: Any) -> str:
    return _mask_value(match) if any(c.isdigit() for c in match.group(2)) else str(match.group(0))


# A kind, the words of which one stands in every such secret, and its pattern. Most lines hold no such word, and that
# is cheap to see. What takes a secret's place tells a reader which kind was there, and nothing of its value.
_SHAPES: tuple[tuple[str, str, str], ...] = (
    ("private key", "-----BEGIN", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"),
    ("aws key", "AKIA ASIA", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("google key", "AIza", r"\bAIza[0-9A-Za-z_\-]{35}"),
    ("google token", "ya29.", r"\bya29\.[0-9A-Za-z_\-]{20,}"),
    ("azure key", "accountkey=", r"(?i)\bAccountKey=[0-9A-Za-z+/=]{40,}"),
    ("github token", "ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[0-9A-Za-z]{36,}"),
    ("github token", "github_pat_", r"\bgithub_pat_[0-9A-Za-z_]{50,}"),
    ("gitlab token", "glpat- glrt- gldt- glcbt- glptt-", r"\bgl(?:pat|rt|dt|cbt|ptt)-[0-9A-Za-z_\-]{20,}"),
    ("slack token", "xox xapp-", r"\bx(?:ox[abeoprs]|app)-[0-9A-Za-z\-]{10,}"),
    ("slack webhook", "hooks.slack", r"https://hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z/_\-]+"),
    ("anthropic key", "sk-ant-", r"\bsk-ant-[0-9A-Za-z_\-]{20,}"),
    ("openai key", "sk-", r"\bsk-(?:proj-|svcacct-)?[0-9A-Za-z_\-]{20,}"),
    ("stripe key", "k_live_ k_test_", r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("npm token", "npm_", r"\bnpm_[0-9A-Za-z]{36}\b"),
    ("pypi token", "pypi-", r"\bpypi-[0-9A-Za-z_\-]{50,}"),
    ("hugging face token", "hf_", r"\bhf_[0-9A-Za-z]{30,}"),
    ("vault token", "hvs. hvb. hvr.", r"\bhv[sbr]\.[0-9A-Za-z_\-]{20,}"),
    ("sendgrid key", "SG.", r"\bSG\.[0-9A-Za-z_\-]{16,}\.[0-9A-Za-z_\-]{16,}"),
    ("json web token", "eyJ", r"\beyJ[0-9A-Za-z_\-]{8,}\.eyJ[0-9A-Za-z_\-]{8,}\.[0-9A-Za-z_\-]{8,}"),
)
_AUTHORIZATION = r"(?i)\b(authorization\\*['\"]?\s*[:=]\s*\\*['\"]?(?:bearer|basic|token)?\s*)[0-9A-Za-z+/=_.\-]{8,}"
_IN_ADDRESS = r"(?i)\b([a-z][a-z0-9+.\-]*://[^\s/:@]*:)[^\s/@]+(@)"
_KEY_VALUE = (
    r"(?i)((?:password|passwd|passphrase|secret|api[_\-]?key|access[_\-]?key|auth[_\-]?token|access[_\-]?token"
    r"|refresh[_\-]?token|client[_\-]?secret|private[_\-]?key)\\*['\"]?\s*[:=]\s*\\*['\"]?)([^\s'\",;&]{6,})"
)
# Words that ordinary lines use too: only a value with a digit in it is taken for a secret.
_MAYBE = r"(?i)((?:token|pwd|credentials?)\\*['\"]?\s*[:=]\s*\\*['\"]?)([^\s'\",;&]{8,})"

_PATTERNS: tuple[tuple[str, str, str | Callable[[Any], str]], ...] = (
    *((words, pattern, f"[redacted {kind}]") for kind, words, pattern in _SHAPES),
    ("authorization", _AUTHORIZATION, r"\1[redacted]"),
    ("bearer", r"(?i)\b(bearer\s+)[0-9A-Za-z+/=_.\-]{16,}", r"\1[redacted]"),
    ("://", _IN_ADDRESS, r"\1[redacted]\2"),
    ("passw passphrase secret key token", _KEY_VALUE, _mask_value),
    ("token pwd credential", _MAYBE, _mask_if_random),
)
_COMPILED = tuple((re2.compile(pattern), to) for _, pattern, to in _PATTERNS)


def _needles(*, folded: bool) -> tuple[tuple[str, int], ...]:
    """Return each word with the place of its pattern, of those that mind the case or of those that do not."""
    return tuple(
        (word, place)
        for place, (words, pattern, _) in enumerate(_PATTERNS)
        for word in words.split()
        if pattern.startswith("(?i)") is folded
    )


_EXACT, _FOLDED = _needles(folded=False), _needles(folded=True)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Replace secrets in a text by `[redacted KIND]`. `known` values are replaced literally wherever they stand."""
    for value in known:
        if len(value) >= 6:
            text = text.replace(value, "[redacted secret]")
    folded = text.casefold()
    places = {place for word, place in _EXACT if word in text}
    places.update([place for word, place in _FOLDED if word in folded])
    if places:
        text = _HALF.sub("\ufffd", text)  # the patterns work on UTF-8, which cannot hold these
    for place in sorted(places):
        pattern, to = _COMPILED[place]
        text = str(pattern.sub(to, text))
    return text


class RedactingFormatter(logging.Formatter):
    """Formats log records, exceptions and all, without the secrets in them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return redact(super().format(record))


@lru_cache(maxsize=256)
def _secret_name(name: str) -> bool:
    return (
        re2.search(
            r"(?i)^(?:.*[_\-])?(?:password|passwd|passphrase|secret|token|api_?key|private_?key)$",
            UNSTORABLE.sub("\ufffd", name),
        )
        is not None
    )


@lru_cache(maxsize=256)
def _clean_name(name: str) -> str:
    return redact(UNSTORABLE.sub("\ufffd", name))


def redact_value(value: Any, known: Iterable[str] = ()) -> Any:
    """Redact every string inside a JSON value, and whole string values under a key that names a secret.

    Also replaces what PostgreSQL cannot store as text: NUL and lone surrogates.
    """
    known = tuple(known)
    return _copied(value) if not known and _harmless(value) else _redacted(value, known)


def _redacted(value: Any, known: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return redact(UNSTORABLE.sub("\ufffd", value), known)
    if isinstance(value, Mapping):
        return {
            _clean_name(str(k)): "[redacted]"
            if isinstance(v, str) and v and _secret_name(str(k))
            else _redacted(v, known)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(v, known) for v in value]
    return value


def _harmless(value: Any) -> bool:
    """Tell by one look at all strings of a value, names among them, that none holds a word of any secret.

    Every name that `_secret_name` knows holds such a word as well. Most values are harmless, and this look costs a
    third of asking string by string.
    """
    strings: list[str] = []
    _gather(value, strings)
    text = "\n".join(strings)
    if UNSTORABLE.search(text) or any(word in text for word, _ in _EXACT):
        return False
    folded = text.casefold()
    return not any(word in folded for word, _ in _FOLDED)


def _gather(value: Any, strings: list[str]) -> None:
    if isinstance(value, str):
        strings.append(value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            strings.append(str(name))
            _gather(inner, strings)
    elif isinstance(value, list | tuple):
        for inner in value:
            _gather(inner, strings)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list | tuple) else value
