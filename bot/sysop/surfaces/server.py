"""An ASGI server inside our own loop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from sysop.errors import SettingsError


def listen(host: str, port: int) -> socket.socket:
    """Listen, on a free port where the port is 0. Raises SettingsError where it is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as bad:
        listener.close()
        raise SettingsError(f"webhooks: cannot listen on {host}:{port}: {bad.strerror}; set webhooks.port") from bad
    return listener


class Server:
    """Serves on a listening socket until `stop`."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Serve, and return the address."""
        import uvicorn

        config = uvicorn.Config(
            self._app,
            log_config=None,  # its own would print errors past the handler that takes secrets out of them
            log_level="warning",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=5,
            ws="none",
        )
        self._server = _quiet(uvicorn.Server)(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        # The socket listens already: a request that comes before uvicorn has started waits in its backlog.
        host, port = self._listener.getsockname()[:2]
        return f"http://{host}:{port}"

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Stop listening and finish the requests under way, until `hurry` at the latest."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        while not self._task.done():
            self._server.force_exit = hurry is not None and hurry.is_set()
            await asyncio.wait({self._task}, timeout=0.1)
        self._task.result()


def _quiet(server: Any) -> Any:
    """Return the server class without its own signal handlers: the process has one owner."""
    from contextlib import nullcontext

    return type("Server", (server,), {"capture_signals": lambda self: nullcontext()})
