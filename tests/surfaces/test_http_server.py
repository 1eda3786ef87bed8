"""The HTTP server itself: what goes wrong in an application is logged without secrets."""

from __future__ import annotations

import logging
from typing import Any

import httpx2
import pytest

from sysop.redact import RedactingFormatter
from sysop.surfaces.server import Server, listen


async def test_an_error_in_an_application_is_logged_where_secrets_are_taken_out(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A handler of the server's own would print the whole error, with the alert in it, as it was sent."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        raise RuntimeError("password=hunter2hunter2")

    with listen("127.0.0.1", 0) as listener:
        server = Server(broken, listener)
        address = await server.start()
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.get(address)).status_code == 500
        await server.stop()
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    shown = RedactingFormatter("%(message)s").format(record)
    assert "password=[redacted]" in shown
    assert "hunter2" not in shown
    assert "hunter2" not in capfd.readouterr().err
