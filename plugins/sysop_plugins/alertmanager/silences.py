"""The actions: look at Alertmanager's silences, set one, end one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sysop.api import (
    ActionFailed,
    Context,
    InvalidCall,
    Preview,
    Reconciled,
    Risk,
    Verification,
    Verify,
    action,
)
from sysop_plugins.alertmanager import api
from sysop_plugins.alertmanager.api import Known, Matcher

MOST_SHOWN = 20
_CLOSE = timedelta(seconds=1)  # Alertmanager keeps times to the millisecond


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Data):
    """One condition on a label; patterns must match the whole value, a missing label is the empty text."""

    label: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
    operator: Literal["=", "!=", "=~", "!~"] = "="
    value: Annotated[str, Field(max_length=1000)]


class Silenced(_Data):
    """A silence in Alertmanager. `mark` is what Sysop finds it by, null for one that Sysop did not set."""

    id: str
    state: Literal["active", "pending", "expired"]
    conditions: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    mark: str | None


class Silences(_Data):
    """Silences, those that end first at the top."""

    silences: tuple[Silenced, ...]
    count: int


class Ended(_Data):
    """The ids of the silences that were ended, none where all had ended before."""

    ended: tuple[str, ...]


Conditions = Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)]
Comment = Annotated[str, Field(min_length=1, max_length=1000, description="Why, for whoever looks at the silence")]
Mark = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9:._#-]{1,120}$",
        description="A name of your own that no other silence that holds has; it can be ended by it",
    ),
]
Which = Annotated[str, Field(min_length=1, max_length=200, description="A silence's id, or the mark it was set with")]


@action(risk=Risk.READ)
async def silences(ctx: Context, expired: bool = False) -> Silences:
    """List the silences of Alertmanager that hold now or later on, whoever set them."""
    found = [one for one in await api.silences(ctx) if expired or one.live]
    shown = tuple(_shown(one) for one in sorted(found, key=lambda one: (one.endsAt, one.id)))
    return Silences(silences=shown, count=len(shown))


async def _preview(ctx: Context, args: Any) -> Preview:
    matchers = _matchers(args.conditions)
    muted = await api.muted_by(ctx, matchers)
    count = f"{len(muted)} firing alert{'' if len(muted) == 1 else 's'}" if muted else "no alert that fires now"
    until = args.ends_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    begin = f" from {args.starts_at.astimezone(UTC).strftime('%Y-%m-%d %H:%M UTC')}" if args.starts_at else ""
    lines = sorted(_labels(one.labels) for one in muted)
    left = [f"… and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else []
    services = sorted({one.labels["service"] for one in muted if one.labels.get("service")})
    return Preview(
        f"Silence {api.told(matchers)} in Alertmanager{begin} until {until}; it would mute {count}",
        (*lines[:MOST_SHOWN], *left),
        tuple(services[:MOST_SHOWN]),
    )


async def _find(ctx: Context, args: Any) -> Reconciled:
    found = [one for one in _marked(await api.silences(ctx), args.mark) if _same(one, args.conditions, args.ends_at)]
    if not found:
        return Reconciled("not_done", f"Alertmanager has no such silence marked {args.mark}")
    return Reconciled("done", f"Alertmanager has silence {found[-1].id}", _shown(found[-1]).model_dump(mode="json"))


async def _holds(ctx: Context, args: Any, result: Any) -> Verification:
    found = [one for one in await api.silences(ctx) if one.id == result["id"]]
    if found and found[0].live:
        return Verification("passed", f"silence {result['id']} is {found[0].status.state} in Alertmanager")
    return Verification("failed", f"silence {result['id']} does not hold in Alertmanager")


@action(
    risk=Risk.CHANGE,
    target="alertmanager:{mark}",
    preview=_preview,
    verify=Verify(_holds, within=timedelta(seconds=30), every=timedelta(seconds=2)),
    undo="alertmanager.unsilence",
    reconcile=_find,
)
async def silence(
    ctx: Context,
    conditions: Conditions,
    ends_at: AwareDatetime,
    comment: Comment,
    mark: Mark,
    starts_at: AwareDatetime | None = None,
) -> Silenced:
    """Silence the alerts that meet all conditions in Alertmanager, so that it notifies nobody of them, until a time."""
    now = datetime.fromtimestamp(ctx.now() / 1000, UTC)
    begins = max(starts_at or now, now)
    if ends_at <= begins:
        raise InvalidCall(f"ends_at: {ends_at.isoformat()} is not after its start, {begins.isoformat()}")
    live = [one for one in _marked(await api.silences(ctx), mark) if one.live]
    if live and _same(live[-1], conditions, ends_at):
        return _shown(live[-1])
    if live:
        raise ActionFailed(
            f"mark: silence {live[-1].id} has {mark} already, and is another one; end it, or take another"
        )
    matchers = _matchers(conditions)
    wish = {
        "matchers": [one.model_dump() for one in matchers],
        "startsAt": begins.isoformat(),
        "endsAt": ends_at.isoformat(),
        "createdBy": f"sysop {ctx.run}",
        "comment": f"{comment} {_mark(mark)}",
    }
    return Silenced(
        id=await api.add(ctx, wish),
        state="active" if begins == now else "pending",
        conditions=tuple(one.text for one in matchers),
        starts_at=begins,
        ends_at=ends_at,
        created_by=f"sysop {ctx.run}",
        comment=comment,
        mark=mark,
    )


async def _preview_end(ctx: Context, args: Any) -> Preview:
    found = _which(await api.silences(ctx), args.silence)
    live = [one for one in found if one.live]
    if not live:
        return Preview(f"Nothing changes: silence {args.silence} has ended in Alertmanager already")
    heard = sorted(f"{api.told(one.matchers)}: {one.comment}" for one in live)
    return Preview(f"End silence {', '.join(one.id for one in live)} in Alertmanager", tuple(heard))


async def _find_end(ctx: Context, args: Any) -> Reconciled:
    live = [one for one in _which(await api.silences(ctx), args.silence) if one.live]
    if live:
        return Reconciled("not_done", f"silence {live[0].id} is {live[0].status.state} in Alertmanager")
    return Reconciled("done", "no such silence holds in Alertmanager", {"ended": []})


async def _ended(ctx: Context, args: Any, result: Any) -> Verification:
    told = await _find_end(ctx, args)
    return Verification("passed" if told.state == "done" else "failed", told.detail)


@action(
    risk=Risk.CHANGE,
    target="alertmanager:{silence}",
    preview=_preview_end,
    verify=Verify(_ended, within=timedelta(seconds=30), every=timedelta(seconds=2)),
    reconcile=_find_end,
    idempotent=True,
)
async def unsilence(ctx: Context, silence: Which) -> Ended:
    """End a silence in Alertmanager; whatever it muted and fires still is notified again."""
    live = [one.id for one in _which(await api.silences(ctx), silence) if one.live]
    for id in live:
        await api.expire(ctx, id)
    return Ended(ended=tuple(live))


def _which(known: Sequence[Known], named: str) -> list[Known]:
    found = [one for one in known if one.id == named] or _marked(known, named)
    if not found:
        raise ActionFailed(f"silence: Alertmanager has no silence {named}; alertmanager.silences lists them")
    return found


def _marked(known: Sequence[Known], mark: str) -> list[Known]:
    """Return the silences that carry a mark, the one that ends last at the end."""
    return sorted((one for one in known if _mark_of(one) == mark), key=lambda one: (one.endsAt, one.id))


def _same(known: Known, conditions: Sequence[Condition], ends_at: datetime) -> bool:
    """Tell whether a silence is the one that was asked for."""
    asked, has = {one.text for one in _matchers(conditions)}, {one.text for one in known.matchers}
    return asked == has and abs(known.endsAt - ends_at) < _CLOSE


def _mark(mark: str) -> str:
    return f"[sysop {mark}]"


def _mark_of(known: Known) -> str | None:
    """Return the mark at the end of a comment; only what Sysop set is looked at."""
    _, opened, rest = known.comment.rpartition("[sysop ")
    return rest[:-1] if opened and rest.endswith("]") and known.createdBy.startswith("sysop ") else None


def _matchers(conditions: Sequence[Condition]) -> list[Matcher]:
    return [
        Matcher(name=one.label, value=one.value, isRegex="~" in one.operator, isEqual=not one.operator.startswith("!"))
        for one in conditions
    ]


def _shown(known: Known) -> Silenced:
    mark = _mark_of(known)
    return Silenced(
        id=known.id,
        state=known.status.state,
        conditions=tuple(one.text for one in known.matchers),
        starts_at=known.startsAt,
        ends_at=known.endsAt,
        created_by=known.createdBy,
        comment=known.comment.removesuffix(_mark(mark)).strip() if mark else known.comment,
        mark=mark,
    )


def _labels(labels: dict[str, str]) -> str:
    """Return an alert on one line: its name first."""
    rest = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "alertname")
    return f"{labels.get('alertname', 'alert')} ({rest})"
