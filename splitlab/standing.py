"""Where a run stands, told by its rows alone: the status line and the devices, the same live and in a replay."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .history import RUN, Row
from .measure import PURPOSES
from .plan import Plan

FACTS = "facts"  # the unit of a row that describes a machine, as JSON
SETTING = "setting"  # the unit of a row that names a client's first step with a new setting
WAYS = {f"{purpose}_{way}": f"bytes_{way}" for purpose in PURPOSES for way in ("up", "down")}
PACE = 200  # the newest steps tell the pace
MARKS = {"joined": "joined", "step": "training", "test_accuracy": "training", "left": "left"}


@dataclass
class Device:
    """What the rows told of one client, or of the server."""

    state: str = "starting"
    facts: dict[str, Any] = field(default_factory=dict)
    last_seen: float | None = None
    epoch: int = 0
    step: int = 0
    epochs_done: int = 0
    steps_done: int = 0
    memory: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    reason: str = ""
    bytes: dict[str, int] = field(default_factory=lambda: {"bytes_up": 0, "bytes_down": 0})


class Standing:
    """Fed with rows by `take`; `status()` and `devices()` say what follows from them.

    `steps_per_epoch` has one number for each client. Whoever carries the run out knows more (its state before the
    first row, process ids, logs, errors) and adds it to what is returned.
    """

    def __init__(self, plan: Plan, steps_per_epoch: Sequence[int]) -> None:
        self.plan, self.steps_per_epoch = plan, list(steps_per_epoch)
        self.clients = {client: Device() for client in range(len(self.steps_per_epoch))}
        self.server = Device()
        self.end = ""  # finished, stopped or failed, once the server said so
        self._began = self._newest = 0.0
        self._pace: deque[float] = deque(maxlen=PACE)  # times of the newest steps

    # ---- rows in -----------------------------------------------------------------------------------------------------

    def take(self, rows: Iterable[Row]) -> None:
        """Rows, in the order of the history."""
        for row in rows:
            self._began = self._began or row.time
            self._newest = max(self._newest, row.time)
            if row.client == RUN:
                self._about_the_run(row)
            else:
                self._about_a_client(self.clients.setdefault(row.client, Device()), row)

    def _about_the_run(self, row: Row) -> None:
        self.server.last_seen = row.time
        self.server.state = "running" if self.server.state == "starting" else self.server.state
        if row.unit == FACTS:
            self.server.facts = _facts(row.value)
        elif row.name == "state":
            self.end = self.server.state = str(row.value)

    def _about_a_client(self, device: Device, row: Row) -> None:
        device.last_seen = max(device.last_seen or 0.0, row.time)
        device.epoch, device.step = max(device.epoch, row.epoch), max(device.step, row.step)
        if row.unit == FACTS:
            device.facts = _facts(row.value)
        elif row.unit == SETTING:
            self._set(device, row)
        elif row.name in WAYS:
            device.bytes[WAYS[row.name]] += int(row.value)
        elif row.name == "memory":
            device.memory = float(row.value)
        elif row.name == "loss":
            device.loss = float(row.value)
        if row.name in MARKS:
            self._mark(device, row)

    def _mark(self, device: Device, row: Row) -> None:
        """A word or a figure from which the state follows."""
        device.state, device.reason = MARKS[row.name], ""
        if row.name == "step":
            device.steps_done += 1
            self._pace.append(row.time)
        elif row.name == "test_accuracy":
            device.accuracy, device.epochs_done = float(row.value), max(device.epochs_done, row.epoch + 1)
        elif row.name == "left":
            device.reason = str(row.value)
            device.state = "lost" if device.reason else "finished"

    def _set(self, device: Device, row: Row) -> None:
        """A setting changes the pace; a pause has none."""
        self.plan = self.plan.change(**{row.name: row.value})
        self._pace.clear()
        if row.name == "paused":
            device.state = "paused" if row.value else "training"

    # ---- what follows ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """One of `run.STATES`, as far as rows tell."""
        states = [device.state for device in self.clients.values()]
        if self.end:
            return self.end
        if "paused" in states:
            return "paused"
        return "starting" if not {"training", "finished"} & set(states) else "training"

    def status(self, now: float | None = None) -> dict[str, Any]:
        """The status line as plain values. `epoch` counts from 1 and is the slowest client's; steps are of all clients.

        `seconds` run from the first row to `now` (without it: to the newest row). `seconds_left` is None while nothing
        tells; accuracy and loss are means over clients.
        """
        there = [client for client in self.clients.values() if client.state != "lost"]
        steps, done = self._steps(), sum(client.steps_done for client in there)
        reasons = [f"client {number}: {client.reason}" for number, client in self.clients.items() if client.reason]
        state = self.state
        return {
            "state": state,
            "epoch": self._epoch(there),
            "epochs": self.plan.epochs,
            "step": min(done, steps),
            "steps": steps,
            "seconds": max(0.0, (now or self._newest) - self._began) if self._began else 0.0,
            "seconds_left": self._left(steps - done) if state == "training" else 0.0 if self.end else None,
            "accuracy": _mean(client.accuracy for client in there),
            "loss": _mean(client.loss for client in there),
            "error": "\n".join(reasons) if state == "failed" else "",
            "traceback": "\n\n".join(reasons) if state == "failed" else "",
            "notice": "; ".join(reason.splitlines()[0] for reason in reasons) if state != "failed" else "",
        }

    def devices(self) -> list[dict[str, Any]]:
        """The server and every client as plain values; `last_seen` is in seconds since the epoch, or None."""
        total = {way: sum(client.bytes[way] for client in self.clients.values()) for way in self.server.bytes}
        steps = {
            "epoch": self._epoch(list(self.clients.values())),
            "step": max((c.step for c in self._all()), default=0),
        }
        server = self._device("server", "server", self.server) | total | steps
        return [server, *(self._device(f"client {n}", "client", device) for n, device in sorted(self.clients.items()))]

    def _all(self) -> Iterable[Device]:
        return self.clients.values()

    def _device(self, name: str, role: str, device: Device) -> dict[str, Any]:
        return {
            "name": name,
            "role": role,
            "place": str(device.facts.get("place", "")),
            "state": "stopped" if device.state in ("training", "paused", "joined") and self.end else device.state,
            "facts": dict(device.facts),
            "process_id": device.facts.get("process_id"),
            "last_seen": device.last_seen,
            **device.bytes,
            "epoch": min(device.epoch + 1, self.plan.epochs) if device.steps_done else 0,
            "step": device.step,
            "memory": device.memory,
            "log": "",
            "error": device.reason,
        }

    def _steps(self) -> int:
        there = [number for number, client in self.clients.items() if client.state != "lost"]
        return (
            sum(self.steps_per_epoch[number] for number in there if number < len(self.steps_per_epoch))
            * self.plan.epochs
        )

    def _epoch(self, clients: Sequence[Device]) -> int:
        begun = [client for client in clients if client.steps_done]
        return min((min(client.epoch + 1, self.plan.epochs) for client in begun), default=0)

    def _left(self, steps: int) -> float | None:
        """At the pace of the newest steps, waits between rounds included."""
        if len(self._pace) < 3:
            return None
        return max(0, steps) * (self._pace[-1] - self._pace[0]) / (len(self._pace) - 1)


def _facts(value: object) -> dict[str, Any]:
    try:
        facts = json.loads(str(value))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None
