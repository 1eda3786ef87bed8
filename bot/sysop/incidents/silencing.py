"""What people write when they want alerts quiet: conditions on labels, for how long, from when on, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import re2

from sysop.errors import InvalidRequest
from sysop.redact import redact
from sysop.store.silences import OPERATORS, Matcher

LONGEST_S = 30 * 24 * 3600
MAX_COMMENT = 500
MAX_VALUE = 500
MOST_MATCHERS = 10
_WRITTEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_SPAN = re.compile(r"(?:(\d{1,9})d)?\s*(?:(\d{1,9})h)?\s*(?:(\d{1,9})m(?:in)?)?\s*(?:(\d{1,9})s)?")
_SECONDS = (86_400, 3_600, 60, 1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants quiet. `seconds` and `in_seconds` count from the moment it is set."""

    matchers: tuple[Matcher, ...]
    seconds: int
    comment: str
    in_seconds: int = 0

    def check(self) -> None:
        """Raise InvalidRequest that names what is wrong."""
        check_matchers(self.matchers)
        if not 0 < self.seconds <= LONGEST_S:
            raise InvalidRequest("a silence lasts from one second to 30 days")
        if not 0 <= self.in_seconds <= LONGEST_S:
            raise InvalidRequest("a silence begins now or within 30 days")
        if not self.comment.strip():
            raise InvalidRequest("comment: say why, so that the next one on call knows")
        words = "\n".join((self.comment, *(one.value for one in self.matchers)))
        if redact(words) != words:
            raise InvalidRequest("this holds what looks like a credential; leave it out")
        if len(self.comment) > MAX_COMMENT:
            raise InvalidRequest(f"comment: {len(self.comment)} characters are more than {MAX_COMMENT}")


def matcher(text: str) -> Matcher:
    """Return a condition such as `service=checkout` or `pod=~"web-.*"`. Raises InvalidRequest that shows the form."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise InvalidRequest(f"{text!r} is no condition on a label; write service=checkout or pod=~web-.*")
    name, operator, value = found.groups()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if len(value) > MAX_VALUE:
        raise InvalidRequest(f"{name}: {len(value)} characters are more than {MAX_VALUE}")
    if "~" in operator:
        _check_pattern(text, value)
    return Matcher(name, operator, value)


def is_condition(word: str) -> bool:
    """Tell whether a word looks like a condition on a label."""
    return _WRITTEN.fullmatch(word) is not None


def _check_pattern(text: str, value: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(value, options)
    except re2.error as bad:
        why = bad.args[0] if bad.args else ""
        words = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise InvalidRequest(f"{text!r}: the pattern cannot be read: {words}") from bad


def check_matchers(matchers: Sequence[Matcher]) -> None:
    """Raise InvalidRequest for conditions that are none, unknown, or met by nearly everything."""
    if not matchers:
        raise InvalidRequest("name at least one condition, such as service=checkout")
    if len(matchers) > MOST_MATCHERS:
        raise InvalidRequest(f"{len(matchers)} conditions are more than {MOST_MATCHERS}")
    for one in matchers:
        if one.operator not in OPERATORS:
            raise InvalidRequest(f"{one}: the operator must be one of {', '.join(OPERATORS)}")
    if all(one.matches({}) for one in matchers):
        raise InvalidRequest("these conditions match alerts without any label, so nearly all; name a label's value")


def seconds_of(text: str) -> int:
    """Return a length of time such as `30m`, `2h` or `1d12h` in seconds. Raises InvalidRequest that shows the form."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        raise InvalidRequest(f"{text[:60]!r} is no length of time; write 30m, 2h or 1d12h")
    return sum(int(count or 0) * unit for count, unit in zip(found.groups(), _SECONDS, strict=True))


def is_length(word: str) -> bool:
    """Tell whether a word is a length of time."""
    found = _SPAN.fullmatch(word.strip().lower())
    return found is not None and any(found.groups())
