"""A run: a plan being carried out by a server and clients, each in its place; started, steered, watched, ended."""

from __future__ import annotations

import queue
import secrets
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from . import handover, models
from .check import settle
from .data import Data, batch_count, load_data
from .errors import LinkClosed, PlanError, RunError, unknown
from .graph import Graph, trace
from .half import scatter
from .history import RUN, History
from .messages import Drop, Message, Rows, Settings, Stop
from .owner import Owner
from .places import Job, Place, place
from .places.work import save_split
from .plan import Plan
from .policy.sharing import sharing_of
from .progress import Bars
from .server import AGAIN, check_live, token
from .share import parts
from .summary import Summary, phases
from .watch import Watch, about

STATES = ("starting", "training", "paused", "stopping", "finished", "stopped", "failed")
BEGIN_SECONDS = 120.0  # for a server to be ready: a small machine takes its time to import torch
STOP_SECONDS = 30.0  # for clients to end their step when asked to stop
BY_HAND = "shut down by hand"
LAST_WORDS_SECONDS = 5.0  # for the error of a place whose end has already shown otherwise


def start(
    model: nn.Module | Graph | str | None = None,
    data: Data | str | None = None,
    plan: Plan | None = None,
    *,
    on: str | Place = "kernel",
    server_on: str | Place | None = None,
    record: Path | str | None = None,
    **settings: Any,
) -> Run:
    """Start a run and return at once; what cannot work raises `PlanError` before anything is started.

    `model` and `data` are objects, or names as in the plan; a model that is traced already (`sl.trace`) is not traced
    again. `settings` are those of `Plan`. Clients run `on` a place (`kernel`, `thread`), and the server too unless
    `server_on` says other. Rows are also written to `record`, as JSON lines, if given.
    """
    before, plan = plan, (plan or Plan()).change(**settings)
    loaded = data if isinstance(data, Data) else load_data(data or plan.data)
    if isinstance(model, Graph):
        graph, name = model, plan.model if before or "model" in settings else type(model.model).__name__
    else:
        network = model if isinstance(model, nn.Module) else models.load(model or plan.model, loaded, seed=plan.seed)
        name = model if isinstance(model, str) else type(model).__name__ if model else plan.model
        graph = trace(network, loaded.example)
    plan = settle(plan.change(model=name, data=loaded.reference or loaded.name), graph, loaded)
    return Run(plan, graph, loaded, place(on), place(server_on or on), record)


