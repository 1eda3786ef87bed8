"""CI/CD: look at pipelines and builds, deploy, roll back."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import Action, Health, HealthCheck, PluginContext, hookimpl
from sysop_plugins.cicd import build_actions, deploy_actions
from sysop_plugins.cicd.connect import builds_folder
from sysop_plugins.cicd.local.spawning import command_path
from sysop_plugins.cicd.settings import PipelineSettings, Settings

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


async def _health(ctx: PluginContext) -> Health:
    settings: Settings = ctx.settings
    pipelines = settings.local.pipelines
    if not pipelines:
        return Health(None, "no pipeline is declared: nothing can be deployed or rolled back", _FIX)
    broken = {name: problem for name, p in sorted(pipelines.items()) if (problem := _problem(p))}
    if broken:
        name, problem = next(iter(broken.items()))
        return Health(False, f"{len(broken)} of {len(pipelines)} pipelines cannot start: {name}: {problem}", _fix(name))
    return Health(True, f"{len(pipelines)} pipelines, builds in {builds_folder(settings, ctx.state)}")


def _problem(pipeline: PipelineSettings) -> str | None:
    if pipeline.directory is not None and not pipeline.directory.is_dir():
        return f"directory {pipeline.directory} does not exist"
    program = pipeline.command[0]
    if "/" in program and pipeline.directory is not None:
        program = str(pipeline.directory / program)  # leaves an absolute path as it is
    return None if shutil.which(program, path=command_path()) else f"{program} is not an executable program"


def _fix(name: str) -> str:
    return f"correct plugins.cicd.local.pipelines.{name} (command, directory) in sysop.yaml, or install the program"


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the reads and the changes."""
    return [
        build_actions.pipelines,
        build_actions.status,
        build_actions.logs,
        build_actions.builds,
        build_actions.pipeline_health,
        deploy_actions.recent_deploys,
        deploy_actions.live_version,
        build_actions.trigger,
        build_actions.rerun,
        build_actions.cancel,
        deploy_actions.deploy,
        deploy_actions.rollback,
    ]


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return the pipelines and how services are deployed and judged."""
    return Settings


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    """Check that every pipeline's program is there."""
    return [HealthCheck("cicd", _health)]
