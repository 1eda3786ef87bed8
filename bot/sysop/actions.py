"""Actions: what plugins can do, as typed records that only the gate can perform."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, get_args, get_origin, get_type_hints

import pydantic
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from sysop.errors import PluginError
from sysop.inventory import Inventory
from sysop.model import Change, Risk


@dataclass(frozen=True, slots=True)
class Domain:
    """Marks a parameter whose values come from the inventory: `Annotated[str, Domain("service")]`."""

    name: str


ServiceName = Annotated[str, Domain("service")]
EnvironmentName = Annotated[str, Domain("environment")]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a call would change, for the approval card: one line, the exact differences, and who feels it."""

    summary: str
    changes: tuple[str, ...] = ()
    affects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """A post-check's answer: did it help? `pending` means ask again after `again`, else after `Verify.every`.

    `awaits` names what it waits for, as a source's `moved` does: a webhook that tells of it has it asked at once.
    """

    state: Literal["passed", "failed", "pending"]
    detail: str
    again: timedelta | None = None
    awaits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the target knows of an effect by its idempotency key. `result` goes with `done`."""

    state: Literal["done", "not_done", "unknown"]
    detail: str
    result: Any = None


class Response(Protocol):
    """An HTTP answer with its body read."""

    @property
    def status(self) -> int:
        """Return the status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        ...

    @property
    def text(self) -> str:
        """Return the body as text."""
        ...

    def json(self) -> Any:
        """Return the body parsed; raises ActionFailed where it is not JSON."""
        ...


class Http(Protocol):
    """The only way out for a plugin: allow-listed hosts, time limits, retries for reads."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> Response:
        """Send a request. Raises ActionFailed if it surely did not arrive; other errors leave the effect in doubt."""
        ...


class Context(Protocol):
    """What an action is given for one call."""

    @property
    def run(self) -> str:
        """Return the run's id."""
        ...

    @property
    def call(self) -> str:
        """Return the call's id."""
        ...

    @property
    def key(self) -> str:
        """Return the idempotency key; hand it to the target wherever it takes one."""
        ...

    @property
    def settings(self) -> Any:
        """Return this plugin's section of the settings, the model of `register_settings`."""
        ...

    @property
    def inventory(self) -> Inventory:
        """Return the services the company runs."""
        ...

    @property
    def http(self) -> Http:
        """Return the HTTP client for this call."""
        ...

    @property
    def state(self) -> Path:
        """Return a folder of this plugin's own, kept between calls."""
        ...

    def now(self) -> int:
        """Return the time in milliseconds since the epoch."""
        ...

    def secret(self, name: str) -> str:
        """Return a credential: read-scoped in a read, write-scoped once the gate has said yes."""
        ...

    async def changes(self, since: int, until: int, services: Sequence[str] | None = None) -> Sequence[Change]:
        """Return what was changed in a time, in milliseconds, the newest first, at most 100; of services, or of all."""
        ...

    async def read(self, action: str, **args: Any) -> Any:
        """Perform another plugin's read action through the gate, as evidence of this call. Returns its JSON result."""
        ...


PreviewOf = Callable[[Context, Any], Awaitable[Preview]]
PreconditionOf = Callable[[Context, Any], Awaitable[Any]]
ReconcileOf = Callable[[Context, Any], Awaitable[Reconciled]]
Check = Callable[[Context, Any, Any], Awaitable[Verification]]
ChangesOf = Callable[[Any, Any], Change | None]
"""Returns what an effect has changed, from its arguments and its result as JSON; pure. None: others tell of it."""


