"""Metrics: ask Prometheus, or anything that speaks its HTTP API, and judge whether a value is unusual."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sysop.api import (
    Action,
    ActionFailed,
    Context,
    Health,
    HealthCheck,
    Http,
    InvalidCall,
    MetricQuery,
    MetricSeries,
    MetricSource,
    PluginContext,
    Risk,
    action,
    hookimpl,
)
from sysop_plugins.metrics.answers import Answer, Data, Sample, Series, instant, matrix, numbers, read_answer

MAX_POINTS = 11_000  # Prometheus's own limit for one series; ours for one answer
MIN_SAMPLES = 10
MAX_Z = 6.0  # measured: fires on a real jump at once and stays quiet on noise, where 3 does not
_LARGEST = 1e300  # beyond it differences have no finite value
_MAD_TO_SIGMA = 1.4826  # what makes MAD and mean absolute deviation comparable to a standard deviation
_MEAN_DEVIATION_TO_SIGMA = 1.2533
_NO_URL = 'metrics: no server is configured; add `plugins: {metrics: {url: "http://prometheus:9090"}}` to sysop.yaml'


class Settings(BaseModel):
    """Where the metrics are. `token_secret` names the secret sent as bearer token, `timeout` is in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    token_secret: str | None = None
    timeout: float = Field(default=10.0, gt=0, le=120)

    @field_validator("url")
    @classmethod
    def _base(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, such as http://prometheus:9090")
        return url.rstrip("/") if url else None


class Samples(Data):
    """An instant query's answer. `value` is the only series' value, null with none or several of them."""

    query: str
    series: tuple[Sample, ...]
    value: float | None
    count: int


class Range(Data):
    """A range query's answer. `start` and `end` are in seconds since the epoch."""

    query: str
    start: float
    end: float
    step_seconds: int
    series: tuple[Series, ...]
    count: int


class Anomaly(Data):
    """Whether the latest value departs from those before it.

    `z` counts robust standard deviations; it is null where nothing was judged or the history never moved.
    """

    anomalous: bool
    z: float | None
    latest: float | None
    median: float | None
    mad: float | None
    samples: int
    reason: str


Query = Annotated[str, Field(min_length=1, max_length=4000, description="PromQL")]
Minutes = Annotated[int, Field(ge=1, le=60 * 24 * 90, description="How far to look back, in minutes")]
Step = Annotated[int, Field(ge=1, le=86_400, description="Distance of two points, in seconds")]


@action(risk=Risk.READ)
async def query(ctx: Context, query: Query) -> Samples:
    """Ask for the value of a PromQL expression now."""
    data = await _ask(ctx, "query", {"query": query})
    series = instant(data)
    return Samples(query=query, series=series, value=series[0].value if len(series) == 1 else None, count=len(series))


@action(risk=Risk.READ)
async def range(ctx: Context, query: Query, minutes: Minutes = 30, step_seconds: Step = 15) -> Range:
    """Ask for the values of a PromQL expression over the last minutes."""
    return await _range(ctx, query, minutes, step_seconds)


@action(risk=Risk.READ)
async def anomaly(ctx: Context, query: Query, minutes: Minutes = 30, step_seconds: Step = 15) -> Anomaly:
    """Judge whether the latest value of a single series is unusual, by median and MAD of the minutes before."""
    found = await _range(ctx, query, minutes, step_seconds)
    if found.count > 1:
        raise InvalidCall(f"query: gives {found.count} series, one is needed; aggregate it, such as sum({query})")
    points = found.series[0].points if found.series else ()
    return judge_latest([p.value for p in points if p.value is not None and abs(p.value) <= _LARGEST])


def judge_latest(values: list[float]) -> Anomaly:
    """Compare the last value with all before it. Too few values are never anomalous, and the reason says so."""
    if len(values) < MIN_SAMPLES:
        return Anomaly(
            anomalous=False,
            z=None,
            latest=values[-1] if values else None,
            median=None,
            mad=None,
            samples=len(values),
            reason=f"not judged: {len(values)} samples, {MIN_SAMPLES} are needed",
        )
    history, latest = values[:-1], values[-1]
    middle = median(history)
    deviations = [abs(v - middle) for v in history]
    mad = median(deviations)
    z = _robust_z(latest - middle, mad, fmean(deviations))
    anomalous, reason = _verdict(z, latest, middle)
    return Anomaly(anomalous=anomalous, z=z, latest=latest, median=middle, mad=mad, samples=len(values), reason=reason)


def _robust_z(difference: float, mad: float, mean_deviation: float) -> float | None:
    """Return the distance in robust deviations. MAD is 0 when over half the history is equal: then the mean serves."""
    sigma = mad * _MAD_TO_SIGMA or mean_deviation * _MEAN_DEVIATION_TO_SIGMA
    z = abs(difference) / sigma if sigma else math.inf
    return z if math.isfinite(z) else None


def _verdict(z: float | None, latest: float, middle: float) -> tuple[bool, str]:
    if z is not None:
        word = "above" if z > MAX_Z else "within"
        return z > MAX_Z, f"z {z:.1f} is {word} the bound of {MAX_Z:g}: latest {latest:g}, median {middle:g}"
    moved = not math.isclose(latest, middle, rel_tol=0.01, abs_tol=1e-6)
    return moved, f"the history never moved from {middle:g}; the latest is {latest:g}"


async def _range(ctx: Context, query: str, minutes: int, step_seconds: int) -> Range:
    points = minutes * 60 // step_seconds + 1
    if points > MAX_POINTS:
        needed = math.ceil(minutes * 60 / (MAX_POINTS - 1))
        raise InvalidCall(
            f"step_seconds: {points} points are over {MAX_POINTS}; use {needed} or more, or fewer minutes"
        )
    end = ctx.now() / 1000
    start = end - minutes * 60
    params = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": str(step_seconds)}
    series = matrix(await _ask(ctx, "query_range", params))
    total = sum(len(s.points) for s in series)
    if total > MAX_POINTS:
        raise InvalidCall(
            f"query: {len(series)} series with {total} points are over {MAX_POINTS}; aggregate or narrow it"
        )
    return Range(query=query, start=start, end=end, step_seconds=step_seconds, series=series, count=len(series))


async def _ask(ctx: Context, path: str, params: Mapping[str, str]) -> Answer:
    return await _get(ctx.settings, ctx.http, ctx.secret, path, params)


async def _get(
    settings: Settings, http: Http, secret: Callable[[str], str], path: str, params: Mapping[str, str]
) -> Answer:
    if settings.url is None:
        raise ActionFailed(_NO_URL)
    headers = {"Authorization": f"Bearer {secret(settings.token_secret)}"} if settings.token_secret else {}
    response = await http.request(
        "GET", f"{settings.url}/api/v1/{path}", params=params, headers=headers, timeout=settings.timeout
    )
    return read_answer(response)


async def read(ctx: PluginContext, secret: Callable[[str], str], query: MetricQuery) -> Sequence[MetricSeries]:
    """Answer a watch's query; what is no finite number is NaN. Raises ActionFailed or InvalidCall.

    A hundred thousand points are taken apart in a thread, so that nothing else waits for it.
    """
    params = {"query": query.text, "start": str(query.start), "end": str(query.end), "step": str(query.step)}
    answer = await _get(ctx.settings, ctx.http, secret, "query_range", params)
    return await asyncio.to_thread(numbers, answer)


async def _health(ctx: PluginContext) -> Health:
    settings: Settings = ctx.settings
    if settings.url is None:
        return Health(None, "no server is configured: metrics.* will fail", _NO_URL)
    fix = f"check that {settings.url} is Prometheus's base URL and can be reached from here"
    try:
        response = await ctx.http.request(
            "GET", f"{settings.url}/api/v1/query", params={"query": "up"}, timeout=settings.timeout
        )
        if response.status in (401, 403) and settings.token_secret:
            return Health(True, f"{settings.url} answers and wants the token, which is sent in calls only")
        if response.status != 400:  # a server of few series may refuse this one; that too is an answer
            read_answer(response)
    except (ActionFailed, OSError) as failed:
        return Health(False, str(failed), fix)
    return Health(True, f"{settings.url} answers")


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the reads."""
    return [query, range, anomaly]


@hookimpl
def register_metric_sources() -> Iterable[MetricSource]:
    """Answer the queries of watches."""
    return [MetricSource("metrics", read)]


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return where the metrics are."""
    return Settings


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Ask the server a question any Prometheus answers."""
    return [HealthCheck("metrics", _health)]
