"""Find and load plugins. A broken one is reported and left out; it never stops the start unless it is required."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from sysop import hookspecs
from sysop.actions import Action
from sysop.errors import PluginError, SettingsError
from sysop.extension import (
    AlertSource,
    ChangeSource,
    HealthCheck,
    MetricSource,
    PlannerFactory,
    PluginContext,
    SilenceMirror,
    SlashCommand,
)
from sysop.inventory import nearest
from sysop.model import Actor, AuditEntry, Call, Decision, Verdict
from sysop.page_source import PageSource
from sysop.plugin import NAME, Plugin, assemble

GROUP = "sysop"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """One line of `sysop plugins`. `problem` is None for a plugin that works."""

    name: str
    version: str
    origin: str
    actions: int = 0
    problem: str | None = None


@dataclass
class Host:
    """All plugins of one process. Build it with `load`."""

    manager: pluggy.PluginManager
    plugins: dict[str, Plugin] = field(default_factory=dict)
    report: list[Loaded] = field(default_factory=list)
    actions: dict[str, Action] = field(default_factory=dict)
    commands: dict[str, SlashCommand] = field(default_factory=dict)

    def find(self, name: str) -> Action | None:
        """Return an action by its full name."""
        return self.actions.get(name)

    def alert_sources(self) -> dict[str, AlertSource]:
        """Return the alert sources by name."""
        return {source.name: source for plugin in self.plugins.values() for source in plugin.sources}

    def change_sources(self) -> list[ChangeSource]:
        """Return the places that are asked what was changed."""
        found: list[ChangeSource] = []
        for implementation in self.manager.hook.register_change_sources.get_hookimpls():
            plugin = self.plugins.get(implementation.plugin_name)
            if plugin is not None:
                told: Any = implementation.function(*([plugin.settings] if implementation.argnames else []))
                found.extend(replace(source, plugin=plugin.name) for source in told)
        return sorted(found, key=lambda source: (source.plugin, source.name))

    def metric_sources(self) -> dict[str, MetricSource]:
        """Return what answers the queries of watches, by name; of two with one name the first plugin's."""
        found: dict[str, MetricSource] = {}
        for name in self.plugins:
            implementation = getattr(self.manager.get_plugin(name), "register_metric_sources", None)
            for source in implementation() if implementation else ():
                found.setdefault(source.name, replace(source, plugin=name))
        return found

    def silence_mirror(self) -> SilenceMirror | None:
        """Return where silences hold besides, with the full names of its actions; the first by name of several."""
        found: list[SilenceMirror] = []
        for name, plugin in self.plugins.items():
            implementation = getattr(self.manager.get_plugin(name), "register_silence_mirrors", None)
            for one in implementation() if implementation else ():
                actions = {"silence": f"{name}.{one.silence}", "unsilence": f"{name}.{one.unsilence}"}
                if one.connected(plugin.settings):
                    found.append(replace(one, **actions))
        return min(found, key=lambda one: one.name, default=None)

    def runbook_folders(self) -> list[Path]:
        """Return the folders of runbooks that plugins bring."""
        return [Path(found) for found in self._runbooks() if isinstance(found, str | Path)]

    def page_sources(self) -> list[PageSource]:
        """Return the other places with pages that plugins bring."""
        return [found for found in self._runbooks() if not isinstance(found, str | Path)]

    def _runbooks(self) -> list[Any]:
        return list(_flat(self.manager.hook.register_runbooks()))

    def planners(self) -> dict[str, PlannerFactory]:
        """Return further planners by name."""
        return {factory.name: factory for factory in _flat(self.manager.hook.register_planners())}

    def health_checks(self) -> list[tuple[str, HealthCheck]]:
        """Return (plugin, check) for `sysop doctor`."""
        found: list[tuple[str, HealthCheck]] = []
        for name in self.plugins:
            implementation = getattr(self.manager.get_plugin(name), "register_health_checks", None)
            found.extend((name, check) for check in (implementation() if implementation else ()))
        return found

    def judge(self, call: Call, action: Action, actor: Actor) -> list[Decision]:
        """Ask every plugin to tighten policy. An exception means forbid."""
        answers: list[Decision] = []
        for implementation in self.manager.hook.judge.get_hookimpls():
            given: dict[str, Any] = {"call": call, "action": action, "actor": actor}
            answer: Any
            try:
                answer = implementation.function(*(given[name] for name in implementation.argnames))
                if not isinstance(answer, Decision | None):
                    raise TypeError(f"judge must return a Decision or None, not {type(answer).__name__}")
            except Exception as broken:  # a safety hook that fails must not open the gate
                log.exception("plugin %s failed to judge %s", implementation.plugin_name, action.name)
                reason = f"the plugin failed to judge the call: {type(broken).__name__}"
                answer = Decision(Verdict.FORBID, f"plugin {implementation.plugin_name}", reason)
            if answer is not None:
                answers.append(answer)
        return answers

    def observe(self, entry: AuditEntry) -> None:
        """Show an audit entry to every plugin that wants it; their errors go no further."""
        for implementation in self.manager.hook.observe.get_hookimpls():
            try:
                implementation.function(*([entry] if implementation.argnames else []))
            except Exception:  # an observer cannot veto what is already committed
                log.exception("plugin %s failed to observe entry %s", implementation.plugin_name, entry.id)

    def start(self, context: Callable[[Plugin], PluginContext]) -> None:
        """Call every plugin's startup with its own context."""
        self._each("startup", context)

    def stop(self, context: Callable[[Plugin], PluginContext]) -> None:
        """Call every plugin's shutdown."""
        self._each("shutdown", context)

    def _each(self, hook: str, context: Callable[[Plugin], PluginContext]) -> None:
        for plugin in self.plugins.values():
            function = getattr(self.manager.get_plugin(plugin.name), hook, None)
            if function is None:
                continue
            try:
                function(context(plugin))
            except Exception:  # one plugin's trouble at start or stop is not the others'
                log.exception("plugin %s failed in %s", plugin.name, hook)


