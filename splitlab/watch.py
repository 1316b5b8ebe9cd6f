"""What there is to see of a run: its standing by rows, what its jobs know better, and what a recording says of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from . import __version__
from .errors import RunError
from .graph import Graph
from .graph.drawing import drawing
from .history import Row
from .measure import machine
from .places import Job, Place
from .plan import Plan
from .predict import traffic
from .standing import Standing

LOG_TAIL = 4000  # characters of a device's log that are shown


class Watch:
    """A standing that one thread feeds and others ask. `notice` is what the run itself has to say."""

    def __init__(self, plan: Plan, steps_per_epoch: Sequence[int], places: tuple[Place, Place]) -> None:
        self.notice = ""
        self._standing = Standing(plan, steps_per_epoch)
        self._lock = threading.Lock()
        self._places = {"client": places[0], "server": places[1]}
        self._began = time.monotonic()
        self._seconds: float | None = None  # that it took, once it has ended

    def take(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows as they come from the server, without their sequence numbers."""
        with self._lock:
            self._standing.take(Row(0, *row) for row in rows)

    def end(self) -> None:
        """The run has ended: its time stands still."""
        self._seconds = time.monotonic() - self._began

    def status(self, state: str, failure: RunError | None) -> dict[str, Any]:
        """The status line; see `Standing.status`. `error` is one sentence, `traceback` all that is known of it."""
        with self._lock:
            status = self._standing.status(time.time())
        seconds = self._seconds if self._seconds is not None else time.monotonic() - self._began
        left = status["seconds_left"] if state == "training" else None if self._seconds is None else 0.0
        error = str(failure or "")
        return status | {
            "state": state,
            "seconds": seconds,
            "seconds_left": left,
            "error": error.partition("\n\n")[0],
            "traceback": error,
            "notice": "" if error else self.notice or status["notice"],
        }

    def devices(self, jobs: Mapping[str, Job], dismissed: Collection[str]) -> list[dict[str, Any]]:
        """The server and the clients; see `Standing.devices`. `connection_file` is for a console on a kernel here."""
        with self._lock:
            devices = self._standing.devices()
        for device in devices:
            device["place"] = type(self._places[device["role"]]).__name__.lower()
            if job := jobs.get(device["name"]):
                device |= _facts(job, device, device["name"] in dismissed)
        return devices


def about(plan: Plan, graph: Graph, steps_per_epoch: Sequence[int]) -> dict[str, Any]:
    """What a recording says of itself, so that it can be shown and replayed without the network."""
    sizes = traffic(graph, plan.codec, plan.gradient_codec, tail=plan.tail, batch=plan.batch_size)
    return {
        "splitlab": __version__,
        "plan": json.loads(plan.to_json()),
        "steps_per_epoch": list(steps_per_epoch),
        "drawing": drawing(graph),
        "costs": {name: {"up": up, "down": down, "seconds": None} for name, (up, down) in sizes.items()},
        "machine": machine(),
    }


def _facts(job: Job, device: Mapping[str, Any], dismissed: bool) -> dict[str, Any]:
    """What the job knows better than the rows; while it is at work these say what it does."""
    told = device["state"]
    states = {"done": "finished", "cancelled": "killed" if dismissed else "stopped"}
    if told == "finished" and not dismissed:
        states["cancelled"] = told
    if told not in ("starting", "lost"):
        states["running"] = told
    return {
        "state": states.get(job.state, job.state),
        "process_id": getattr(job, "process_id", None) or device["process_id"],
        "connection_file": getattr(job, "connection_file", None),
        "log": "".join(job.log)[-LOG_TAIL:],
        "error": str(job.error or device["error"]),
    }
