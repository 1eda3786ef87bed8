"""The part of Alertmanager's HTTP API, version 2, that silences need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sysop.api import ActionFailed, Context, Response
from sysop_plugins.alertmanager.settings import NO_URL, Settings

T = TypeVar("T")


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True)


class Matcher(_Sent):
    """A condition as Alertmanager writes it."""

    name: str
    value: str
    isRegex: bool
    isEqual: bool = True

    @property
    def text(self) -> str:
        """Return the condition as people write it."""
        operator = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
        return f'{self.name}{operator[self.isRegex, self.isEqual]}"{_escaped(self.value)}"'


class Status(_Sent):
    """Where a silence is: `pending` ones begin later."""

    state: Literal["active", "pending", "expired"]


class Known(_Sent):
    """A silence as Alertmanager has it."""

    id: str
    status: Status
    matchers: tuple[Matcher, ...]
    startsAt: AwareDatetime
    endsAt: AwareDatetime
    createdBy: str
    comment: str

    @property
    def live(self) -> bool:
        """Tell whether it holds, now or later on."""
        return self.status.state != "expired"


class Firing(_Sent):
    """An alert that Alertmanager has."""

    labels: dict[str, str] = Field(default_factory=dict)


class _Made(_Sent):
    silenceID: str


_SILENCES = TypeAdapter(list[Known])
_ALERTS = TypeAdapter(list[Firing])
_MADE = TypeAdapter(_Made)


async def silences(ctx: Context) -> list[Known]:
    """Return every silence that Alertmanager remembers; it forgets expired ones after some days."""
    return _read(_SILENCES, await _request(ctx, "GET", "silences"))


async def muted_by(ctx: Context, matchers: Iterable[Matcher]) -> list[Firing]:
    """Return the alerts that fire, are heard now, and meet all of these conditions, as Alertmanager itself judges."""
    heard = [("active", "true"), ("silenced", "false"), ("inhibited", "false")]
    filters = [("filter", matcher.text) for matcher in matchers]
    return _read(_ALERTS, await _request(ctx, "GET", f"alerts?{urlencode([*heard, *filters])}"))


async def add(ctx: Context, silence: Mapping[str, Any]) -> str:
    """Make a silence and return the id Alertmanager gave it. An answer that cannot be read leaves it in doubt."""
    answer = await _request(ctx, "POST", "silences", silence)
    return _MADE.validate_python(answer.json()).silenceID


async def expire(ctx: Context, id: str) -> None:
    """End a silence that has not ended."""
    await _request(ctx, "DELETE", f"silence/{quote(id, safe='')}")


async def _request(ctx: Context, method: str, path: str, body: Mapping[str, Any] | None = None) -> Response:
    settings: Settings = ctx.settings
    if settings.url is None:
        raise ActionFailed(NO_URL)
    headers = {"Authorization": f"Bearer {ctx.secret(settings.token_secret)}"} if settings.token_secret else {}
    answer = await ctx.http.request(
        method, f"{settings.url}/api/v2/{path}", json=body, headers=headers, timeout=settings.timeout
    )
    if answer.status in (401, 403):
        raise ActionFailed(f"alertmanager: the server answered {answer.status}; see plugins.alertmanager.token_secret")
    if answer.status != 200:
        raise ActionFailed(f"alertmanager: the server answered {answer.status}: {answer.text[:300].strip()}")
    return answer


def _read(shape: TypeAdapter[T], answer: Response) -> T:
    try:
        return shape.validate_python(answer.json())
    except ValidationError as bad:
        where = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in bad.errors()[:3])
        raise ActionFailed(f"alertmanager: the server's answer is not that of its API: {where}") from bad


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def told(matchers: Sequence[Matcher]) -> str:
    """Return conditions on one line."""
    return ", ".join(matcher.text for matcher in matchers)
