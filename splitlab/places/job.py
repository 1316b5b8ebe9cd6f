"""A job: work that was launched in a place, with the verbs of a future."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..errors import RunError

# starting: the place is being made ready; ready: waiting for its values; running: at work; then one of three ends.
STATES = ("starting", "ready", "running", "done", "failed", "cancelled")
Values = Mapping[str, Any]


class Job:
    """Work in a place: `state`, `about()`, `result()`, `cancel()`, `log`. Its place calls `_enter`, `_done`, `_fail`.

    `about()` and `result()` wait, and raise what the work raised, with the traceback of where it happened.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.state = "starting"
        self.error: RunError | None = None
        self.log: deque[str] = deque(maxlen=1000)
        self._changed = threading.Condition()
        self._about: dict[str, Any] | None = None
        self._result: dict[str, Any] = {}
        self._cancel: Callable[[], None] = lambda: None

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in ("done", "failed", "cancelled")

    def about(self, timeout: float | None = None) -> dict[str, Any]:
        """What the work says once it has begun, such as a server's url."""
        self._wait(lambda: self._about is not None, timeout)
        return self._about or {}

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """What the work returned."""
        self._wait(lambda: False, timeout)
        return self._result

    def cancel(self) -> None:
        """End it now, whatever it does, or has ended by itself; nothing of it stays behind."""
        self._enter("cancelled")
        self._cancel()

    def _wait(self, enough: Callable[[], bool], timeout: float | None) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self.ended or enough(), timeout):
                raise TimeoutError(f"the {self.kind} is still {self.state} after {timeout:g} s")
        if self.error and not enough():
            raise self.error
        if self.state == "cancelled" and not enough():
            raise RunError(f"the {self.kind} was cancelled")

    def _enter(self, state: str) -> None:
        with self._changed:
            if not self.ended:
                self.state = state
            self._changed.notify_all()

    def _begun(self, about: dict[str, Any]) -> None:
        self._about = about
        self._enter("running")

    def _done(self, result: dict[str, Any]) -> None:
        self._result = result
        self._enter("done")

    def _fail(self, what: str, traceback: str = "") -> None:
        if not self.ended:
            self.error = RunError(f"{what}\n\n{traceback}".rstrip())
        self._enter("failed")

    def __repr__(self) -> str:
        return f"Job({self.kind}, {self.state})"


class Place(Protocol):
    """Where work can run."""

    def launch(self, kind: str, values: Callable[[], Values]) -> Job:
        """Start making the place ready and return at once; `values` is asked, and may wait, when it is ready."""
