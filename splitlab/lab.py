"""The lab with the mouse: the network, controls, devices and live charts of one run at a time. It only wires them."""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import handover
from .errors import CutError, PlanError, RunError, SplitlabError, unknown
from .experiment import Experiment, Recorded, Subject
from .history import History
from .plan import LIVE, Plan
from .pump import Pump
from .stretches import Stretch, Stretches
from .widgets import Comparison, Controls, CutPicker, Devices, Inspect, LiveCharts
from .widgets.layout import column, linked, row, tabs

if TYPE_CHECKING:
    from torch import nn

    from .data import Data

IDLE = {"state": "idle"}
INSTEAD = "<{0.plan.model} on {0.plan.data} in the lab of splitlab: run this cell to see it>"
ENOUGH_STEPS = 20  # of a stretch, before its time per sample is compared with the prediction
_open: weakref.ref[Lab] | None = None  # the lab whose run may go on


class Lab:
    """Click a cut, press Start, watch. `Lab("lenet", "digits")`, or a module and a `Data`; settings are the plan's.

    Building it starts nothing. `run` is the run that goes on or went on last, `plan` what Start would begin, `state`
    the whole lab as one line of JSON, which `restore` takes back. A new Lab closes the one before it.
    """

    def __init__(
        self,
        model: nn.Module | str | None = None,
        data: Data | str | None = None,
        plan: Plan | None = None,
        *,
        on: Any = "kernel",
        **settings: Any,
    ) -> None:
        self._on = on
        self._build(Experiment(model, data, (plan or Plan()).change(**settings), on))

    @classmethod
    def replay(cls, recording: Path | str | History, speed: float = 1.0) -> Lab:
        """A lab that plays a recorded run, `speed` times as fast as it was; needs neither torch nor kernels."""
        lab = cls.__new__(cls)
        lab._on = None
        lab._build(Recorded(recording, speed))
        return lab

    def _build(self, subject: Subject) -> None:
        self.subject, self.plan = subject, subject.plan
        self.run: Any = None  # a Run or a Replay
        self.stretches: list[Stretch] = []  # of earlier runs since the last reset
        self._began = subject.plan
        self._tally = Stretches(self.plan)
        self._offers: dict[str, str] = {}  # what the Jupyter server may see: connection files, and their ids
        self._trouble: dict[str, str] = {}  # what went wrong with the last command, until the next one
        self._seen, self._key, self._studied = 0, -1, False
        self.picker = CutPicker(subject.drawing, cut=self.plan.cut, tail=self.plan.tail)
        self.controls = Controls(self.plan, recorded=isinstance(subject, Recorded))
        self.charts, self.comparison = LiveCharts(), Comparison()
        self.devices = Devices(recorded=isinstance(subject, Recorded))
        self.inspect = Inspect()
        self._pump = Pump(self._tick, self._failed)
        self._wire()
        self._offer_cuts()
        for name, why in subject.fixed.items():
            self.controls.lock(name, why)
        self.plan = self._cut(self.plan)
        self._settle()
        if isinstance(subject, Experiment):
            self._take_the_stage()

    # ---- wiring ------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        """What people do becomes a command of the pump: callbacks run in other threads, or late."""
        for widget, answers in (
            (self.controls, {"press": self._press, "set": self._set, "paste": self._paste}),
            (self.devices, {"kill": self._kill_device, "restart": self._restart_device, "console": self._console}),
            (self.picker, {"cut": self._cut_moved}),
            (self.inspect, {"open": self._inspect}),
        ):
            widget.on_event(self._forward(answers))
        self.charts.wake = lambda: self._pump.do(self._arrived)

    def _forward(self, answers: Mapping[str, Callable[[dict[str, Any]], None]]) -> Callable[[dict[str, Any]], None]:
        def forward(event: dict[str, Any]) -> None:
            if answer := answers.get(event.get("type", "")):
                self._pump.do(lambda: self._command(lambda: answer(event)))

        return forward

    def _command(self, command: Callable[[], None]) -> None:
        self._trouble = {}
        command()

    def _take_the_stage(self) -> None:
        """One lab at a time: kernels of a cell that was run again must not go on unseen."""
        global _open
        before = _open() if _open is not None else None
        if before is not None:
            before.close("a newer lab took its place")
        _open = weakref.ref(self)

    def _arrived(self) -> None:
        """Somebody looks: time the network on this machine, once, while nothing runs."""
        if not self._studied and isinstance(self.subject, Experiment) and not self.running:
            self._studied = True
            self._pump.aside(self.subject.study, lambda profile: self._costs())
        self._show()

    # ---- what people do ----------------------------------------------------------------------------------------------

    def _press(self, event: dict[str, Any]) -> None:
        PRESSES[event["what"]](self)

    def _start(self) -> None:
        if self.running:
            raise PlanError(f"a run is {self.run.state}: stop it before another is started")
        self.controls.show({**IDLE, "state": "starting"})
        plan = self.plan.change(paused=False)
        self.run = self.subject.start(plan)
        self._seen, self._key = 0, self.charts.add(plan=self.run.plan, history=self.run.history)
        self.stretches += self._tally
        self._tally = Stretches(self.run.plan)
        self.picker.locked = True
        self._settle()

    def _running_one(self) -> Any:
        if self.run is None or self.run.ended:
            raise RunError("no run goes on: press Start first")
        return self.run

    def _reset(self) -> None:
        """Whatever the state: no kernel, no chart, the seed of the beginning."""
        self.controls.show({"state": "resetting"})
        run, self.run = self.run, None
        if run is not None:
            run.kill()
        self.charts.clear()
        self.stretches.clear()
        self._tally = Stretches(self.plan)
        self.comparison.show([])
        self.plan = self.plan.change(seed=self._began.seed, paused=False)
        self.picker.locked = False
        self._settle()

    def _restart(self) -> None:
        """End what runs, and start with the settings as they are now."""
        if self.run is not None:
            self.run.kill()
            self._take_rows()
        self._start()

    def _set(self, event: dict[str, Any]) -> None:
        """A setting: live where it can be, else for the next start."""
        name, before = event["name"], self.plan
        plan = self.controls.take(event, before)
        if plan == before:
            return
        if self.running and name in LIVE and not self._set_live(name, getattr(plan, name)):
            return
        if name in ("model", "data"):
            return self._change_network(plan)
        if name in ("cut", "tail"):
            self._choose(plan.cut, plan.tail)
        else:
            self.plan = self._cut(plan)
        self._settle()

    def _set_live(self, name: str, value: Any) -> bool:
        try:
            self.run.set(**{name: value})
        except SplitlabError as error:
            self.controls.propose(self.plan)
            self.controls.problem(name, str(error), value)
            return False
        return True

    def _change_network(self, plan: Plan) -> None:
        """Read another network; the cut goes with it where the new one has it."""
        self.controls.show({**IDLE, "notice": f"reading {plan.model} …"})
        subject = Experiment(plan.model, plan.data, plan.change(cut=None, tail=None), self._on)
        self.subject, self._studied = subject, False
        self.picker.show(subject.drawing)
        self._offer_cuts()
        self.inspect.forget()
        self.plan = self._cut(subject.plan)
        self._settle()
        self._arrived()

    def _cut(self, plan: Plan) -> Plan:
        """A plan with the cuts that the picker shows; a baseline has none."""
        return plan if plan.baseline else plan.change(cut=self.picker.cut, tail=self.picker.tail)

    def _offer_cuts(self) -> None:
        """The cuts of this network, for those who would rather choose from a menu."""
        legal = {cut["name"]: "" for cut in self.subject.drawing.get("cuts", ()) if cut["legal"]}
        for name in ("cut", "tail"):
            self.controls.offer(name, legal)

    def _cut_moved(self, event: dict[str, Any]) -> None:
        """The picker says so, whoever moved it: for the next start."""
        tail = event["tail"] if event["u_shaped"] else None
        self.plan = self.plan.change(baseline=None, cut=event["cut"], tail=tail)
        self._settle()

    def _choose(self, cut: str | None, tail: str | None) -> None:
        """Move the picker to where a plan cuts, as far as the network can be cut there."""
        try:
            self.picker.choose(cut or self.subject.drawing["default_cut"], tail)
        except CutError as error:
            self.picker.notice = str(error)
        self.plan = self._cut(self.plan.change(baseline=None))

    def _settle(self) -> None:
        """Show the plan that Start would begin, and what its cuts cost."""
        self.controls.propose(self.plan)
        self.controls.settle(self.run.plan if self.running else None)
        self._costs()
        self._show()

    def _costs(self) -> None:
        costs, tail_costs = self.subject.costs(self.plan)
        with self.picker.hold_sync():
            self.picker.codec, self.picker.gradient_codec = self.plan.codec, self.plan.gradient_codec
            self.picker.refresh(costs, tail_costs, measured={})

    def _paste(self, event: dict[str, Any]) -> None:
        try:
            self._take_over(Plan.from_json(event["text"]))
        except SplitlabError as error:
            self.controls.pasted(str(error), event["text"])
        else:
            self.controls.pasted()

    def _kill_device(self, event: dict[str, Any]) -> None:
        self._running_one().kill_device(event["name"])

    def _restart_device(self, event: dict[str, Any]) -> None:
        self._running_one().restart_device(event["name"])

    def _console(self, event: dict[str, Any]) -> None:
        name = event["name"]
        file = getattr(self._running_one().jobs.get(name), "connection_file", None)
        if file is None:
            return self.devices.answer(name, problem=f"{name} has no kernel, so it has no console")
        if file not in self._offers:
            self._offers[file] = handover.offer_kernel(file, name)
        self.devices.answer(name, self._offers[file])

    def _inspect(self, event: dict[str, Any]) -> None:
        if isinstance(self.subject, Experiment):
            graph = self.subject.graph
            self._pump.aside(lambda: self.inspect.export(graph), self.inspect.show)

    # ---- the pump's tick ---------------------------------------------------------------------------------------------

    def _tick(self) -> bool:
        """Rows into the charts, and where the run stands; whether more is to come."""
        if self.run is None:
            return self.charts.pump()
        ended = self.run.ended
        self._take_rows()
        if ended and self.picker.locked:
            self.picker.locked = False
            self._withdraw()
            self._settle()
            self._arrived()
        return self._show() or not ended

    def _take_rows(self) -> None:
        if rows := self.run.history.since(self._seen):
            self._seen = rows[-1].sequence + 1
            self.charts.take(self._key, rows)
            self._tally.take(rows)
            self._compare()

    def _compare(self) -> None:
        """Each stretch as a point, and what was measured beside what was predicted."""
        self.comparison.show([*self.stretches, *self._tally])
        last, plan = self._tally.last, self.run.plan
        predicted = self.picker.costs.get(plan.cut or "", {}).get("seconds")
        if predicted and last.steps > ENOUGH_STEPS:
            seconds = last.seconds_per_sample
            told = {"cut": plan.cut, "tail": plan.tail, "seconds": seconds, "error": predicted / seconds - 1}
            self.picker.measured = told

    def _show(self) -> bool:
        """Where the run stands; whether the charts have more to send."""
        status = self.run.status() if self.run else IDLE
        self.controls.show(status if status.get("error") else {**status, **self._trouble})
        self.devices.show(self.run.devices() if self.run else [])
        return self.charts.pump()

    def _failed(self, error: Exception) -> None:
        """An error of a command or a tick, where people see it."""
        trace = "" if isinstance(error, SplitlabError) else traceback.format_exc()
        self._trouble = {"error": str(error), "traceback": trace}
        self._show()

    # ---- for scripts, and for the cell -------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self.run is not None and not self.run.ended

    @property
    def state(self) -> str:
        """The whole lab as one line of JSON: copy it, send it, and `restore` it elsewhere."""
        return self.plan.to_json()

    def restore(self, state: str) -> None:
        """Take back what `state` was, for the next start. Raises `PlanError` for what is no such line."""
        plan = Plan.from_json(state)
        self._pump.do(lambda: self._take_over(plan))

    def _take_over(self, plan: Plan) -> None:
        if (plan.model, plan.data) != (self.plan.model, self.plan.data):
            self._change_network(plan)
        self.plan = plan.change(paused=False)
        if not plan.baseline:
            self._choose(plan.cut, plan.tail)
        self._settle()

    @property
    def summary(self) -> Any:
        """The table of the run that goes on or went on last, or what to do when there is none."""
        if self.run is None:
            return "Nothing was run yet: press Start in the lab above."
        return self.run.summary

    def press(self, what: str) -> None:
        """What the button of this name does: `start pause resume stop reset restart`."""
        if what not in PRESSES:
            raise unknown("button", what, PRESSES)
        self._pump.do(lambda: self._command(lambda: PRESSES[what](self)))

    def close(self, why: str = "closed") -> None:
        """End the run and every thread; what was drawn stays on the screen."""
        self._pump.close(lambda: self._end(why))

    def join(self, timeout: float | None = None) -> None:
        """Wait, after `close`, until everything has ended."""
        self._pump.join(timeout)

    def _withdraw(self) -> None:
        for offer in self._offers.values():
            handover.withdraw(offer)
        self._offers.clear()

    def _end(self, why: str) -> None:
        self._withdraw()
        if self.run is not None:
            self.run.kill()
            self.devices.show(self.run.devices())
        self.controls.show({"state": "closed", "notice": f"{why}: run this cell again to use it"})
        self.inspect.close_files()

    @cached_property
    def view(self) -> Any:
        """The widgets as they stand in a notebook."""
        pages = {"Network": self.picker, "Inspect": self.inspect}
        linked("selected", self.picker, self.inspect)
        both, text = row(tabs(pages), self.charts), INSTEAD.format(self)
        return column(self.controls, both, self.comparison, self.devices, text=text)

    @cached_property
    def dashboard(self) -> Any:
        """The widgets for those who want to see the trade-off and no code."""
        self.controls.only = DASHBOARD
        return column(self.controls, self.comparison, row(self.picker, self.charts), text=INSTEAD.format(self))

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        return self.view._repr_mimebundle_(**keywords)

    def __repr__(self) -> str:
        plan = self.plan
        run = self.run.state if self.run else "nothing was run yet"
        return f"Lab({plan.model} on {plan.data}, cut after {plan.cut!r}: {run})"


PRESSES: dict[str, Callable[[Lab], None]] = {
    "start": Lab._start,
    "pause": lambda lab: lab._running_one().pause(),
    "resume": lambda lab: lab._running_one().resume(),
    "stop": lambda lab: lab._running_one().stop(),
    "reset": Lab._reset,
    "restart": Lab._restart,
}
DASHBOARD = ["model", "codec", "link", "tail"]