@dataclass(frozen=True, slots=True)
class Verify:
    """A post-check `check(ctx, args, result)`, asked `every` so often and given up `within`."""

    check: Check
    within: timedelta = timedelta(minutes=5)
    every: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing Sysop can do. A record, not a callable: only the gate performs it."""

    name: str
    risk: Risk
    summary: str
    parameters: type[BaseModel]
    domains: Mapping[str, str]
    result: TypeAdapter[Any]
    target: str
    preview: PreviewOf | None
    precondition: PreconditionOf | None
    verify: Verify | None
    undo: str | None
    reconcile: ReconcileOf | None
    idempotent: bool
    timeout: timedelta
    changes: ChangesOf | None
    plugin: str
    version: str
    _perform: Callable[..., Awaitable[Any]]

    def owned(self, plugin: str, version: str) -> Action:
        """Return the action under its full name, `plugin.function`."""
        return replace(self, name=f"{plugin}.{self.name}", plugin=plugin, version=version)

    def target_of(self, args: BaseModel) -> str:
        """Return what the call touches, such as `service:checkout`. Two changes to one target never overlap."""
        return self.target.format(**{k: getattr(args, k) for k in type(args).model_fields})

    def schema(self, inventory: Inventory) -> dict[str, Any]:
        """Return the JSON schema of the arguments with closed domains spelt out."""
        schema = self.parameters.model_json_schema()
        for field, domain in self.domains.items():
            if members := inventory.domain(domain):
                schema["properties"][field]["enum"] = list(members)
        return schema


def action(
    *,
    risk: Risk,
    target: str | None = None,
    preview: PreviewOf | None = None,
    precondition: PreconditionOf | None = None,
    verify: Verify | None = None,
    undo: str | None = None,
    reconcile: ReconcileOf | None = None,
    idempotent: bool = False,
    timeout: timedelta = timedelta(seconds=30),
    changes: ChangesOf | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Action]:
    """Make an action of an async function `f(ctx, ...)`. Raises PluginError where the contract is broken.

    `target` is a format string over the arguments; without it the action's own name is the target.
    An action that changes something must let the gate learn after a crash whether it happened:
    `reconcile`, or `idempotent=True` when doing it again under the same key is harmless. Destructive
    ones need `preview` and `reconcile`; others without either end in `unknown` and ask a person.
    `changes` tells what an effect that was performed has changed, for the record of changes.
    """

    def make(function: Callable[..., Awaitable[Any]]) -> Action:
        name = function.__name__
        _check_contract(name, function, risk, preview, reconcile)
        parameters, domains, result = _signature(name, function)
        _check_target(name, target, parameters)
        return Action(
            name=name,
            risk=risk,
            summary=inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " "),
            parameters=parameters,
            domains=domains,
            result=result,
            target=target if target is not None else name,
            preview=preview,
            precondition=precondition,
            verify=verify,
            undo=undo,
            reconcile=reconcile,
            idempotent=idempotent,
            timeout=timeout,
            changes=changes,
            plugin="",
            version="",
            _perform=function,
        )

    return make


def _check_contract(
    name: str,
    function: Callable[..., Any],
    risk: Any,
    preview: PreviewOf | None,
    reconcile: ReconcileOf | None,
) -> None:
    if not isinstance(risk, Risk):
        raise PluginError(f"action {name}: risk must be Risk.READ, Risk.CHANGE or Risk.DESTRUCTIVE, not {risk!r}")
    if not inspect.iscoroutinefunction(function):
        raise PluginError(f"action {name}: write it as `async def`")
    if not (function.__doc__ or "").strip():
        raise PluginError(f"action {name}: a docstring is missing; people and models choose actions by it")
    if risk is Risk.DESTRUCTIVE and not (preview and reconcile):
        raise PluginError(f"action {name}: a destructive action must have preview= and reconcile=")


def _signature(name: str, function: Callable[..., Any]) -> tuple[type[BaseModel], dict[str, str], TypeAdapter[Any]]:
    given = list(inspect.signature(function).parameters.values())
    if not given or given[0].name != "ctx":
        raise PluginError(f"action {name}: the first parameter must be `ctx: Context`")
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    domains: dict[str, str] = {}
    for parameter in given[1:]:
        if parameter.name not in hints or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise PluginError(f"action {name}: parameter {parameter.name} needs a type and a name of its own")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
        for domain in _domains(hints[parameter.name]):
            domains[parameter.name] = domain
    if "return" not in hints:
        raise PluginError(f"action {name}: the return type is missing")
    try:
        model = create_model(
            "".join(p.title() for p in name.split("_")), __config__=ConfigDict(extra="forbid", frozen=True), **fields
        )
        return model, domains, TypeAdapter(hints["return"])
    except (pydantic.PydanticUserError, TypeError, NameError) as bad:
        raise PluginError(f"action {name}: a parameter or result type is not supported: {bad}") from bad


def _domains(hint: Any) -> list[str]:
    if get_origin(hint) is Annotated:
        marks = [m.name for m in get_args(hint)[1:] if isinstance(m, Domain)]
        return marks + _domains(get_args(hint)[0])
    return [d for part in get_args(hint) for d in _domains(part)]


def _check_target(name: str, target: str | None, parameters: type[BaseModel]) -> None:
    unknown = set(re.findall(r"{(\w*)", target or "")) - set(parameters.model_fields)
    if unknown:
        raise PluginError(f"action {name}: target names {', '.join(sorted(unknown))}, which is not a parameter")
