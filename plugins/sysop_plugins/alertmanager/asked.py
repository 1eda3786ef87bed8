"""Ask Prometheus or Alertmanager what fires, where neither can send webhooks to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from sysop.api import ActionFailed, Alert, PluginContext, Pull, Pulled
from sysop_plugins.alertmanager.labels import fingerprint
from sysop_plugins.alertmanager.settings import Place
from sysop_plugins.incoming import Id, Sent, Time, link, milliseconds, read

SOURCE = "alertmanager"
"""The source of these alerts is what sends them: who is told of one and asks for it as well has it once."""

_MOST = 10_000
_NS = 1_000_000_000


def pull(place: Place) -> Pull:
    """Return how a server is asked."""
    looks = {"alertmanager": _ask_alertmanager, "prometheus": _ask_prometheus}
    return Pull(place.url, place.every, partial(looks[place.kind], place), place.gone_after)


# -- Alertmanager ------------------------------------------------------------------------------------------------------


class _Status(Sent):
    state: Literal["active", "suppressed", "unprocessed"]


class _Listed(Sent):
    """One alert of Alertmanager's API v2."""

    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: Time
    generatorURL: str = ""
    fingerprint: Id
    status: _Status


class _List(Sent):
    alerts: tuple[_Listed, ...] = Field(max_length=_MOST)


async def _ask_alertmanager(place: Place, ctx: PluginContext, secret: Callable[[str], str]) -> Pulled:
    """Return what fires. What is silenced or inhibited is asked for too, since it has not ended."""
    answer = await _get(place, ctx, secret, "/api/v2/alerts", {})
    listed = read(_List, {"alerts": answer}, f"the alerts of the Alertmanager at {place.url}").alerts
    hushed = (one for one in listed if one.status.state != "active")
    return Pulled(
        tuple(_of_alertmanager(one) for one in listed if one.status.state == "active"),
        frozenset((one.fingerprint, milliseconds(one.startsAt)) for one in hushed),
    )


def _of_alertmanager(one: _Listed) -> Alert:
    return Alert(
        source=SOURCE,
        fingerprint=one.fingerprint,
        starts_at=milliseconds(one.startsAt),
        ends_at=None,
        labels=one.labels,
        annotations=one.annotations,
        url=link(one.generatorURL),
    )


# -- Prometheus --------------------------------------------------------------------------------------------------------


class _Active(Sent):
    """One alert of a rule. `activeAt` is when its expression became true, not when it began to fire."""

    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    state: str
    activeAt: AwareDatetime


class _Rule(Sent):
    """A rule; `duration` is its `for`, in seconds."""

    duration: float = Field(default=0, ge=0)
    alerts: tuple[_Active, ...] = ()


class _Group(Sent):
    """Rules that are evaluated together, every `interval` seconds."""

    interval: float = Field(gt=0)
    rules: tuple[_Rule, ...]


class _Groups(Sent):
    groups: tuple[_Group, ...]


class _Rules(Sent):
    status: Literal["success"]
    data: _Groups


async def _ask_prometheus(place: Place, ctx: PluginContext, secret: Callable[[str], str]) -> Pulled:
    """Return what fires. The rules are asked for, since an alert's start follows from its rule and not from itself."""
    answer = await _get(place, ctx, secret, "/api/v1/rules", {"type": "alert"})
    groups = read(_Rules, answer, f"the rules of the Prometheus at {place.url}").data.groups
    firing = tuple(_of_prometheus(groups, place))
    if len(firing) > _MOST:
        raise ActionFailed(f"{place.url} has {len(firing)} firing alerts, at most {_MOST} are read")
    return Pulled(firing)


def _of_prometheus(groups: tuple[_Group, ...], place: Place) -> Iterator[Alert]:
    for group in groups:
        for rule in group.rules:
            waited = _waited_ms(rule.duration, group.interval)
            for one in rule.alerts:
                if one.state != "firing":
                    continue
                labels = {**place.external_labels, **one.labels}
                yield Alert(
                    source=SOURCE,
                    fingerprint=fingerprint(labels),
                    starts_at=milliseconds(one.activeAt) + waited,
                    ends_at=None,
                    labels=labels,
                    annotations=one.annotations,
                    url=f"{place.url}/alerts",
                )


def _waited_ms(duration: float, interval: float) -> int:
    """Return how long an alert is pending: it fires at the first evaluation at which it has been so for long enough.

    An evaluation that Prometheus missed makes it later by as much.
    """
    wait, step = round(duration * _NS), round(interval * _NS)
    evaluations = -(-wait // step)
    return evaluations * step // 1_000_000


async def _get(
    place: Place, ctx: PluginContext, secret: Callable[[str], str], path: str, params: dict[str, str]
) -> Any:
    headers = {"Authorization": f"Bearer {secret(place.token_secret)}"} if place.token_secret else {}
    url = f"{place.url}{path}"
    answer = await ctx.http.request("GET", url, params=params, headers=headers, timeout=place.timeout)
    if answer.status in (401, 403):
        raise ActionFailed(f"{place.url} answered {answer.status}; see token_secret of this place")
    if answer.status != 200:
        raise ActionFailed(f"{url} answered {answer.status}")
    return answer.json()
