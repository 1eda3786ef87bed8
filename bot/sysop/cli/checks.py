"""What `sysop doctor` looks at: every part of this installation, what is wrong with it, and what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sysop import app as composition
from sysop import settings as settings_file
from sysop import yamlsafe
from sysop.app import App
from sysop.cli.checks_database import database
from sysop.cli.checks_freezes import freezes
from sysop.cli.checks_slack import slack
from sysop.cli.checks_watches import watches
from sysop.cli.common import (
    again,
    lines_to_add,
    load_settings,
    me,
    message,
)
from sysop.cli.found import Found, Status
from sysop.errors import SettingsError, StoreError, SysopError
from sysop.extension import HealthCheck
from sysop.host import Host
from sysop.model import Verdict
from sysop.redact import redact_value
from sysop.settings import Settings

HEALTH_S = 5.0


async def look_at_everything(shown: dict[str, Any]) -> AsyncIterator[Found]:
    """Yield every check's answer; what cannot be looked at because of an earlier one is left out."""
    try:
        settings = load_settings()
    except SettingsError as bad:
        yield Found("settings", "failed", str(bad), "correct it; every setting is in docs/settings.md")
        return
    shown.update(_sources(settings))
    yield _settings(shown)
    yield _state(settings)
    try:
        host = composition.load_plugins(settings)
        app = composition.build(settings, host=host)
    except (SysopError, ModuleNotFoundError) as bad:
        yield Found("start", "failed", message(bad), "Sysop does not start before this is right")
        return
    try:
        with contextlib.suppress(StoreError):  # there may be no database yet; its own check says so
            await app.people.refresh()
        for one in _parts(app):
            yield one
        async for found in database(app):
            yield found
        async for found in slack(app):
            yield found
        for health in await asyncio.gather(*(_health(app, name, check) for name, check in app.host.health_checks())):
            yield health
        async for found in watches(app):
            yield found
    finally:
        await app.close()


def _parts(app: App) -> Iterator[Found]:
    """Yield what needs no database and no network."""
    yield from _plugins(app.host)
    yield _policy(app)
    yield from freezes(app)
    yield _identity(app)
    yield from _credentials(app)
    yield _runbooks(app)
    yield _llm(app)


# -- settings and state ---------------------------------------------------------------------------------------------


def _sources(settings: Settings) -> dict[str, Any]:
    """Return every top-level setting with its value, secrets masked, and where it comes from."""
    file, _ = _file()
    values: Mapping[str, Any] = {}
    if file.is_file():
        values = yamlsafe.load(file.read_bytes(), name=str(file), error=SettingsError) or {}
    told = redact_value(settings.model_dump(mode="json"))
    return {
        name: {"source": _source(name, values), "value": told[name]} for name in sorted(type(settings).model_fields)
    }


def _source(name: str, values: Mapping[str, Any]) -> str:
    given = click.get_current_context().find_root().obj
    return "command line" if name == "state" and given["state"] else settings_file.source_of(name, values)


def _file() -> tuple[Path, bool]:
    return settings_file.config_file(click.get_current_context().find_root().obj["config"])


def _settings(shown: Mapping[str, Any]) -> Found:
    file, _ = _file()
    where = str(file.absolute()) if file.is_file() else f"no file ({file} does not exist), so defaults"
    environment = [name for name, one in shown.items() if one["source"] == "environment"]
    return Found("settings", "ok", where + (f"; from the environment: {', '.join(environment)}" if environment else ""))


def _state(settings: Settings) -> Found:
    folder = settings.state.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        fix = f"let user {os.getuid()} write there, or name another folder with --state or SYSOP_STATE"
        return Found("state", "failed", f"{there} cannot be written", fix)
    return Found("state", "ok", str(folder) if folder.exists() else f"{folder}, made when it is needed")


# -- parts ----------------------------------------------------------------------------------------------------------


def _plugins(host: Host) -> Iterator[Found]:
    works = [loaded.name for loaded in host.report if loaded.problem is None]
    yield Found("plugins", "ok", f"{', '.join(works) or 'none'}; {len(host.actions)} actions")
    for loaded in host.report:
        if loaded.problem is not None:
            fix = f"repair or remove it ({loaded.origin}); the other plugins work without it"
            yield Found("plugins", "failed", f"{loaded.name} is broken: {loaded.problem}", fix)


def _policy(app: App) -> Found:
    asking = [rule for rule in app.policy.rules if rule.then is Verdict.APPROVE]
    short = [rule for rule in asking if len(app.people.holding(rule.roles)) < rule.count]
    told = f"{len(app.policy.rules)} rules, digest {app.policy.digest[:12]}"
    if short:
        worst = max(short, key=lambda rule: rule.count)
        have = len(app.people.holding(worst.roles))
        need = f"{worst.count} with role {' or '.join(worst.roles)}"
        detail = f"{told}; rule {worst.name!r} asks {need}, and there are {have}: what it covers is forbidden"
        return Found("policy", "failed", detail, f"add people to sysop.yaml, such as:\n{_people(worst.roles)}")
    roles = tuple(sorted({role for rule in asking for role in rule.roles}))
    names = ", ".join(app.people.called(one) for one in app.people.holding(roles))
    who = f"; who can approve: {names}" if roles else "; nothing asks for approval"
    tight = next((rule for rule in asking if len(app.people.holding(rule.roles)) == rule.count), None)
    if tight is not None:
        fix = f"add somebody with role {' or '.join(tight.roles)}: who asks can never approve"
        return Found("policy", "note", f"{told}{who}; if one of them asks, rule {tight.name!r} forbids it", fix)
    return Found("policy", "ok", told + who)


