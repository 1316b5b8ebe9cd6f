"""This process as a place: for tests and for stepping through with a debugger."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from .job import Job, Values
from .work import begin


class Thread:
    """Work in a thread of this process; links go through memory, or with `socket=True` through a real port.

    Torch has one number of threads per process, so a plan's `threads` changes this process's as well.
    """

    def __init__(self, socket: bool = False) -> None:
        self.socket = socket

    def launch(self, kind: str, values: Callable[[], Values]) -> Job:
        """Start it in a daemon thread. It cannot be killed: `cancel` makes it give up at its next look at the link."""
        job = Job(kind)
        threading.Thread(target=self._run, args=(job, values), name=f"splitlab {kind}", daemon=True).start()
        return job

    def _run(self, job: Job, values: Callable[[], Values]) -> None:
        try:
            job._enter("ready")
            working = begin(job.kind, {"memory": not self.socket, **values()})
            job._cancel = working.cancel
            if job.ended:  # cancelled while it was made ready
                working.cancel()
            job._begun(working.about)
            job._done(working.finish())
        except BaseException as error:
            job._fail(f"{type(error).__name__}: {error}", traceback.format_exc())

    def __repr__(self) -> str:
        return f"Thread(socket={self.socket})"
