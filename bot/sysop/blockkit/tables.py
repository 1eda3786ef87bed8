"""Blocks that show many values: table, data_table, data_visualization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sysop.blockkit import limits
from sysop.blockkit.checks import (
    Check,
    boolean,
    choice,
    items,
    number,
    shape,
    string,
    typed,
    unique,
    visible,
)
from sysop.blockkit.objects import ID
from sysop.blockkit.problem import Problem
from sysop.blockkit.rich_text import RICH_TEXT

_RAW_TEXT = shape({"type": choice("raw_text"), "text": string()}, required=("type", "text"))
_RAW_NUMBER = shape(
    {"type": choice("raw_number"), "value": number(whole=False), "text": string()}, required=("type", "value", "text")
)
_HEADINGS: dict[str, Check] = {"raw_text": _RAW_TEXT, "raw_number": _RAW_NUMBER}
_CELL = typed({**_HEADINGS, "rich_text": RICH_TEXT}, "table cell")
_ROW = items(_CELL, most=limits.TABLE_COLUMNS)


def _setting(value: Any, at: str) -> Iterator[Problem]:
    if value is not None:
        yield from _COLUMN(value, at)


_COLUMN = shape({"align": choice("left", "center", "right"), "is_wrapped": boolean})
TABLE = shape(
    {
        "type": choice("table"),
        "block_id": ID,
        "rows": items(_ROW, most=limits.TABLE_ROWS),
        "column_settings": items(_setting, least=0, most=limits.TABLE_COLUMNS),
    },
    required=("type", "rows"),
)


def _grid(value: dict[str, Any], at: str) -> Iterator[Problem]:
    """Hold a data table's rows to one width, its headings to bare values and its text to the limit."""
    rows = [row for row in _list(value.get("rows")) if isinstance(row, list)]
    if not rows:
        return
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        yield Problem(f"{at}/rows", "all rows must have the same number of columns")
    heading = typed(_HEADINGS, "table heading")
    for index, cell in enumerate(rows[0]):
        yield from heading(cell, f"{at}/rows/0/{index}")
    if visible(rows) > limits.DATA_TABLE_CHARACTERS:
        yield Problem(f"{at}/rows", f"must hold less than {limits.DATA_TABLE_CHARACTERS + 1} characters")
    chosen = value.get("row_header_column_index", 0)
    if isinstance(chosen, int) and chosen >= width:
        yield Problem(f"{at}/row_header_column_index", "must be one of the columns")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


DATA_TABLE = shape(
    {
        "type": choice("data_table"),
        "block_id": ID,
        "caption": string(),
        "rows": items(_ROW, *limits.DATA_TABLE_ROWS),
        "page_size": number(1, limits.DATA_TABLE_PAGE),
        "row_header_column_index": number(0, None),
    },
    required=("type", "caption", "rows"),
    rules=(_grid,),
)

_LABEL = string(limits.CHART_LABEL)
_POINT = shape({"label": _LABEL, "value": number(whole=False)}, required=("label", "value"))
_SERIES = shape(
    {"name": _LABEL, "data": items(_POINT, most=limits.CHART_POINTS)},
    required=("name", "data"),
)
_AXES = shape(
    {
        "categories": items(_LABEL, most=limits.CHART_POINTS),
        "x_label": string(limits.CHART_TITLE, least=0),
        "y_label": string(limits.CHART_TITLE, least=0),
    },
    required=("categories",),
)


def _columns(value: dict[str, Any], at: str) -> Iterator[Problem]:
    """Hold every series of a chart to exactly one point for each category."""
    axes = value.get("axis_config")
    categories = axes.get("categories") if isinstance(axes, dict) else None
    if not isinstance(categories, list):
        return
    series = [one for one in _list(value.get("series")) if isinstance(one, dict)]
    yield from unique(
        ((name, f"{at}/axis_config/categories/{index}") for index, name in enumerate(categories)), "category"
    )
    yield from unique(((one.get("name"), f"{at}/series/{index}") for index, one in enumerate(series)), "series")
    for index, one in enumerate(series):
        labels = [str(point.get("label")) for point in _list(one.get("data")) if isinstance(point, dict)]
        if sorted(labels) != sorted(map(str, categories)):
            yield Problem(f"{at}/series/{index}/data", "must hold one point for each category")


def _axis_chart(kind: str) -> Check:
    fields: dict[str, Check] = {
        "type": choice(kind),
        "series": items(_SERIES, most=limits.CHART_SERIES),
        "axis_config": _AXES,
    }
    return shape(fields, required=("type", "series", "axis_config"), rules=(_columns,))


_SEGMENT = shape({"label": _LABEL, "value": number(whole=False, above=0)}, required=("label", "value"))
_PIE = shape(
    {"type": choice("pie"), "segments": items(_SEGMENT, most=limits.CHART_SERIES)},
    required=("type", "segments"),
)
_CHARTS: dict[str, Check] = {"pie": _PIE, **{kind: _axis_chart(kind) for kind in ("bar", "area", "line")}}
DATA_VISUALIZATION = shape(
    {
        "type": choice("data_visualization"),
        "block_id": ID,
        "title": string(limits.CHART_TITLE),
        "chart": typed(_CHARTS, "chart"),
    },
    required=("type", "title", "chart"),
)
