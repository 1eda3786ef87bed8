"""`/api/METHOD`: who calls, may they, how often, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from sysop.workspace.errors import RateLimited, SlackError
from sysop.workspace.faults import Fault
from sysop.workspace.limits import Tier
from sysop.workspace.methods.broken import unless_broken
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json, arguments


class Api:
    """Answers Web API calls."""

    def __init__(self, world: World, table: Mapping[str, Method]) -> None:
        self._world = world
        self._table = table

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        name = request.match_info["method"]
        return await unless_broken(self._world, request, name, lambda fault: self._answer(request, name, fault))

    async def _answer(self, request: web.Request, name: str, fault: Fault | None) -> web.Response:
        args: Json = {}
        status, headers = 200, {"x-oauth-scopes": ",".join(sorted(self._world.app.granted))}
        try:
            args = await arguments(request)
            token = _token(request, args)
            if fault is not None and fault.kind == "error":
                raise SlackError(fault.error)
            answer = self._call(name, token, args)
        except RateLimited as fast:
            answer, status = refused(fast), 429
            headers["Retry-After"] = str(fast.retry_after)
        except SlackError as refusal:
            answer = refused(refusal)
        self._world.log.add("api", method=name, args=args, answer=answer, status=status)
        return web.json_response(answer, status=status, headers=headers)

    def _call(self, name: str, token: str, args: Json) -> Json:
        method = self._table.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        self._authorize(method, token)
        call = Call(self._world, args)
        call.scope(*method.scopes)
        key = f"{name}:{call.text('channel')}" if method.tier is Tier.POST else name
        self._world.limiter.take(key, method.tier.value)
        answer: Json = {"ok": True} | method.handle(call)
        if call.warnings:
            answer["warning"] = ",".join(call.warnings)
            answer.setdefault("response_metadata", {})["warnings"] = call.warnings
        return answer

    def _authorize(self, method: Method, token: str) -> None:
        if method.caller is None:
            return
        if not token:
            raise SlackError("not_authed")
        kind = self._world.app.kind_of(token)
        if kind is None:
            raise SlackError("invalid_auth")
        if kind != method.caller:
            raise SlackError("not_allowed_token_type")
        if kind == "bot" and self._world.app.revoked:
            raise SlackError("token_revoked")


def _token(request: web.Request, args: Json) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    named = str(args.pop("token", ""))
    return token.strip() if scheme == "Bearer" else named


def refused(refusal: SlackError) -> Json:
    """Return the answer of a method that refuses."""
    answer: Json = {"ok": False, "error": refusal.error} | refusal.extra
    if refusal.messages:
        answer["response_metadata"] = {"messages": list(refusal.messages)}
    return answer
