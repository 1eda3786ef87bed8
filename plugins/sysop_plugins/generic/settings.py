"""What sysop.yaml says of generic sources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sysop.api import ExpressionError, Proof, basic, bearer, compile_expression, either, header, signed

WHOLE = frozenset({"body", "headers"})
EACH = WHOLE | {"alert"}
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


def _checked(source: str, known: Iterable[str]) -> str:
    try:
        used = {path[0] for path in compile_expression(source, place="the expression", line=0).uses}
    except ExpressionError as bad:
        raise ValueError(str(bad)) from bad
    if unknown := sorted(used - set(known)):
        raise ValueError(f"the expression names {unknown[0]!r}, which is not there; use {', '.join(sorted(known))}")
    return source


Whole = Annotated[str, AfterValidator(lambda source: _checked(source, WHOLE))]
"""An expression over a whole delivery."""

Each = Annotated[str, AfterValidator(lambda source: _checked(source, EACH))]
"""An expression over one alert of a delivery."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Signature(_Section):
    """A header with the HMAC of the body in hex, the token being the key."""

    header: str
    prefix: str = ""
    digest: Literal["sha1", "sha256", "sha512"] = "sha256"


class HowProven(_Section):
    """How the sender shows that it knows the token; without this, as bearer token or as password of basic auth."""

    header: str | None = None
    signature: Signature | None = None

    @model_validator(mode="after")
    def _one(self) -> HowProven:
        if self.header and self.signature:
            raise ValueError("take header or signature, not both")
        return self

    @property
    def headers(self) -> frozenset[str]:
        """Return the headers that hold credentials, in lower case; no expression sees them."""
        named = [self.header, self.signature.header if self.signature else None]
        return _CREDENTIALS | {name.lower() for name in named if name}

    def proves(self) -> Proof:
        """Return the proof."""
        if self.signature:
            return signed(self.signature.header, prefix=self.signature.prefix, digest=self.signature.digest)
        return header(self.header) if self.header else either(bearer, basic)


class Source(_Section):
    """One sender: where its deliveries hold what an alert is made of. `unit` is that of times that are numbers."""

    alerts: Whole = "[body]"
    when: Each = "true"
    fingerprint: Each
    starts_at: Each
    ends_at: Each = "null"
    labels: dict[str, Each]
    annotations: dict[str, Each] = Field(default_factory=dict)
    url: Each = "''"
    unit: Literal["seconds", "milliseconds"] = "seconds"
    proof: HowProven = HowProven()


class Settings(_Section):
    """Sources by name; each takes deliveries at `/webhooks/NAME` and has its token in `webhooks.tokens`."""

    sources: dict[str, Source] = Field(default_factory=dict)
