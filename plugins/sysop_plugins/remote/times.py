"""Times in the answers of servers, read as milliseconds since the epoch."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, TypeAdapter

_AWARE = TypeAdapter(AwareDatetime)


def _ms(at: Any) -> int:
    return round(_AWARE.validate_python(at).timestamp() * 1000)


Time = Annotated[int, BeforeValidator(_ms)]
