"""The one thread that writes what a screen shows: commands from a queue, and a tick several times a second.

Callbacks of widgets run in different threads in different kernels, or wait while a cell is at work; so they only put
commands here, and nothing else writes traits.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

HERTZ = 12.0  # of what moves: more cannot be seen, and a Jupyter server drops messages that come too fast


class Pump:
    """Runs commands and ticks in order, in a daemon thread that starts with the first command.

    `failed` gets every exception of a command or a tick; the pump goes on. `tick` returns whether there is more to
    come: without that the thread sleeps until the next command.
    """

    def __init__(self, tick: Callable[[], bool], failed: Callable[[Exception], None], hertz: float = HERTZ) -> None:
        self._tick, self._failed, self._seconds = tick, failed, 1 / hertz
        self._commands: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def do(self, command: Callable[[], Any]) -> None:
        """Run a command in the pump's thread, after those before it. From any thread; nothing after `close`."""
        if self._closed:
            return
        self._commands.put(command)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="splitlab pump", daemon=True)
                self._thread.start()

    def aside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do something long in a thread of its own, and `then` something with its result in the pump's."""

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                problem = error
                self.do(lambda: self._failed(problem))
            else:
                self.do(lambda: then(result))

        threading.Thread(target=run, name="splitlab aside", daemon=True).start()

    def close(self, last: Callable[[], Any] = lambda: None) -> None:
        """Run what was asked before and a `last` command, then end; nothing is done any more.

        Where no thread ran, `last` runs at once: at the exit of an interpreter no thread can be started.
        """
        if self._closed:
            return
        if self._thread is None:
            self._closed = True
            self._guard(last)
            return
        self.do(last)
        self._closed = True
        self._commands.put(None)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end after `close`."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        due: float | None = 0.0  # when the next tick is; None: when there is a command
        while True:
            try:
                command = self._commands.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
            except queue.Empty:
                due = time.monotonic() + self._seconds if self._guard(self._tick) else None
                continue
            if command is None:
                return
            self._guard(command)
            due = time.monotonic() if due is None else due

    def _guard(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:
            self._failed(error)
            return True
