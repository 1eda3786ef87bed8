"""What the tables are made of: columns through which no secret passes, and the names of what stands at them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, MetaData, Text, TypeDecorator
from sqlalchemy.engine import Dialect

from sysop.redact import redact_value


class Words(TypeDecorator[str]):
    """Text that people, models or foreign systems wrote: whatever reaches the column, a secret in it does not."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Redact on the way in."""
        return None if value is None else str(redact_value(value))


class Facts(TypeDecorator[Any]):
    """JSON that holds such text."""

    impl = JSON
    cache_ok = True

    def __init__(self, *, none_as_null: bool = False) -> None:
        super().__init__(none_as_null=none_as_null)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Redact on the way in."""
        return redact_value(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
