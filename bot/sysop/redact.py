"""Take secrets out of text before it is stored, hashed, logged or shown. Linear-time patterns only (RE2)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import re2

# Each pattern keeps what tells a reader which kind of secret was there, and nothing of its value.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"),
    ("aws key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("google key", r"\bAIza[0-9A-Za-z_\-]{35}"),
    ("google token", r"\bya29\.[0-9A-Za-z_\-]{20,}"),
    ("azure key", r"(?i)\bAccountKey=[0-9A-Za-z+/=]{40,}"),
    ("github token", r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{50,})"),
    ("gitlab token", r"\bgl(?:pat|rt|dt|cbt|ptt)-[0-9A-Za-z_\-]{20,}"),
    ("slack token", r"\bx(?:ox[abeoprs]|app)-[0-9A-Za-z\-]{10,}"),
    ("slack webhook", r"https://hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z/_\-]+"),
    ("anthropic key", r"\bsk-ant-[0-9A-Za-z_\-]{20,}"),
    ("openai key", r"\bsk-(?:proj-|svcacct-)?[0-9A-Za-z_\-]{20,}"),
    ("stripe key", r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("npm token", r"\bnpm_[0-9A-Za-z]{36}\b"),
    ("pypi token", r"\bpypi-[0-9A-Za-z_\-]{50,}"),
    ("hugging face token", r"\bhf_[0-9A-Za-z]{30,}"),
    ("vault token", r"\bhv[sbr]\.[0-9A-Za-z_\-]{20,}"),
    ("sendgrid key", r"\bSG\.[0-9A-Za-z_\-]{16,}\.[0-9A-Za-z_\-]{16,}"),
    ("json web token", r"\beyJ[0-9A-Za-z_\-]{8,}\.eyJ[0-9A-Za-z_\-]{8,}\.[0-9A-Za-z_\-]{8,}"),
)
_AUTHORIZATION = re2.compile(
    r"(?i)\b(authorization\\*['\"]?\s*[:=]\s*\\*['\"]?(?:bearer|basic|token)?\s*)[0-9A-Za-z+/=_.\-]{8,}"
)
_BEARER = re2.compile(r"(?i)\b(bearer\s+)[0-9A-Za-z+/=_.\-]{16,}")
_URL_PASSWORD = re2.compile(r"(?i)\b([a-z][a-z0-9+.\-]*://[^\s/:@]*:)[^\s/@]+(@)")
_KEY_VALUE = re2.compile(
    r"(?i)((?:password|passwd|passphrase|secret|api[_\-]?key|access[_\-]?key|auth[_\-]?token|access[_\-]?token"
    r"|refresh[_\-]?token|client[_\-]?secret|private[_\-]?key)\\*['\"]?\s*[:=]\s*\\*['\"]?)([^\s'\",;&]{6,})"
)
# Words that ordinary lines use too: only a value with a digit in it is taken for a secret.
_MAYBE = re2.compile(r"(?i)((?:token|pwd|credentials?)\\*['\"]?\s*[:=]\s*\\*['\"]?)([^\s'\",;&]{8,})")
_COMPILED = tuple((kind, re2.compile(pattern)) for kind, pattern in _PATTERNS)
_SUSPECT = re2.compile(
    r"(?i)-----BEGIN|AKIA|ASIA|AIza|ya29\.|AccountKey|gh[pousr]_|github_pat|gl(?:pat|rt|dt|cbt|ptt)-|xox|xapp-"
    r"|hooks\.slack|sk-|[rs]k_|npm_|pypi-|hf_|hv[sbr]\.|SG\.|eyJ|authorization|bearer|://|pass|secret|key|token|pwd|credential"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Replace secrets in a text by `[redacted KIND]`. `known` values are replaced literally wherever they stand."""
    for value in known:
        if len(value) >= 6:
            text = text.replace(value, "[redacted secret]")
    if not _SUSPECT.search(text):
        return text
    for kind, pattern in _COMPILED:
        text = str(pattern.sub(f"[redacted {kind}]", text))
    text = str(_AUTHORIZATION.sub(r"\1[redacted]", text))
    text = str(_BEARER.sub(r"\1[redacted]", text))
    text = str(_URL_PASSWORD.sub(r"\1[redacted]\2", text))
    text = str(_KEY_VALUE.sub(_mask_value, text))
    return str(_MAYBE.sub(_mask_if_random, text))


def _mask_value(match: Any) -> str:
    whole, name, value = match.group(0), match.group(1), match.group(2)
    return str(whole) if value.startswith("[redacted") else f"{name}[redacted]"


def _mask_if_random(match: Any) -> str:
    return _mask_value(match) if any(c.isdigit() for c in match.group(2)) else str(match.group(0))


class RedactingFormatter(logging.Formatter):
    """Formats log records, exceptions and all, without the secrets in them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return redact(super().format(record))


@lru_cache(maxsize=256)
def _secret_name(name: str) -> bool:
    return (
        re2.search(r"(?i)^(?:.*[_\-])?(?:password|passwd|passphrase|secret|token|api_?key|private_?key)$", name)
        is not None
    )


@lru_cache(maxsize=256)
def _clean_name(name: str) -> str:
    return redact(_UNSTORABLE.sub("\ufffd", name))


def redact_value(value: Any, known: Iterable[str] = ()) -> Any:
    """Redact every string inside a JSON value, and whole string values under a key that names a secret.

    Also replaces what PostgreSQL cannot store as text: NUL and lone surrogates.
    """
    known = tuple(known)
    if isinstance(value, str):
        return redact(_UNSTORABLE.sub("\ufffd", value), known)
    if isinstance(value, Mapping):
        return {
            _clean_name(str(k)): "[redacted]"
            if isinstance(v, str) and v and _secret_name(str(k))
            else redact_value(v, known)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(v, known) for v in value]
    return value
