"""Nothing that JSON can say makes a check raise, however it is bent or nested."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blockkit.samples import INPUTS, SAMPLES
from scale import size
from sysop.blockkit import check_blocks, check_chunks, check_message, check_view

EXAMPLES = size(5000, 300)
words = st.one_of(
    st.text(max_size=8), st.sampled_from(["section", "plan", "table", "container", "modal", "home", "blocks"])
)
keys = st.sampled_from(
    ["type", "text", "blocks", "elements", "rows", "tasks", "element", "options", "chart", "block_id"]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 4000), st.floats(allow_nan=False), words)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=20,
)


def bend(block: Any, steps: list[int], value: Any) -> Any:
    """Return a block with one place, found by the steps, replaced by a value."""
    bent = copy.deepcopy(block)
    place = bent
    for step in steps:
        inside = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        if not inside:
            return bent
        key = inside[step % len(inside)]
        if not isinstance(place[key], dict | list) or step == steps[-1]:
            place[key] = value
            return bent
        place = place[key]
    return bent


@settings(max_examples=EXAMPLES, deadline=None)
@given(values)
def test_any_json_is_checked_and_never_raises(value: Any) -> None:
    for surface in ("message", "modal", "home"):
        check_blocks(value, surface)
        check_blocks([value], surface)
    check_view(value)
    check_chunks(value)
    check_message(value if isinstance(value, dict) else {"blocks": value, "text": value, "attachments": value})


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(sorted({**SAMPLES, **INPUTS}.items())), st.lists(st.integers(0, 9), min_size=1, max_size=6), values
)
def test_a_bent_block_is_checked_and_never_raises(named: tuple[str, Any], steps: list[int], value: Any) -> None:
    bent = bend(named[1], steps, value)
    for surface in ("message", "modal", "home"):
        check_blocks([bent], surface)
    check_view({"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [bent]})
    check_chunks([{"type": "blocks", "blocks": [bent]}])


def test_a_deep_nest_is_checked_and_never_raises() -> None:
    nest: Any = "x"
    for number in range(5000):
        nest = {"type": "carousel", "elements": [nest]} if number % 2 else {"text": nest}
    assert check_blocks([nest], "message")
