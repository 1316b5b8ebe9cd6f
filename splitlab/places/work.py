"""What can be launched in a place: the server of a run, or one of its clients, described by plain values.

`begin(kind, values)` makes it ready and `about` says what others must know (the server's url); `finish()` does the
work and returns plain values. A kernel, a thread and a device's own command line all do just these two things.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from .. import spec
from ..client import Client
from ..data import load_data
from ..dial import converse
from ..errors import RunError, unknown
from ..history import RUN, History
from ..link import MemoryListener, WebSocketListener
from ..measure import machine, peak_memory
from ..plan import Plan
from ..server import Server, serve
from ..share import Share
from ..split import Split
from ..standing import FACTS

Values = Mapping[str, Any]


class Working(Protocol):
    """Work that is ready to be done."""

    about: dict[str, Any]

    def finish(self) -> dict[str, Any]:
        """Do it, to the end."""

    def cancel(self) -> None:
        """Give up soon; said from another thread."""


class ServerWork:
    """Values: `folder` (of plan and parts), `secret`, `classes`, and `memory` for links within this process."""

    def __init__(self, values: Values) -> None:
        folder = Path(values["folder"])
        plan = Plan.from_json((folder / "plan.json").read_text(encoding="utf-8"))
        torch.set_num_threads(plan.threads)
        split = load_split(folder)
        shapes = [tuple(shape) for shape in values["shapes"]]
        history = History()
        history.add([(time.time(), RUN, 0, 0, "machine", json.dumps(machine()), FACTS)])
        self.server = Server(plan, split, shapes, values["classes"], values["secret"], history)
        self.listener = MemoryListener() if values.get("memory") else WebSocketListener()
        self.about = {"url": self.listener.url}

    def finish(self) -> dict[str, Any]:
        """Serve until the owner is done."""
        try:
            serve(self.listener, self.server)
        finally:
            self.listener.stop()
        return {"memory": peak_memory()}

    def cancel(self) -> None:
        """Hang up on everyone."""
        self.server.over = True


class ClientWork:
    """Values: `url` of the server, `client` number, `token`, and `data`, which `load_data` understands."""

    def __init__(self, values: Values) -> None:
        self.about: dict[str, Any] = {}
        self._url = values["url"]
        data = load_data(values["data"])

        def share(plan: Plan) -> Share:
            torch.set_num_threads(plan.threads)
            return Share(data, plan, values["client"])

        self.client = Client(values["client"], values["token"], share)

    def finish(self) -> dict[str, Any]:
        """Take part until the run is over."""
        try:
            converse(self.client, self._url)
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
                raise
            raise RunError(
                f"client {self.client.number} is out of memory ({error}): use a smaller batch_size than "
                f"{self.client.plan.batch_size}, or an earlier cut"
            ) from error
        return {"steps": self.client.step, "memory": peak_memory()}

    def cancel(self) -> None:
        """Leave."""
        self.client.cancelled = True


KINDS: dict[str, type[ServerWork] | type[ClientWork]] = {"server": ServerWork, "client": ClientWork}


def begin(kind: str, values: Values) -> Working:
    """Make a server or a client ready."""
    if kind not in KINDS:
        raise unknown("kind of work", kind, KINDS)
    return KINDS[kind](values)


class Aside:
    """Work that goes on in a thread of this process; a file appears at `end` once it has ended, well or not."""

    def __init__(self, working: Working, end: Path) -> None:
        self.working, self.about = working, working.about
        self.result: dict[str, Any] = {}
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(end,), name="splitlab work", daemon=True)
        self._thread.start()

    def _work(self, end: Path) -> None:
        try:
            self.result = self.working.finish()
        except BaseException as error:
            self._error = error
        finally:
            end.touch()

    def outcome(self) -> dict[str, Any]:
        """What it returned; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.result

    def __repr__(self) -> str:
        state = "at work" if self._thread.is_alive() else "ended"
        return f"{type(self.working).__name__}: {state}"


current: Aside | None = None  # what this process does in a thread; a kernel does one thing


def aside(kind: str, values: Values, end: str) -> None:
    """Make a server or a client ready, and begin it in a thread of its own: it is `current` then."""
    global current
    current = Aside(begin(kind, values), Path(end))


def save_split(split: Split, folder: Path) -> None:
    """Write each part as one file: what it does and its weights."""
    for name, part in split.parts.items():
        (folder / f"{name}.safetensors").write_bytes(spec.save(part))


def load_split(folder: Path) -> Split:
    """Read the parts that `save_split` wrote."""
    return Split(
        **{
            name: spec.read(path.read_bytes())
            for name in ("head", "body", "tail")
            if (path := folder / f"{name}.safetensors").exists()
        }
    )
