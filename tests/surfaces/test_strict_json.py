"""JSON from strangers, read strictly: whatever is JSON within the bounds is read, all else is a ValueError."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.surfaces import strict

TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(['"', "\\", "[{", '"]', "\\\\", "\ud800"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    assert strict.parse(json.dumps(value).encode()) == value


@given(VALUES, st.integers(0, 50))
def test_exactly_what_is_too_deep_is_refused(value: Any, around: int) -> None:
    for _ in range(around):
        value = [value]
    body = json.dumps(value).encode()
    if _depth(value) <= strict.MAX_DEPTH:
        assert strict.parse(body) == value
    else:
        with pytest.raises(ValueError, match="nested deeper than 32 levels"):
            strict.parse(body)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@given(st.binary(max_size=60) | st.text('[]{}":,\\0e.-9\ufeff', max_size=60).map(str.encode))
def test_no_bytes_do_worse_than_being_refused(body: bytes) -> None:
    read, said = _parsed(body)
    if said is None:
        assert json.loads(body.decode("utf-8-sig")) == read
    else:
        assert "JSON" in said or "too large" in said


def _parsed(body: bytes) -> tuple[Any, str | None]:
    try:
        return strict.parse(body), None
    except ValueError as refused:
        return None, str(refused)


@pytest.mark.parametrize("start", [b'"', b'["a", "', b'{"a": "\\'])
@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_string_that_does_not_end_is_looked_at_once(start: bytes, end: bytes) -> None:
    """Each quote in it tried as a beginning, this would take the better part of an hour, and hold up everybody."""
    body = start + b'\\"' * 500_000 + end
    with pytest.raises(ValueError, match="the body is not JSON"):
        strict.parse(body)
