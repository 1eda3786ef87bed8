"""The part of Argo CD's API that pipelines need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sysop.api import ActionFailed, Context, Response
from sysop_plugins.cicd.argocd import replies
from sysop_plugins.cicd.argocd.settings import ArgoSettings
from sysop_plugins.remote.wire import Wire, retry_after

_OK = frozenset({200})


class Api:
    """Argo CD as one call sees it. Where `project` is None, the server may answer 403 for what is not there."""

    def __init__(self, ctx: Context, settings: ArgoSettings) -> None:
        name = "plugins.cicd.argocd.token_secret"
        headers = {"authorization": f"Bearer {ctx.secret(settings.token_secret)}"}
        self._wire = Wire(
            ctx.http, "argocd", f"{settings.url}/api/v1", headers, name, settings.timeout, retry_after, _said
        )

    async def app(self, name: str, project: str | None) -> replies.App:
        """Return an application."""
        return await self._wire.read(replies.APP, _at(name), **_in(project))

    async def apps(self, project: str | None) -> tuple[replies.App, ...]:
        """Return every application the token may see."""
        projects = {"projects": project} if project else {}
        return (await self._wire.read(replies.APPS, "/applications", **projects)).items

    async def revision(self, name: str, project: str | None, revision: str) -> replies.Revision:
        """Return what Git says of a revision."""
        path = f"{_at(name)}/revisions/{quote(revision, safe='')}/metadata"
        return await self._wire.read(replies.REVISION, path, **_in(project))

    async def note(self, name: str, project: str | None, annotations: Mapping[str, str], *, pause: bool) -> None:
        """Write annotations, and switch automated sync off where it is to pause.

        An annotation alone is no change to what runs: what is refused after it is refused as if nothing had been sent.
        """
        patch: dict[str, Any] = {"metadata": {"annotations": dict(annotations)}}
        if pause:
            patch["spec"] = {"syncPolicy": {"automated": None}}
        body = {"name": name, "patch": json.dumps(patch), "patchType": "merge", **_in(project)}
        await self._wire.change("PATCH", _at(name), body, ok=_OK)
        self._wire.changed = pause

    async def sync(self, name: str, project: str | None, revision: str, infos: Mapping[str, str]) -> replies.App:
        """Ask for a sync to a revision."""
        noted = [{"name": key, "value": value} for key, value in infos.items()]
        body = {"name": name, "revision": revision, "infos": noted, **_in(project)}
        answer = await self._wire.change("POST", f"{_at(name)}/sync", body, ok=_OK)
        return self._wire.fits(replies.APP, answer)

    async def roll_back(self, name: str, project: str | None, entry: int) -> replies.App:
        """Ask for what an entry of the history had, its parameters included."""
        body = {"name": name, "id": entry, **_in(project)}
        answer = await self._wire.change("POST", f"{_at(name)}/rollback", body, ok=_OK)
        return self._wire.fits(replies.APP, answer)

    async def terminate(self, name: str, project: str | None) -> None:
        """Ask for the operation that goes on to stop."""
        query = f"?project={quote(project, safe='')}" if project else ""
        await self._wire.change("DELETE", f"{_at(name)}/operation{query}", ok=_OK)


def _at(name: str) -> str:
    return f"/applications/{quote(name, safe='')}"


def _in(project: str | None) -> dict[str, str]:
    return {"project": project} if project else {}


def _said(answer: Response) -> str:
    try:
        body = answer.json()
    except ActionFailed:
        return answer.text
    return str(body.get("message") or body.get("error") or "") if isinstance(body, dict) else ""
