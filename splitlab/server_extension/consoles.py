"""Lets JupyterLab open a console on a kernel that a run has started, without ever owning it.

The kernel belongs to the process that started it. Here it is only listed, so closing a console, "Shut Down All" or
the end of this server never end it; and when its connection file goes, it goes from the list.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
from tornado import web
from tornado.ioloop import PeriodicCallback

from .. import handover
from ..errors import SplitlabError

LOOK_SECONDS = 2.0  # how often it is looked which kernels are gone
NAME = "python3"  # the kernelspec whose icon and language a console shows


class KernelsHandler(APIHandler):
    """`kernels`: a kernel that was offered becomes one that JupyterLab knows."""

    auth_resource = "kernels"

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Takes {"id": …} and answers {"kernel_id": …}, the same for the same kernel."""
        given = self.get_json_body()
        id = given.get("id") if isinstance(given, dict) else None
        if not isinstance(id, str):
            raise web.HTTPError(400, 'expected {"id": "…"}, the id that the kernel was offered under')
        try:
            consoles: Consoles = self.settings.setdefault("splitlab_consoles", Consoles(self.kernel_manager))
            self.finish({"kernel_id": consoles.add(id)})
        except SplitlabError as error:
            raise web.HTTPError(404, str(error)) from None


class Consoles:
    """Kernels of others in the list of the Jupyter server's own."""

    def __init__(self, kernels: MappingKernelManager) -> None:
        self._kernels = kernels
        self._known: dict[str, tuple[str, Any]] = {}  # by the id they were offered under: kernel id and entry
        self._looking = PeriodicCallback(self.look, LOOK_SECONDS * 1000)

    def add(self, id: str) -> str:
        """The kernel's id; `HandoverError` if it is gone."""
        said = handover.read("kernel", id)
        known = self._known.get(id)
        if known and known[0] in self._kernels:
            return known[0]
        try:
            connection = json.loads(Path(said["connection_file"]).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError):
            raise handover.HandoverError("this kernel has ended: there is nothing to open a console on") from None
        kernel_id = self._kernels.new_kernel_id()
        self._known[id] = kernel_id, self._list(kernel_id, connection)
        if not self._looking.is_running():
            self._looking.start()
        return kernel_id

    def _list(self, kernel_id: str, connection: dict[str, Any]) -> Any:
        """The entry that jupyter_server expects of a kernel, as it makes one for its own `external_connection_dir`."""
        entry = self._kernels.kernel_manager_factory(parent=self._kernels, log=self._kernels.log, owns_kernel=False)
        entry.load_connection_info(connection)
        entry.kernel_id, entry.kernel_name, entry.execution_state = kernel_id, NAME, "idle"
        entry.ready.set_result(None)
        self._kernels._kernels[kernel_id] = entry
        self._kernels._kernel_connections[kernel_id] = 0
        self._kernels._kernel_ports[kernel_id] = entry.ports
        self._kernels.start_watching_activity(kernel_id)
        return entry

    def look(self) -> None:
        """Take kernels off the list that are gone, so that their consoles say "dead" rather than wait."""
        for id, (kernel_id, entry) in list(self._known.items()):
            with suppress(SplitlabError):
                if kernel_id in self._kernels and Path(handover.read("kernel", id)["connection_file"]).exists():
                    continue
            del self._known[id]
            entry.execution_state = "dead"
            if kernel_id in self._kernels:
                self._kernels.stop_watching_activity(kernel_id)
                self._kernels.remove_kernel(kernel_id)
        if not self._known:
            self._looking.stop()
