"""The Jupyter server's part: Netron, a way in for devices, consoles on a run's kernels, notebooks, a doctor's page.

Everything is under `{base_url}splitlab/` and asks for the same login as JupyterLab itself. No torch is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join

from .. import handover
from .consoles import KernelsHandler
from .netron import NetronHandler
from .notebooks import OpenHandler
from .relay import RelayHandler
from .report import DoctorHandler

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

ROUTES: tuple[tuple[str, type], ...] = (
    (r"netron/([0-9a-f]{32})/([\w.-]*)", NetronHandler),
    (r"ws/([0-9a-f]{32})", RelayHandler),
    (r"doctor", DoctorHandler),
    (r"open/([\w-]+)", OpenHandler),
    (r"kernels", KernelsHandler),
)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where the Jupyter server finds the extension."""
    return [{"module": "splitlab.server_extension"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the routes, and remove what kernels that crashed have left."""
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(".*$", [(url_path_join(base, "splitlab", path), to) for path, to in ROUTES])
    try:
        handover.sweep()
    except (OSError, handover.HandoverError) as error:
        server.log.warning("splitlab: %s", error)
