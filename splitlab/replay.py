"""Plays a recorded run again, at any speed: the same face as a run, without kernels and without torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import PlanError
from .history import RUN, History, Row
from .plan import Plan
from .standing import Standing
from .summary import Summary

INFINITY = float("inf")


class Replay:
    """A run that is over, as if it went on: `history` grows, `status()` and `devices()` follow from its rows.

    Nothing runs in between: whoever asks sees what is due by then. Time begins with the first question. `speed` may be
    changed at any time; infinite: everything at once. Safe to use from several threads.
    """

    def __init__(
        self, source: History | Path | str, speed: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        recorded = source if isinstance(source, History) else History.read(source)
        self.about = recorded.about
        if "plan" not in self.about:
            raise PlanError(
                "this recording does not say what was run: expected a first line with the plan, as runs write it; "
                "sl.History.read(...) reads its rows all the same"
            )
        self._began = Plan().change(**self.about["plan"])
        self._rows = list(recorded)
        self._due = _due(self._rows)
        self._standing = Standing(self._began, self.about.get("steps_per_epoch") or [0] * self._began.clients)
        self._history = History(about=self.about)
        self._clock = clock
        self._speed = _speed(speed)
        self._position = 0.0  # seconds of the run that were played
        self._last: float | None = None  # when that was; None: nobody looked yet
        self._next = 0
        self._paused = self._stopped = False
        self._lock = threading.RLock()

    # ---- steering ----------------------------------------------------------------------------------------------------

    @property
    def speed(self) -> float:
        """How many seconds of the run pass in one."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self._lock:
            self._advance()
            self._speed = _speed(speed)

    def pause(self) -> None:
        """Hold the time."""
        with self._lock:
            self._advance()
            self._paused = True

    def resume(self) -> None:
        """Let it go on."""
        with self._lock:
            self._advance()
            self._paused = False

    def stop(self) -> None:
        """End here: no further rows."""
        with self._lock:
            self._advance()
            self._stopped = True

    kill = stop  # nothing has to be ended by force

    def set(self, **values: Any) -> None:
        """Only `paused` can change: what was recorded cannot."""
        others = sorted(values.keys() - {"paused"})
        if others:
            raise PlanError(f"this is a recording: {', '.join(others)} cannot change; start a run for that")
        if "paused" in values:
            (self.pause if values["paused"] else self.resume)()

    # ---- what is seen ------------------------------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """The rows so far."""
        self._advance()
        return self._history

    @property
    def plan(self) -> Plan:
        """The plan, with the settings that were changed so far."""
        self._advance()
        return self._standing.plan

    @property
    def ended(self) -> bool:
        """Whether all was played, or it was stopped."""
        with self._lock:
            self._advance()
            return self._stopped or self._next == len(self._rows)

    @property
    def state(self) -> str:
        """As of a run: starting, training, paused, finished, stopped or failed."""
        return str(self.status()["state"])

    @property
    def summary(self) -> Summary:
        """Accuracy, bytes and time per sample so far."""
        return Summary.of(self.history, self._began.codec)

    def status(self) -> dict[str, Any]:
        """What the status line shows, see `Standing.status`."""
        with self._lock:
            self._advance()
            status = self._standing.status()
            done = self._next == len(self._rows)
            if self._stopped or (done and status["state"] not in ("finished", "failed")):
                status |= {"state": "stopped", "seconds_left": 0.0}
            elif self._paused and not done:
                status |= {"state": "paused", "seconds_left": None}
            elif status["seconds_left"] is not None:
                status["seconds_left"] /= self._speed
            return status

    def devices(self) -> list[dict[str, Any]]:
        """The devices as they were."""
        with self._lock:
            self._advance()
            return self._standing.devices()

    def __repr__(self) -> str:
        length = self._due[-1] if self._due else 0.0
        return f"Replay({self._began.model} on {self._began.data}: {min(self._position, length):.1f} of {length:.1f} s)"

    # ---- time --------------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Show the rows that are due."""
        with self._lock:
            now = self._clock()
            passed, self._last = 0.0 if self._last is None else now - self._last, now
            if self._paused or self._stopped:
                return
            self._position = INFINITY if self._speed == INFINITY else self._position + passed * self._speed
            end = self._next
            while end < len(self._due) and self._due[end] <= self._position:
                end += 1
            rows, self._next = self._rows[self._next : end], end
            if rows:
                self._standing.take(rows)
                self._history.add(row[1:] for row in rows)


def _due(rows: list[Row]) -> list[float]:
    """When each row comes, in seconds since the first. They keep their order, though clients' clocks may differ."""
    due: list[float] = []
    for row in rows:
        latest = due[-1] if due else 0.0
        due.append(latest if row.client == RUN else max(latest, row.time - rows[0].time))
    return due


def _speed(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise PlanError(f"speed is {value!r}: expected a number above 0, such as 2 for twice as fast; pause() holds it")
    return float(value)
