"""Signing in at a master, which knows no tokens: a name and a password give a cookie."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

from sysop.api import ActionFailed, Context, Response
from sysop_plugins.cicd.buildbot.settings import BuildbotSettings
from sysop_plugins.remote.wire import Wire, retry_after

SETTING = "plugins.cicd.buildbot.password_secret"
_COOKIE = re.compile(r"(TWISTED_(?:SECURE_)?SESSION\w*=[^;,\s]+)")
_ACCEPT = {"accept": "application/json"}
_SIGNED_IN = frozenset({200, 302})
_NOTHING = "not found while getting from"


async def signed_in(ctx: Context, settings: BuildbotSettings) -> Wire:
    """Return the master as the user of the settings sees it, or as anybody does where they name none."""
    anybody = Wire(ctx.http, "buildbot", settings.url, _ACCEPT, SETTING, settings.timeout, retry_after, said)
    if settings.user is None or settings.password_secret is None:
        return anybody
    given = base64.b64encode(f"{settings.user}:{ctx.secret(settings.password_secret)}".encode()).decode()
    door = replace(anybody, headers={**_ACCEPT, "authorization": f"Basic {given}"})
    answer = await door.plain("/auth/login", ok=_SIGNED_IN)
    return replace(anybody, headers={**_ACCEPT, "cookie": _cookie(answer)})


def _cookie(answer: Response) -> str:
    """Return the last cookie of an answer: the one before it is of the session that nobody had signed in to yet."""
    cookies = _COOKIE.findall(answer.headers.get("set-cookie", ""))
    if not cookies:
        raise ActionFailed(f"buildbot: the sign-in gave no session; see plugins.cicd.buildbot.user and {SETTING}")
    return str(cookies[-1])


def said(answer: Response) -> str:
    """Return why the master refused: one text, or one for each parameter that does not fit."""
    try:
        body = json.loads(answer.text)
    except ValueError:
        return answer.text
    error = body.get("error", "") if isinstance(body, dict) else ""
    message = error.get("message", "") if isinstance(error, dict) else error
    if isinstance(message, dict):
        return "; ".join(f"{name}: {problem}" for name, problem in sorted(message.items()))
    return "" if str(message).startswith(_NOTHING) else str(message)
