"""A way in for devices: what arrives at the Jupyter server's own port is passed on, byte for byte, to a run's listener.

Only the opening is looked at: login, origin, and which run. After that, the two ends speak WebSocket with each other;
their frames, fragments, pings and closing codes pass as they are, and whoever reads slowly slows the other down.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

from .. import handover
from ..errors import SplitlabError
from ..messages import PROTOCOL

PIECE = 1024**2  # bytes that are read at once
PATIENCE_SECONDS = 10.0  # for the listener to answer the telephone
# Of the opening, the run gets to see nothing but this: neither cookies nor tokens.
PASSED_ON = ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol")


class RelayHandler(JupyterHandler):
    """`ws/ID`: the run that was offered under this id."""

    auth_resource = "kernels"

    async def prepare(self, **keywords: Any) -> None:
        """Whoever is not logged in is refused: a device cannot follow the way to a login page."""
        await super().prepare(_redirect_to_login=False)

    @ws_authenticated
    @authorized("execute")
    async def get(self, id: str) -> None:  # type: ignore[override]
        """Connect the two ends, and stay until one hangs up."""
        self._check_opening()
        try:
            host, port = handover.loopback(handover.read("run", id)["url"])
        except SplitlabError as error:
            raise web.HTTPError(404, str(error)) from None
        try:
            run = await asyncio.wait_for(TCPClient().connect(host, port), PATIENCE_SECONDS)
        except (OSError, StreamClosedError, TimeoutError):
            raise web.HTTPError(502, "the run does not answer: it has ended, or its kernel hangs") from None
        run.set_nodelay(True)
        device: IOStream = self.detach()
        device.set_nodelay(True)
        await run.write(self._opening(host, port))
        await asyncio.gather(pump(device, run), pump(run, device))

    def _check_opening(self) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPError(400, "this is an address for devices, not for a browser: splitlab join URL")
        if PROTOCOL not in [word.strip() for word in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]:
            raise web.HTTPError(400, f"this end speaks {PROTOCOL!r} only: install the same splitlab on both ends")
        if not self.check_origin():  # of a page; a device that is no browser has none, but a token
            raise web.HTTPError(403, "this page is not from the Jupyter server")

    def _opening(self, host: str, port: int) -> bytes:
        passed_on = {name: self.request.headers[name] for name in PASSED_ON if name in self.request.headers}
        headers = {"Host": f"{host}:{port}", "Upgrade": "websocket", "Connection": "Upgrade", **passed_on}
        lines = ["GET / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")


async def pump(source: IOStream, target: IOStream) -> None:
    """Pass bytes on until one end closes, then close both; what was read is delivered first."""
    try:
        while True:
            await target.write(await source.read_bytes(PIECE, partial=True))
    except StreamClosedError:
        source.close()
        target.close()
