"""Rules over all blocks of one surface: how many, where, and what must be there only once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.blocks import BLOCKS
from sysop.blockkit.checks import unique, visible
from sysop.blockkit.elements import INPUT_MODAL_ONLY
from sysop.blockkit.limits import Surface
from sysop.blockkit.problem import Problem

Placed = tuple[dict[str, Any], str]


def check_blocks(blocks: Any, surface: Surface) -> list[Problem]:
    """Return every reason why Slack would refuse these blocks on a surface; none means it takes them."""
    return list(_blocks(blocks, surface, "/blocks"))


def _blocks(blocks: Any, surface: Surface, at: str) -> Iterator[Problem]:
    if not isinstance(blocks, list):
        yield Problem(at, "must be an array", "invalid_blocks_format")
        return
    most = limits.MOST_BLOCKS[surface]
    if len(blocks) > most:
        code = "msg_blocks_too_many" if surface == "message" else "invalid_blocks"
        yield Problem(at, f"no more than {most} items allowed", code)
    for index, block in enumerate(blocks):
        yield from _one(block, surface, f"{at}/{index}")
    everywhere = list(_with_children(blocks, at))
    yield from unique(((block.get("block_id"), f"{place}/block_id") for block, place in everywhere), "block_id")
    yield from _inputs(everywhere, surface)
    yield from _totals([block for block, _ in everywhere], at)
    if surface == "message":
        yield from _rendered(blocks, at)


def _one(block: Any, surface: Surface, at: str) -> Iterator[Problem]:
    if not isinstance(block, dict):
        yield Problem(at, "must be an object")
        return
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in BLOCKS:
        yield Problem(f"{at}/type", f"unsupported type: {str(kind)[:80]}")
        return
    if kind not in limits.SURFACES[surface]:
        yield Problem(f"{at}/type", f"{kind} is not supported on a {surface}")
    yield from BLOCKS[kind](block, at)


def _placed(blocks: Iterable[Any], at: str) -> Iterator[Placed]:
    return ((block, f"{at}/{index}") for index, block in enumerate(blocks) if isinstance(block, dict))


def _with_children(blocks: Iterable[Any], at: str) -> Iterator[Placed]:
    """Yield blocks and the blocks inside containers and carousels, which hold no further ones, each with its place."""
    for block, place in _placed(blocks, at):
        yield block, place
        key = {"container": "child_blocks", "carousel": "elements"}.get(str(block.get("type")))
        if key is not None and isinstance(block.get(key), list):
            yield from _placed(block[key], f"{place}/{key}")


def _inputs(placed: list[Placed], surface: Surface) -> Iterator[Problem]:
    focused = 0
    for block, at in placed:
        element = block.get("element")
        if not isinstance(element, dict):
            continue
        kind = element.get("type")
        if kind in INPUT_MODAL_ONLY and surface != "modal":
            yield Problem(f"{at}/element/type", f"{kind} is for modals only")
        focused += element.get("focus_on_load") is True
        if focused > 1 and element.get("focus_on_load") is True:
            yield Problem(f"{at}/element/focus_on_load", "only one element may take the focus")


def _totals(blocks: list[dict[str, Any]], at: str) -> Iterator[Problem]:
    def of(kind: str) -> list[dict[str, Any]]:
        return [block for block in blocks if block.get("type") == kind]

    limited = (
        ("tables", len(of("table")), limits.TABLES),
        ("charts", len(of("data_visualization")), limits.CHARTS),
        ("characters in markdown blocks", visible(of("markdown")), limits.MARKDOWN),
        ("characters in tables", visible(of("table")), limits.TABLE_CHARACTERS),
        ("characters in data tables", visible(of("data_table")), limits.DATA_TABLE_CHARACTERS),
    )
    for what, count, most in limited:
        if count > most:
            yield Problem(at, f"no more than {most} {what} allowed")


def _rendered(blocks: list[Any], at: str) -> Iterator[Problem]:
    """Hold a message to what was seen to be refused as a whole; tables have limits of their own."""
    shown = [one for one in blocks if isinstance(one, dict) and one.get("type") not in ("table", "data_table")]
    headers = sum(one.get("type") == "header" for one in shown)
    if visible(shown) + headers * limits.RENDERED_PER_HEADER > limits.RENDERED:
        yield Problem(at, f"no more than {limits.RENDERED} rendered characters allowed", "msg_blocks_too_long")
