"""A fresh ipykernel on this machine as a place. Kernels carry control; tensors travel on the link only."""

from __future__ import annotations

import ast
import atexit
import json
import os
import re
import threading
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import PlanError, RunError
from .job import Job, Values

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

READY_SECONDS = 60.0
IMPORT = "from splitlab import compiler, memory; import splitlab.places.work; memory.keep(); compiler.postpone()"
# The work is done in a thread: the shell stays free for a console, whatever that does to its names.
BEGIN = "import json; from splitlab.places import work; work.aside({kind!r}, json.loads({values!r}), {end!r})"
END = "from splitlab.places import work; result = work.current.outcome()"
LOOK_SECONDS = 0.1  # how often a kernel at work is looked after
ANSI = re.compile(r"\x1b\[[0-9;]*m")
_living: weakref.WeakSet[KernelJob] = weakref.WeakSet()


class Kernel:
    """A new ipykernel, started through jupyter_client with this Python; it is gone when the work or its parent is.

    ipykernel ends itself when its parent dies; `cancel`, the end of the work and the exit of this process kill it.
    """

    def __init__(self) -> None:
        missing = [name for name in ("jupyter_client", "ipykernel") if find_spec(name) is None]
        if missing:
            raise PlanError(
                f"kernels need {' and '.join(missing)}: pip install 'splitlab[lab]', or use sl.start(..., on='thread')"
            )

    def launch(self, kind: str, values: Callable[[], Values]) -> Job:
        """Start the kernel in the background; imports are done before `values` is asked."""
        job = KernelJob(kind)
        threading.Thread(target=job._run, args=(values,), name=f"splitlab {kind} kernel", daemon=True).start()
        return job

    def __repr__(self) -> str:
        return "Kernel()"


class KernelJob(Job):
    """Work in a kernel: one cell makes it ready, one does it, and the kernel's process is ended."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.manager: KernelManager | None = None
        self._cancel = self._kill
        self._killing = threading.Lock()
        self._folder = TemporaryDirectory(prefix="splitlab-")
        _living.add(self)

    @property
    def process_id(self) -> int | None:
        """The kernel's process, while there is one."""
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    @property
    def connection_file(self) -> str | None:
        """The file by which another client of Jupyter reaches this kernel, while there is one."""
        return getattr(self.manager, "connection_file", None)

    def _run(self, values: Callable[[], Values]) -> None:
        client = None
        try:
            client = self._start()
            self._execute(client, IMPORT)
            self._enter("ready")
            text = json.dumps(dict(values()))
            end = str(Path(self._folder.name) / "end")
            self._begun(self._execute(client, BEGIN.format(kind=self.kind, values=text, end=end), "work.current.about"))
            self._attend(client, Path(end))
            self._done(self._execute(client, END, "result"))
        except RunError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"the {self.kind}'s kernel failed: {type(error).__name__}: {error}")
        finally:
            if client is not None:
                client.stop_channels()
            self._kill()

    def _start(self) -> BlockingKernelClient:
        from jupyter_client.manager import KernelManager

        # Sockets in a folder of our own, where the system has such: no port is open for others to find.
        transport = "tcp" if os.name == "nt" else "ipc"
        folder = Path(self._folder.name)
        manager = KernelManager(kernel_name="python3", transport=transport, connection_file=str(folder / "kernel.json"))
        # Worker threads that spin while they wait would take the other kernels' cores.
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        with self._killing:
            if self.ended:
                raise RunError(f"the {self.kind} was cancelled")
            with (folder / "log").open("w") as log:
                manager.start_kernel(env=environment, stdout=log, stderr=log)
            self.manager = manager
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=READY_SECONDS)
        except RuntimeError as error:
            raise RunError(f"the {self.kind}'s kernel did not start: {error}") from None
        return client

    def _execute(self, client: BlockingKernelClient, code: str, expression: str = "None") -> dict[str, Any]:
        """Run a cell, and return an expression's value, which is made of plain values."""
        asked = client.execute(code, store_history=False, user_expressions={"value": expression})
        while True:
            self._read_log(client)
            try:
                reply = client.get_shell_msg(timeout=0.2)
            except Empty:
                if not (self.manager and self.manager.is_alive()):
                    raise RunError(self._death()) from None
                continue
            if reply["parent_header"].get("msg_id") == asked:
                break
        content = reply["content"]
        if content["status"] != "ok":
            trace = ANSI.sub("", "\n".join(content.get("traceback", [])))
            raise RunError(f"{content.get('ename')}: {content.get('evalue')}\n\n{trace}")
        return ast.literal_eval(content["user_expressions"]["value"]["data"]["text/plain"]) or {}

    def _attend(self, client: BlockingKernelClient, end: Path) -> None:
        """Until the work has ended, which a file says: whatever a console does in the kernel, this is not lost."""
        while not end.exists():
            self._read_log(client, LOOK_SECONDS)
            if not (self.manager and self.manager.is_alive()):
                raise RunError(self._death())
        self._read_log(client)

    def _read_log(self, client: BlockingKernelClient, seconds: float = 0) -> None:
        """Take what was printed; wait so long for the first of it."""
        while True:
            try:
                message = client.get_iopub_msg(timeout=seconds)
            except Empty:
                return
            seconds = 0
            if message["msg_type"] == "stream":
                self.log.append(message["content"]["text"])

    def _death(self) -> str:
        process = getattr(getattr(self.manager, "provisioner", None), "process", None)
        code = process.returncode if process else None
        why = f"killed by signal {-code}" if code and code < 0 else f"exit code {code}"
        hint = "; signal 9 often means that the machine ran out of memory" if code == -9 else ""
        words = "".join(self.log) + (Path(self._folder.name) / "log").read_text(errors="replace")
        return f"the {self.kind}'s kernel died ({why}{hint}). Its last words: {words[-500:] or 'none'}"

    def _kill(self) -> None:
        """End the kernel's process, however far it has come; once."""
        with self._killing:
            manager, self.manager = self.manager, None
            if manager is not None:
                manager.shutdown_kernel(now=True)
            self._folder.cleanup()


@atexit.register
def _kill_all() -> None:
    for job in list(_living):
        job.cancel()
