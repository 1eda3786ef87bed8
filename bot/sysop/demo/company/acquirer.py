"""The external party that settles card payments. Nobody in the company can change it, and it can be down."""

from __future__ import annotations

from sysop.demo.company import wire
from sysop.demo.company.wire import Request, Response

PATH = "/authorise"


class Acquirer:
    """Answers at an address of its own."""

    def __init__(self) -> None:
        self._socket = wire.open_socket()
        self._server = wire.Server(self._handle)
        self._server.listen(self._socket)
        self.url = wire.address(self._socket) + PATH
        self.up = True

    def close(self) -> None:
        """Stop answering."""
        self._server.close()

    async def _handle(self, _: Request) -> Response:
        return wire.text_response("authorised" if self.up else "we are down for maintenance", 200 if self.up else 503)
