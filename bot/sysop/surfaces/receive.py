"""Receive the body of a request from a stranger: bounded in size, in time, and in what all of them hold."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from sysop.delivery import Delivery
from sysop.surfaces.backlog import Share

BODY_S = 10.0
"""So long a body may take to arrive."""


class Refused(Exception):
    """A request is answered with an error. `reason` is what refusals are counted by; `again` asks for another try.

    `told` is for the log, and not for the sender.
    """

    def __init__(self, status: int, reason: str, message: str, *, again: bool = False, told: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.again = again
        self.told = told


async def receive(request: Request, max_body: int, share: Share) -> Delivery:
    """Return the delivery, not yet parsed. Raises Refused, or Full where all deliveries together hold too much."""
    try:
        async with asyncio.timeout(BODY_S):
            body = await _body(request, max_body, share)
    except TimeoutError as slow:
        # No 408: senders give up at a 4xx, and it may have been us who were slow.
        raise Refused(503, "slow", f"the body did not arrive within {BODY_S:g} s, send it again", again=True) from slow
    except ClientDisconnect as gone:
        raise Refused(400, "cut off", "the body did not arrive whole") from gone
    return Delivery(dict(request.headers), body)


async def _body(request: Request, max_body: int, share: Share) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > max_body:
            fault = f"the body is larger than {max_body} bytes"
            raise Refused(413, "too large", fault, told=f"a delivery is lost: {fault}; raise webhooks.max_body_bytes")
        share.grow(len(chunk))
        body += chunk
    return bytes(body)