class Run:
    """A run under way. Its thread only carries messages; computing happens in the places.

    `state` is one of `STATES`; `history` grows while it goes on; `model` and `summary` are there at any time after.
    """

    def __init__(
        self, plan: Plan, graph: Graph, data: Data, on: Place, server_on: Place, record: Path | str | None = None
    ) -> None:
        self.plan, self.graph, self.data = plan, graph, data
        self.steps_per_epoch = [batch_count(len(part), plan.batch_size) for part in parts(data, plan)]  # by client
        self.history = History(record, about=about(plan, graph, self.steps_per_epoch))
        self.state = "starting"
        self.error: RunError | None = None
        self.jobs: dict[str, Job] = {}
        self._began = plan
        self._epochs = [0] * plan.clients  # that each client has been through
        self._joined: set[int] = set()
        self._left: dict[int, str] = {}  # clients that did not reach the end, and why
        self._watch = Watch(plan, self.steps_per_epoch, (on, server_on))
        self._dismissed: set[str] = set()  # devices that were shut down by hand
        self._gone: set[int] = set()  # clients that the server has let go
        self._restarts: set[int] = set()  # clients to be started anew once the server has let them go
        self._places = on, server_on
        self._commands: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._weights: dict[int, Mapping[str, Tensor]] = {}
        self._killed, self._offered = False, ""
        self._url: Future[str] = Future()  # where the server listens
        self._thread = threading.Thread(target=self._carry_out, name="splitlab run", daemon=True)
        self._thread.start()

    # ---- steering ----------------------------------------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        """Change `codec`, `gradient_codec` or `learning_rate` live; the history names the first step of each."""
        check_live(values)
        if self.ended or self.state == "stopping":
            raise PlanError(f"the run is {self.state}: too late to set anything; start another with sl.start(...)")
        self.plan = self.plan.change(**values)
        if "paused" in values:
            self.state = "paused" if self.plan.paused else "training" if self._joined else "starting"
        self._commands.put(Settings(0, values))

    def pause(self) -> None:
        """Hold every client after the step in hand."""
        self.set(paused=True)

    def resume(self) -> None:
        """Go on after a pause."""
        self.set(paused=False)

    def stop(self) -> None:
        """End after the step in hand, with the weights as they are; `wait()` returns when that is done."""
        if not self.ended and self.state != "stopping":
            self.state = "stopping"
            self._commands.put(Stop("stopped by hand"))

    def offer(self) -> str:
        """Let devices come through this machine's Jupyter server; returns the path under its base URL.

        Only those who may use that server get that far, and a client needs its token all the same. Waits until the
        run's server listens; the path leads nowhere any more once the run has ended.
        """
        self._offered = self._offered or handover.offer_run(self._url.result(BEGIN_SECONDS))
        return f"splitlab/ws/{self._offered}"

    def kill_device(self, name: str) -> None:
        """Shut one kernel down, as Jupyter's own button does: `server`, or `client 0`.

        A client is let go and the others go on; the run fails when nobody is left, and when it is the server.
        """
        job = self._device(name)
        self._dismissed.add(name)
        job.cancel()
        self._watch.notice = f"{name} was {BY_HAND}" + ("" if name == "server" else "; the others go on without it")

    def restart_device(self, name: str) -> None:
        """Give a client, gone or not, a new kernel: it begins with the next round, on the merged weights.

        `RunError` where that cannot be: for the server, and where clients keep weights of their own.
        """
        if self._device(name).state == "done":
            raise RunError(f"{name} has been through all its epochs: there is nothing left to do for it")
        if name == "server":
            raise RunError(
                "the server holds what the run has learnt so far and cannot be restarted: start the run again"
            )
        if not sharing_of(self._began).merges:
            raise RunError(
                f"{name} keeps its weights to itself (sharing {self._began.sharing!r}), so they are gone with its "
                "kernel: start the run again, or use a sharing that merges weights, such as 'average'"
            )
        self.kill_device(name)
        self._watch.notice = f"{name} is being restarted; it goes on with the next round"
        self._restarts.add(int(name.removeprefix("client ")))

    def _device(self, name: str) -> Job:
        if name not in self.jobs:
            raise unknown("device", name, self.jobs)
        if self.ended or self.state == "stopping":
            raise RunError(f"the run is {self.state}, and {name} with it: start another with sl.start(...)")
        return self.jobs[name]

    def kill(self) -> None:
        """End everything now; the history stays."""
        self._killed = True
        for job in list(self.jobs.values()):
            job.cancel()
        self._thread.join(STOP_SECONDS)

    def wait(self, timeout: float | None = None, progress: bool = True, epochs: int | None = None) -> Run:
        """Wait for the end, or until every client has been through so many epochs, with progress bars.

        Raises what failed, with the traceback of where it did. An interrupt ends the run and everything that it
        started; `TimeoutError` leaves it running.
        """
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        bars = Bars([steps * (epochs or self.plan.epochs) for steps in self.steps_per_epoch], progress)
        try:
            while self._thread.is_alive() and not (epochs and min(self._epochs) >= epochs):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the run is still {self.state} after {timeout:g} s; it goes on")
                self._thread.join(0.1)
                bars.update(self.history)
        except TimeoutError:
            raise
        except BaseException:
            self.kill()
            raise
        finally:
            bars.close()
        if self.error:
            raise self.error
        return self

    # ---- what came of it ---------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in ("finished", "stopped", "failed")

    def status(self) -> dict[str, Any]:
        """The status line as plain values: see `Standing.status`; here with what went wrong, and its traceback."""
        return self._watch.status(self.state, self.error)

    def devices(self) -> list[dict[str, Any]]:
        """The server and the clients as plain values: see `Standing.devices`; with places, logs and errors."""
        return self._watch.devices(self.jobs, self._dismissed)

    @property
    def summary(self) -> Summary:
        """Accuracy, bytes and time per sample so far; its repr is the table, a column for each codec."""
        stretches = phases(self.history, self._began.codec)
        if len(stretches) == 1:
            return replace(stretches[0], label=self.plan.baseline or stretches[0].label)
        return replace(Summary.of(self.history, "whole run"), phases=tuple(stretches))

    @property
    def model(self) -> nn.Module:
        """The whole trained network, joined again; client 0's, where each has its own."""
        return self.model_of(min(self._weights, default=0))

    def model_of(self, client: int) -> nn.Module:
        """One client's whole trained network."""
        if client not in self._weights:
            raise RunError(
                f"there are no trained weights of client {client}: the run is {self.state}"
                + (f"; there are those of {sorted(self._weights)}" if self._weights else "")
            )
        split = self.graph.split(self.plan.cut, self.plan.tail)
        scatter(self._weights[client], split.parts)
        return split.join()

    def __repr__(self) -> str:
        plan = self.plan
        how = plan.baseline or f"cut after {' and '.join(repr(cut) for cut in (plan.cut, plan.tail) if cut)}"
        clients = f"{plan.clients} client{'s' if plan.clients > 1 else ''}"
        epochs = f"{min(self._epochs)} of {plan.epochs} epochs"
        return f"Run({plan.model} on {self.data.name}, {how}, {clients}: {self.state}, {epochs})"

    # ---- the thread that carries messages ----------------------------------------------------------------------------

    def _carry_out(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="splitlab-"))
        end = "failed"
        try:
            end = self._attend(self._launch(folder))
            failures = self._failures()
            self.error = RunError("\n\n".join(failures)) if failures else None
        except Exception as error:
            self.error = self._explain(error)
        finally:
            for job in self.jobs.values():
                job.cancel()
            if not self._url.done():
                self._url.set_exception(RunError("the run ended before its server listened"))
            if self._offered:
                handover.withdraw(self._offered)
            self.history.close()
            shutil.rmtree(folder, ignore_errors=True)
            if self._killed:
                self.error, end = None, "stopped"
            self._watch.end()
            self.state = "failed" if self.error else end

    def _failures(self) -> list[str]:
        """What became of clients that did not reach the end; whoever was shut down by hand did nothing wrong."""
        failures = []
        for client, reason in sorted(self._left.items()):
            if (name := f"client {client}") in self._dismissed:
                continue
            job = self.jobs[name]
            with suppress(RunError, TimeoutError):
                job.result(LAST_WORDS_SECONDS)
            failures.append(f"{name} failed: {job.error or reason}")
        if self._left and not failures and len(self._left) == self._began.clients:
            failures.append(f"every client was {BY_HAND}, so nobody is left to train: start the run again")
        return failures

    def _explain(self, error: Exception) -> RunError:
        """What went wrong first: the server's own error says more than the broken link that followed from it."""
        server = self.jobs.get("server")
        if "server" in self._dismissed:
            return RunError(f"the server was {BY_HAND}, and no run goes on without it: start the run again")
        if isinstance(error, LinkClosed) and server and not self._killed:
            with suppress(RunError, TimeoutError):
                server.result(LAST_WORDS_SECONDS)
        if server and server.error:
            return RunError(f"the server failed: {server.error}")
        if isinstance(error, RunError):
            return error
        return RunError(f"the run failed: {type(error).__name__}: {error}\n\n{traceback.format_exc()}")

    def _launch(self, folder: Path) -> Owner:
        """Make all places ready at once; the clients' values wait for the server's url."""
        on, server_on = self._places
        secret, plan = secrets.token_hex(16), self._began
        (folder / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        split = self.graph.split(plan.cut, plan.tail)
        save_split(split, folder)
        shapes = [list(self.graph.shape(name)) for name in split.body.inputs] if split.body else []
        values = {"folder": str(folder), "secret": secret, "classes": len(self.data.classes), "shapes": shapes}
        server = self.jobs["server"] = server_on.launch("server", lambda: values)
        reference = self.data.reference or self.data.save(folder)

        def client_values(client: int) -> dict[str, Any]:
            url = server.about(BEGIN_SECONDS)["url"]
            return {"url": url, "client": client, "token": token(secret, "client", client), "data": reference}

        def client_again(client: int) -> dict[str, Any]:
            return {**client_values(client), "token": token(secret, AGAIN, client)}

        self._launch_again = lambda client: on.launch("client", partial(client_again, client))
        for client in range(plan.clients):
            self.jobs[f"client {client}"] = on.launch("client", partial(client_values, client))
        self._url.set_result(server.about(BEGIN_SECONDS)["url"])
        return Owner(self._url.result(), token(secret, "owner"))

    def _attend(self, owner: Owner) -> str:
        """Pass commands on, take rows in, let go of clients that failed; returns how the run ended."""
        stop_by = float("inf")
        try:
            while True:
                message = owner.hear(0.05)
                if isinstance(message, Rows) and (end := self._take(message)):
                    break
                while not self._commands.empty():
                    command = self._commands.get()
                    owner.say(command)
                    if isinstance(command, Stop):
                        stop_by = time.monotonic() + STOP_SECONDS
                self._let_go_of_failed(owner)
                if self._killed or time.monotonic() > stop_by:
                    raise RunError(f"the clients did not stop within {STOP_SECONDS:.0f} s")
            self._collect(owner)
        finally:
            owner.close()
        return end

    def _let_go_of_failed(self, owner: Owner) -> None:
        """Tell the server whom nobody needs to wait for; start those anew that are to be."""
        for name, job in self.jobs.items():
            if name == "server":
                if job.error or job.state == "cancelled":
                    raise job.error or RunError("the server was cancelled")
                continue
            reason = str(job.error) if job.error else BY_HAND if job.state == "cancelled" else ""
            if reason and (client := int(name.removeprefix("client "))) not in self._left:
                self._left[client] = reason
                owner.say(Drop(client, reason if name in self._dismissed else "its job failed"))
        for client in self._restarts & self._gone:
            self._restarts.discard(client)
            self.jobs[f"client {client}"] = self._launch_again(client)

    def _take(self, message: Rows) -> str:
        """Add rows; returns how the run ended, once the server says so."""
        self.history.add(message.rows)
        self._watch.take(message.rows)
        if self.state == "starting" and self._joined:
            self.state = "training"
        end = ""
        for _, client, epoch, _, name, value, _ in message.rows:
            if client == RUN:
                end = value if name == "state" else end
            elif name == "joined":
                self._joined.add(client)
                if client in self._gone:  # and is back
                    self._gone.discard(client)
                    self._dismissed.discard(f"client {client}")
                    self._left.pop(client, None)
                    self._epochs[client] = epoch
                    self._watch.notice = f"client {client} is back, and goes on with the next round"
            elif name in ("step", "test_accuracy"):
                self._epochs[client] = max(self._epochs[client], epoch + (name == "test_accuracy"))
            elif name == "left":
                self._epochs[client] = self._began.epochs  # nobody waits for it
                self._gone.add(client)
                if value:
                    self._left.setdefault(client, value)
        return end

    def _collect(self, owner: Owner) -> None:
        """Fetch what was trained; one network, where all have the same."""
        clients = sorted(self._joined - set(self._left))
        for client in clients:
            weights, rows = owner.collect(client)
            self._weights[client] = weights
            for message in rows:
                self._take(message)
            if sharing_of(self._began).merges:
                self._weights = dict.fromkeys(clients, weights)
                break
