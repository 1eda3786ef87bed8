"""The line of `sysop doctor`: does the API server answer, and which version is it?"""

from __future__ import annotations

from pydantic import ValidationError

from sysop.api import ActionFailed, Health, PluginContext
from sysop_plugins.kubernetes.settings import Settings
from sysop_plugins.kubernetes.shapes import Version

_FIX = """\
declare the cluster in sysop.yaml:
  plugins:
    kubernetes:
      url: https://kubernetes.default.svc
      token_secret: kubernetes
      namespaces: [shop]"""


async def health(ctx: PluginContext) -> Health:
    """Ask the API server whether it is ready and which version it is; both need no credential."""
    settings: Settings = ctx.settings
    if not settings.url:
        return Health(None, "no cluster is declared: nothing can be scaled or restarted", _FIX)
    try:
        ready = await ctx.http.request("GET", f"{settings.url}/readyz", timeout=settings.timeout)
        if ready.status != 200:
            return Health(False, f"{settings.url} is not ready: {ready.status}, {ready.text[:200]}", _fix())
        answer = await ctx.http.request("GET", f"{settings.url}/version", timeout=settings.timeout)
        version = Version.model_validate(answer.json()).git_version
    except (ActionFailed, ValidationError) as failed:
        return Health(False, f"{settings.url} does not answer as an API server: {failed}", _fix())
    return Health(True, f"{settings.url}, {version}, namespaces {', '.join(settings.namespaces)}")


def _fix() -> str:
    return "correct plugins.kubernetes.url, and egress.ca_file where the server has a certificate of its own authority"