def _flat(answers: Iterable[Iterable[Any]]) -> list[Any]:
    return [item for answer in answers for item in answer or ()]


def load(
    sections: Mapping[str, Mapping[str, Any]],
    *,
    folder: Path | None = None,
    required: Iterable[str] = (),
    points: Iterable[EntryPoint] | None = None,
) -> Host:
    """Load every plugin: entry points of the group `sysop`, then the files of a folder.

    Raises SettingsError for a wrong or unknown section and PluginError for a required plugin that is missing or broken.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    host = Host(manager)
    for point in sorted(entry_points(group=GROUP) if points is None else points, key=lambda p: p.name):
        _load_one(host, point.name, _distribution(point), f"entry point {point.value}", point.load, sections)
    for file in sorted(folder.glob("*.py")) if folder else ():
        _load_one(host, file.stem, _digest(file), f"file {file}", lambda file=file: _module(file), sections)  # type: ignore[misc]
    _check_sections(host, sections)
    _check_required(host, required)
    return host


def _distribution(point: EntryPoint) -> str:
    try:
        return point.dist.version if point.dist else version("sysop")
    except PackageNotFoundError:
        return "0"


def _digest(file: Path) -> str:
    """Return a version that changes with the file, so that an approval of the old code is none of the new."""
    try:
        return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    except OSError:
        return "unreadable"  # loading it says why


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sysop_plugin_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise PluginError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load_one(
    host: Host,
    name: str,
    release: str,
    origin: str,
    load_module: Callable[[], Any],
    sections: Mapping[str, Mapping[str, Any]],
) -> None:
    taken = host.manager.has_plugin(name)
    try:
        if not NAME.fullmatch(name):
            raise PluginError(f"the name {name!r} must match {NAME.pattern}")
        if taken:
            raise PluginError("there is a plugin of this name already")
        module = load_module()
        host.manager.register(module, name=name)
        host.manager.check_pending()
        plugin = assemble(name, release, module, sections.get(name, {}), host.manager)
        _check_clash(host, plugin)
    except SettingsError:
        raise
    except (Exception, SystemExit) as broken:  # a plugin may fail in any way; the report names it
        log.debug("plugin %s is broken", name, exc_info=True)
        if not taken and host.manager.has_plugin(name):
            host.manager.unregister(name=name)
        said = str(broken) if isinstance(broken, PluginError) else f"{type(broken).__name__}: {broken}"
        host.report.append(Loaded(name, release, origin, problem=said))
        return
    host.plugins[name] = plugin
    host.actions.update({action.name: action for action in plugin.actions})
    host.commands.update({command.name: command for command in plugin.commands})
    host.report.append(Loaded(name, release, origin, actions=len(plugin.actions)))


def _check_clash(host: Host, plugin: Plugin) -> None:
    sources = [source.name for source in plugin.sources]
    if twice := {name for name in sources if sources.count(name) > 1 or name in host.alert_sources()}:
        raise PluginError(f"the alert source {sorted(twice)[0]} exists already")
    names = [command.name for command in plugin.commands]
    if twice := {name for name in names if names.count(name) > 1 or name in host.commands}:
        raise PluginError(f"the command {sorted(twice)[0]} exists already")
    if clash := {action.name for action in plugin.actions} & set(host.actions):
        raise PluginError(f"the action {sorted(clash)[0]} exists already")


def _check_sections(host: Host, sections: Mapping[str, Any]) -> None:
    known = {loaded.name for loaded in host.report}
    for name in sections:
        if name not in known:
            raise SettingsError(f"plugins.{name}: there is no such plugin{nearest(name, known)}")


def _check_required(host: Host, required: Iterable[str]) -> None:
    for name in required:
        if name not in host.plugins:
            problem = next((loaded.problem for loaded in host.report if loaded.name == name), "it is not installed")
            raise PluginError(f"required_plugins: {name} cannot be used: {problem}")
