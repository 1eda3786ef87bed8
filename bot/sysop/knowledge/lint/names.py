"""What the expressions of a page see, as far as it is known before a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sysop.knowledge.shape import ANY, BOOL, INT, STRING, Shape, list_of, object_of

_ALERT: Final = object_of(
    name=STRING,
    service=STRING,
    labels=Shape("map", item=STRING),
    annotations=Shape("map", item=STRING),
    firing=BOOL,
)
BASE_NAMES: Final[Mapping[str, Shape]] = {
    "incident": object_of(
        id=STRING,
        title=STRING,
        severity=STRING,
        service=STRING,
        services=list_of(STRING),
        alerts=list_of(_ALERT),
        opened_at=INT,
    ),
    "alert": _ALERT,
    "params": Shape("map", item=ANY),
    "now": INT,
}
"""What every expression sees besides `steps`."""


def step_shape(result: Shape, args: Shape = ANY) -> Shape:
    """Return the shape of `steps.x` for a result of some shape."""
    return object_of(
        ok=BOOL,
        skipped=BOOL,
        state=STRING,
        error=STRING,
        verified=Shape("bool", nullable=True),
        result=result,
        evidence=STRING,
        at=INT,
        args=args,
    )
