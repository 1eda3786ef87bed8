"""Whether what the settings name is there: programs of this machine, and servers that answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from sysop.api import ActionFailed, Health, PluginContext
from sysop_plugins.cicd.connect import builds_folder
from sysop_plugins.cicd.local.settings import PipelineSettings
from sysop_plugins.cicd.local.spawning import command_path
from sysop_plugins.cicd.settings import Settings

_FIX = """\
declare a pipeline in sysop.yaml:
  plugins:
    cicd:
      local:
        pipelines:
          deploy:
            command: [/opt/deploy, "{service}", "{version}"]
            parameters: [service, version]
            deploys: true"""
_PATIENCE_S = 5.0


async def check(ctx: PluginContext) -> Health:
    """Check every pipeline's program and every provider's server, and tell of the first that is not there.

    No credential is at hand here: a server is well that answers, were it to say that it wants one.
    """
    settings: Settings = ctx.settings
    count = len(settings.declared())
    if not count:
        return Health(None, "no pipeline is declared: nothing can be deployed or rolled back", _FIX)
    if (broken := _broken(settings)) is not None:
        return broken
    servers = dict(_servers(settings))
    for name, address in servers.items():
        if (failed := await _failed(ctx, address)) is not None:
            fix = f"check the address under plugins.cicd.{name} and that it can be reached from here"
            return Health(False, f"{name}: {failed}", fix)
    local = [f"builds in {builds_folder(settings, ctx.state)}"] if settings.local.pipelines else []
    where = [*local, *(f"{name} answers at {address}" for name, address in servers.items())]
    return Health(True, f"{count} pipelines, {', '.join(where)}")


def _broken(settings: Settings) -> Health | None:
    pipelines = settings.local.pipelines
    broken = {name: problem for name, p in sorted(pipelines.items()) if (problem := _problem(p))}
    if not broken:
        return None
    name, problem = next(iter(broken.items()))
    fix = f"correct plugins.cicd.local.pipelines.{name} (command, directory) in sysop.yaml, or install the program"
    return Health(False, f"{len(broken)} of {len(pipelines)} pipelines cannot start: {name}: {problem}", fix)


def _problem(pipeline: PipelineSettings) -> str | None:
    if pipeline.directory is not None and not pipeline.directory.is_dir():
        return f"directory {pipeline.directory} does not exist"
    program = pipeline.command[0]
    if "/" in program and pipeline.directory is not None:
        program = str(pipeline.directory / program)  # leaves an absolute path as it is
    return None if shutil.which(program, path=command_path()) else f"{program} is not an executable program"


def _servers(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.github is not None:
        yield "github", settings.github.api
    for name, section in (
        ("gitlab", settings.gitlab),
        ("jenkins", settings.jenkins),
        ("argocd", settings.argocd),
        ("buildbot", settings.buildbot),
    ):
        if section is not None:
            yield name, section.url


async def _failed(ctx: PluginContext, address: str) -> str | None:
    """Return why a server is not there, None where it answers."""
    try:
        answer = await ctx.http.request("GET", address, timeout=_PATIENCE_S)
    except (ActionFailed, OSError) as failed:
        return str(failed)
    return f"{address} answers {answer.status}" if answer.status >= 500 else None
