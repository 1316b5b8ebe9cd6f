"""Shows a model in Netron: Netron's own files, so patched that nothing outside is ever asked, and the model itself."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from .. import handover
from ..errors import SplitlabError

MODEL = "model.pt2"
KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".ico": "image/x-icon",
    ".png": "image/png",
}
# Should a later Netron ask for something outside after all, the browser refuses; and only our own pages may frame it.
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
PIECE = 1024**2  # bytes
# What a stock page would do: ask a service where the user is, ask for consent to analytics, stop after 180 days.
PATCHES = (
    (r'<meta name="version" content="[^"]*">', '<meta name="version" content="0.0.0">'),  # "not packaged": no analytics
    (r'<meta name="date" content="[^"]*">', f'<meta name="file" content="{MODEL}">'),  # no date: never too old
)


class NetronHandler(JupyterHandler):
    """`netron/ID/` is the page, `netron/ID/model.pt2` the model, anything else one of Netron's own files."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self, id: str, name: str) -> None:
        """One file."""
        try:
            model = handover.find("model", id)
        except SplitlabError as error:
            raise web.HTTPError(404, str(error)) from None
        home = netron_home()
        if home is None:
            raise web.HTTPError(404, "Netron is not installed beside this server: pip install 'splitlab[lab]'")
        self.set_header("Content-Security-Policy", POLICY)  # JupyterHub's own would forbid any frame
        self.set_header("X-Content-Type-Options", "nosniff")
        if name == MODEL:
            await self._send(model, "application/octet-stream")
        elif not name:
            self.set_cookie("consent", "1", path=self.request.path, samesite="Strict")
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(page(home))
        else:
            await self._send(*own_file(home, name))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """One plain sentence: it stands in a frame, where Jupyter's own page would look lost."""
        error = kwargs.get("exc_info", (None, None))[1]
        said = error.log_message if isinstance(error, web.HTTPError) else None
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(said or f"this did not work ({status_code}): the Jupyter server's log says why")

    async def _send(self, path: Path, kind: str) -> None:
        """In pieces, each when the one before has left."""
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "private, max-age=86400")  # the address is this model's alone
        with path.open("rb") as file:
            self.set_header("Content-Length", str(path.stat().st_size))
            while piece := file.read(PIECE):
                self.write(piece)
                await self.flush()


def netron_home() -> Path | None:
    """Where Netron's files are; None if it is not installed."""
    spec = find_spec("netron")
    return Path(spec.origin).parent if spec and spec.origin else None


def page(home: Path) -> str:
    """Netron's page for one model, patched; an error if it no longer looks as expected."""
    text = (home / "index.html").read_text(encoding="utf-8")
    for pattern, replacement in PATCHES:
        text, count = re.subn(pattern, replacement, text)
        if count != 1:
            raise web.HTTPError(500, f"this version of Netron is not known here: {pattern} is missing in its page")
    return text


def own_file(home: Path, name: str) -> tuple[Path, str]:
    """One of Netron's own files and its type; 404 for anything that is none."""
    path = home / name
    if path.suffix not in KINDS or path.parent != home or not path.is_file():
        raise web.HTTPError(404, f"Netron has no file {name!r}")
    return path, KINDS[path.suffix]
