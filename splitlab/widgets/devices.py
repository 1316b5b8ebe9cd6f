"""The server and the clients of a run: where each is, how it is, and what it has sent; with Jupyter's own verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from traitlets import Bool, Dict, List

from .bundle import Bundled

EVENTS = ("kill", "restart", "console")
FIGURES = ("last_seen", "bytes_up", "bytes_down", "epoch", "step", "memory")  # what changes with every step
HELD_BACK = ("connection_file",)  # with the key to a kernel in it, which is no business of the page
LOG_LINES = 60  # of each device that travel to the page


class Devices(Bundled, bundle="devices"):
    """Shows `Standing.devices()`. `on_event` hears `{"type": "kill" | "restart" | "console", "name": "client 0"}`.

    What seldom changes and what changes with every step travel apart: 40 clients cost some kilobytes a second. Of a
    `recorded` run there is nothing to kill or to restart.
    """

    machines: Any = List().tag(sync=True)  # the rest, one dict for each device
    figures = Dict().tag(sync=True)  # {name: [a value for each of FIGURES]}
    recorded = Bool(False).tag(sync=True)
    devices: Any = List()  # as they were shown last, whole

    def __init__(self, *, recorded: bool = False) -> None:
        super().__init__(recorded=recorded)
        self._listeners: list[Callable[[dict[str, Any]], object]] = []
        self.on_msg(self._hear)

    def on_event(self, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call back with every event: it must only pass it on, to where work is done."""
        self._listeners.append(callback)

    # ---- called by whoever pumps -------------------------------------------------------------------------------------

    def show(self, devices: Iterable[Mapping[str, Any]]) -> None:
        """Show these, in this order; none before a run and after a reset."""
        shown = [dict(device) for device in devices]
        with self.hold_sync():
            self.devices = shown
            self.machines = [_slow(device) for device in shown]
            self.figures = {device["name"]: [_whole(device.get(name)) for name in FIGURES] for device in shown}

    def answer(self, name: str, connection: str = "", problem: str = "") -> None:
        """Answer a "console" event: with a connection for JupyterLab to open, or with why there is none."""
        self.send({"type": "console", "name": name, "connection": connection, "problem": problem})

    # ------------------------------------------------------------------------------------------------------------------

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        """Say that it was heard, so that the page knows that the kernel listens; then pass it on."""
        if not isinstance(content, dict):
            return
        self.send({"type": "heard", "id": content.get("id")})
        event = {"type": content.get("type"), "name": content.get("name")}
        if event["type"] in EVENTS and isinstance(event["name"], str):
            for callback in self._listeners:
                callback(event)


def _slow(device: Mapping[str, Any]) -> dict[str, Any]:
    log = device.get("log") or ""
    lines = (log if isinstance(log, str) else "".join(log)).splitlines()
    rest = {name: value for name, value in device.items() if name not in (*FIGURES, *HELD_BACK)}
    return rest | {"log": "\n".join(lines[-LOG_LINES:])}


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
