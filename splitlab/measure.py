"""Stopwatch and byte counter of one client: what each step cost, part by part, adding up to its wall time."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from . import __version__

# The parts of a step in the order in which they happen; together they are the step's wall time.
PARTS = (
    "data",
    "client_forward",
    "encode",
    "up",
    "queue",
    "server",
    "down",
    "decode",
    "client_tail",
    "client_backward",
    "update",
)
# What bytes on the wire were spent on; `bytes_up` and `bytes_down` are those of training steps.
PURPOSES = ("bytes", "evaluation", "weights", "control")


class Meter:
    """Laps between marks on one monotonic clock, and bytes by purpose.

    `mark(part)` books the time since the last mark. A wait for the server is divided into up, queue, server and down
    from the server's own stamps; its clock's offset is only known within bounds, which every exchange narrows.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = defaultdict(float)
        self.bytes: dict[str, int] = defaultdict(int)
        self.purpose = "control"
        self._last = self._start = clock()
        self._cpu = time.process_time()
        self._offset = [float("-inf"), float("inf")]

    def start(self) -> None:
        """A step begins."""
        self.seconds.clear()
        self._last = self._start = self.clock()
        self._cpu = time.process_time()

    def mark(self, part: str) -> None:
        """Book the time since the last mark to a part."""
        now = self.clock()
        self.seconds[part] += now - self._last
        self._last = now

    def waited(self, at: float, stamps: Mapping[str, float]) -> None:
        """Divide the time since the last mark until `at`, when the answer was in, by the server's stamps.

        Stamps are on the server's clock: `arrived` (the request was in), `started`, `ended` (the answer was ready).
        """
        arrived, started, ended = stamps["arrived"], stamps["started"], stamps["ended"]
        offset = self._narrow(ended - at, arrived - self._last)
        self.seconds["queue"] += started - arrived
        self.seconds["server"] += ended - started
        self.seconds["up"] += arrived - offset - self._last
        self.seconds["down"] += at - (ended - offset)
        self._last = at

    def _narrow(self, low: float, high: float) -> float:
        """The server's clock less ours: neither way can take negative time. Zero if it may be: then it is one clock."""
        self._offset = [max(self._offset[0], low), min(self._offset[1], high)]
        if self._offset[0] <= 0 <= self._offset[1]:
            return 0.0
        if self._offset[0] > self._offset[1]:  # the clocks drifted apart: begin anew
            self._offset = [low, high]
        return sum(self._offset) / 2

    def count(self, direction: str, size: int) -> None:
        """Book bytes on the wire, `up` or `down`, to what is being done."""
        self.bytes[f"{self.purpose}_{direction}"] += size

    def finish(self) -> dict[str, tuple[float, str]]:
        """End a step: its rows by name, with their units."""
        rows: dict[str, tuple[float, str]] = {part: (self.seconds[part], "s") for part in PARTS if self.seconds[part]}
        rows["step"] = (self.clock() - self._start, "s")
        rows["cpu"] = (time.process_time() - self._cpu, "s")
        rows["memory"] = (peak_memory(), "B")
        return rows | self.spent("bytes")

    def spent(self, *purposes: str) -> dict[str, tuple[float, str]]:
        """Bytes by these purposes since last asked."""
        names = [f"{purpose}_{direction}" for purpose in purposes for direction in ("up", "down")]
        return {name: (float(self.bytes.pop(name)), "B") for name in names if self.bytes[name]}


def peak_memory() -> float:
    """The most memory that this process has held so far, in bytes (0 where the system does not say)."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def machine() -> dict[str, Any]:
    """Facts about this machine, for the devices panel and for whoever reads a history later."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "splitlab": __version__,
        "cores": os.cpu_count() or 1,
        "memory": _memory(),
        "process_id": os.getpid(),
    }


def _memory() -> int:
    """Bytes of memory that the machine has (0 where the system does not say)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return 0
