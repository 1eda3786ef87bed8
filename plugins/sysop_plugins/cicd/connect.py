"""From settings to the providers they name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sysop.api import Context
from sysop_plugins.cicd.argocd.provider import ArgoProvider
from sysop_plugins.cicd.buildbot.provider import BuildbotProvider
from sysop_plugins.cicd.github.provider import GitHubProvider
from sysop_plugins.cicd.gitlab.provider import GitLabProvider
from sysop_plugins.cicd.jenkins.provider import JenkinsProvider
from sysop_plugins.cicd.local.provider import LocalProvider
from sysop_plugins.cicd.provider import Provider
from sysop_plugins.cicd.providers import Providers
from sysop_plugins.cicd.settings import Settings


def provider_of(ctx: Context) -> Providers:
    """Return all providers of the settings as one.

    Each is made when it is asked first: only then is its credential read, and one that is missing is in no other's way.
    """
    settings: Settings = ctx.settings
    found: dict[str, Callable[[], Provider]] = {
        "local": partial(LocalProvider, builds_folder(settings, ctx.state), settings)
    }
    if settings.github is not None:
        found["github"] = partial(GitHubProvider, ctx, settings, settings.github)
    if settings.gitlab is not None:
        found["gitlab"] = partial(GitLabProvider, ctx, settings, settings.gitlab)
    if settings.jenkins is not None:
        found["jenkins"] = partial(JenkinsProvider, ctx, settings, settings.jenkins)
    if settings.argocd is not None:
        found["argocd"] = partial(ArgoProvider, ctx, settings, settings.argocd)
    if settings.buildbot is not None:
        found["buildbot"] = partial(BuildbotProvider, ctx, settings, settings.buildbot)
    return Providers(found, settings)


def builds_folder(settings: Settings, state: Path) -> Path:
    """Return where the local provider keeps its builds: the plugin's own folder unless settings say otherwise."""
    return settings.local.folder or state / "builds"