def _people(roles: Iterable[str]) -> str:
    role = next(iter(roles))
    other = f"  SOMEBODY_ELSE:  # who asks for a change can never approve it\n    uid: UID\n    roles: [{role}]"
    return f"{lines_to_add([role])}\n{other}"


def _identity(app: App) -> Found:
    actor = me(app)
    if not actor.human:
        fix = f"to approve from here, add to sysop.yaml:\n{lines_to_add()}"
        return Found("you", "note", f"user {os.getuid()} is nobody in people:, and can ask but not approve", fix)
    return Found("you", "ok", f"{actor.name}, roles: {', '.join(sorted(actor.roles)) or 'none'}")


def _credentials(app: App) -> Iterator[Found]:
    """Yield whether every reference to a secret leads somewhere. Values are never shown."""
    settings, sources = app.settings, app.sources
    refs = {f"webhooks.tokens.{name}": ref for name, ref in settings.webhooks.tokens.items()}
    for name, scopes in settings.secrets.items():
        refs |= {
            f"secrets.{name}.{scope}": ref for scope, ref in (("read", scopes.read), ("write", scopes.write)) if ref
        }
    problems = [problem for key, ref in refs.items() if (problem := _unresolved(app, ref, key))]
    problems += [
        f"webhooks.tokens.{name}: no plugin has such a source; known: {', '.join(sorted(sources)) or 'none'}"
        for name in settings.webhooks.tokens
        if name not in sources
    ]
    for problem in problems:
        yield Found("secrets", "failed", problem, "set it where the reference points, or correct the reference")
    if refs and not problems:
        yield Found("secrets", "ok", f"{len(refs)} references lead to a value")
    if settings.webhooks.tokens:
        taken = ", ".join(sorted(settings.webhooks.tokens))
        yield Found("alerts", "ok", f"taken on {settings.webhooks.host}:{settings.webhooks.port} from {taken}")
    else:
        fix = f"set webhooks.tokens.SOURCE to env:NAME or file:PATH; sources: {', '.join(sorted(sources)) or 'none'}"
        yield Found("alerts", "note", "no source has a token, so no alerts are taken in", fix)


def _unresolved(app: App, ref: str, key: str) -> str:
    try:
        app.secrets.resolve(ref, key)
    except SettingsError as bad:
        return str(bad)
    return ""


def _runbooks(app: App) -> Found:
    if app.index.broken:
        first = app.index.broken[0]
        detail = f"{len(app.index.broken)} broken, first: {first.reason}"
        return Found("runbooks", "failed", detail, f"see all: {again('runbooks', 'lint')}")
    followed = sum(bool(book.steps) for book in app.index.runbooks.values())
    told = f"{len(app.index.pages)} pages, {followed} of them with steps Sysop can follow"
    if stale := app.knowledge.upkeep.shelf.library.stale:
        detail = f"{told}; {stale[0].path} cannot be read: {stale[0].reason}"
        return Found("runbooks", "failed", detail, f"see all: {again('runbooks', 'status')}")
    return Found("runbooks", "ok", told)


def _llm(app: App) -> Found:
    llm = app.settings.llm
    if llm.model is None:
        return Found("llm", "note", "none; runbooks do the work", "optional: set llm.model and llm.key")
    if importlib.util.find_spec("pydantic_ai") is None:
        fix = "in the checkout: pip install -e '.[llm]'"
        return Found("llm", "failed", f"{llm.model} is configured, and the extra llm is not installed", fix)
    if llm.key is not None and (problem := _unresolved(app, llm.key, "llm.key")):
        return Found("llm", "failed", problem, "set it where llm.key points")
    if llm.key is None and llm.base_url is None:
        return Found("llm", "failed", f"{llm.model} needs a key", "set llm.key to env:NAME or file:PATH")
    return Found("llm", "ok", f"{llm.model} at {llm.base_url or 'its provider'}; not asked")


# -- plugins' own checks --------------------------------------------------------------------------------------------


async def _health(app: App, name: str, check: HealthCheck) -> Found:
    try:
        answer = await asyncio.wait_for(check.check(app.contexts.for_plugin(app.host.plugins[name])), HEALTH_S)
    except TimeoutError:
        return Found(
            check.name, "failed", f"no answer within {HEALTH_S:g} s", f"look at what the plugin {name} talks to"
        )
    except Exception as broken:  # a plugin's check may fail in any way; the others go on
        fix = f"this is a mistake in the plugin {name}; report it to its author"
        return Found(check.name, "failed", f"the check itself failed: {type(broken).__name__}: {broken}", fix)
    status: Status = "ok" if answer.ok else "note" if answer.ok is None else "failed"
    return Found(check.name, status, answer.detail, "" if answer.ok else answer.fix)
