"""Which Alertmanager is kept in step with Sysop's silences, and which servers are asked for alerts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

NO_URL = (
    "alertmanager: no server is configured; add `plugins: {alertmanager: {url: "
    '"http://alertmanager:9093"}}` to sysop.yaml'
)


class Place(BaseModel):
    """A server to ask. `every` and `timeout` are in seconds, `token_secret` names the secret sent as bearer token.

    What its answers leave out for `gone_after` seconds has ended. An Alertmanager that was started anew knows nothing
    until Prometheus tells it again, which takes a minute and the interval of the rule.

    Prometheus adds its `external_labels` to what it sends to Alertmanager and not to what it answers; name them here,
    or the same alert has two fingerprints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    kind: Literal["alertmanager", "prometheus"] = "alertmanager"
    every: float = Field(default=15.0, ge=1, le=3600)
    timeout: float = Field(default=10.0, gt=0, le=120)
    gone_after: float = Field(default=180.0, ge=0, le=86_400)
    token_secret: str | None = None
    external_labels: dict[str, str] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _base(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, such as http://alertmanager:9093")
        return url.rstrip("/")


class Settings(BaseModel):
    """Where Alertmanager is. `token_secret` names the secret sent as bearer token, `timeout` is in seconds.

    `pull` names servers to ask for alerts that they cannot send.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    token_secret: str | None = None
    timeout: float = Field(default=10.0, gt=0, le=120)
    pull: tuple[Place, ...] = ()

    @field_validator("url")
    @classmethod
    def _base(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, such as http://alertmanager:9093")
        return url.rstrip("/") if url else None
