"""Every setting of the plan with the mouse, the five buttons, and a line that says where the run stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from traitlets import Bool, Dict, List, Unicode

from ..errors import PlanError
from ..plan import LIVE, Plan
from .bundle import Bundled
from .choices import changed, form

PRESSES = ("start", "pause", "resume", "stop", "reset", "restart")
EVENTS: dict[str, dict[str, type]] = {
    "press": {"what": str},
    "set": {"name": str, "value": object},
    "paste": {"text": str},
}
AT_HAND = ["codec", "link", "model", "clients", "epochs"]  # what one changes in class, again and again
FIGURES = {"seconds": 0, "seconds_left": 0, "loss": 3, "accuracy": 4}  # decimals that are shown: more is only traffic


class Controls(Bundled, bundle="controls"):
    """Shows a plan as a form. It decides nothing: `on_event` hears what the user did, whoever pumps calls the rest.

    Events are `{"type": "press", "what": one of PRESSES}`, `{"type": "set", "name", "value"}` (see `take`) and
    `{"type": "paste", "text"}` (see `pasted`). A `recorded` run can be watched, but nothing of it can be set. `line`
    writes the line that "Copy state" copies, from the plan that is shown.
    """

    fields: Any = List().tag(sync=True)
    values = Dict().tag(sync=True)  # what is shown: JSON values of the plan's settings, by name
    problems = Dict().tag(sync=True)  # {name: {"text", "value"}}: what is wrong with what was given last, and that
    pending: Any = List().tag(sync=True)  # settings that differ from those in force, and wait for the next start
    locked = Dict().tag(sync=True)  # {name: why it cannot be set here}
    at_hand: Any = List(AT_HAND).tag(sync=True)  # names of the settings that stand open, in this order
    only: Any = List().tag(sync=True)  # names of the settings to show, in this order, and no others; none: all
    state = Unicode("idle").tag(sync=True)  # one of run.STATES, idle, resetting or closed
    status = Dict({"state": "idle"}).tag(sync=True)
    state_line = Unicode("").tag(sync=True)
    recorded = Bool(False).tag(sync=True)

    _plan: Plan
    _in_force: Plan | None

    def __init__(
        self, plan: Plan | None = None, *, line: Callable[[Plan], str] = Plan.to_json, recorded: bool = False
    ) -> None:
        super().__init__(fields=form(offers=not recorded), recorded=recorded)
        self._line, self._in_force = line, None
        self._listeners: list[Callable[[dict[str, Any]], object]] = []
        self.propose(plan or Plan())
        self.on_msg(self._hear)

    def on_event(self, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call back with every event: it must only pass it on, to where work is done."""
        self._listeners.append(callback)

    # ---- called by whoever pumps -------------------------------------------------------------------------------------

    def show(self, status: Mapping[str, Any]) -> None:
        """Show where the run stands: `Standing.status()`, or `{"state": "idle"}` and `{"state": "resetting"}`."""
        shown = dict(status)
        for name, decimals in FIGURES.items():
            if shown.get(name) is not None:
                shown[name] = round(shown[name], decimals)
        with self.hold_sync():
            self.state = shown["state"]
            self.status = shown

    def propose(self, plan: Plan) -> None:
        """Show this plan: what the next start, or at once what is live, goes by."""
        self._plan = plan
        with self.hold_sync():
            self.values = {field["name"]: _plain(getattr(plan, field["name"])) for field in self.fields}
            self.state_line = self._line(plan)
            self._weigh()

    def settle(self, plan: Plan | None) -> None:
        """Say which plan is in force, with its defaults filled in; None: there is no run."""
        self._in_force = plan
        self._weigh()

    def take(self, event: Mapping[str, Any], plan: Plan | None = None) -> Plan:
        """The plan after a "set" event, which is shown; a wrong value stays in its field with the reason beside it."""
        name, plan = event["name"], plan or self._plan
        try:
            plan = changed(plan, name, event["value"])
        except PlanError as error:
            self.problem(name, str(error), event["value"])
            return plan
        with self.hold_sync():
            self.problem(name, "")
            self.propose(plan)
        return plan

    def problem(self, name: str, text: str, value: Any = None) -> None:
        """Say what is wrong with the value given for a setting, beside its field; "" when nothing is any more."""
        others = {other: problem for other, problem in self.problems.items() if other != name}
        self.problems = others | ({name: {"text": text, "value": value}} if text else {})

    def pasted(self, problem: str = "", text: str = "") -> None:
        """Answer a "paste" event: with nothing when its text was taken, else with what is wrong with it."""
        self.problem("paste", problem, text)
        if not problem:
            self.send({"type": "pasted"})

    def offer(self, name: str, values: Mapping[str, str]) -> None:
        """What a setting can be, where that depends on the network or the data: values, each with words about it."""
        choices = [{"value": value, "label": value, "about": words} for value, words in values.items()]
        more = {"kind": "choice", "choices": choices, "examples": [], "segments": []}
        self.fields = [field | more if field["name"] == name else field for field in self.fields]

    def lock(self, name: str, reason: str) -> None:
        """Show a setting, but let nobody change it here; "" unlocks it."""
        self.locked = {other: why for other, why in (self.locked | {name: reason}).items() if why}

    # ------------------------------------------------------------------------------------------------------------------

    def _weigh(self) -> None:
        names = [field["name"] for field in self.fields if self._in_force and field["name"] not in LIVE]
        self.pending = [name for name in names if getattr(self._plan, name) != getattr(self._in_force, name)]

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        """Say that it was heard, so that the page knows that the kernel listens; then pass it on."""
        if not isinstance(content, dict):
            return
        self.send({"type": "heard", "id": content.get("id")})
        event = {name: content.get(name) for name in ("type", *EVENTS.get(content.get("type", ""), {}))}
        if _well_formed(event):
            for callback in self._listeners:
                callback(event)


def _well_formed(event: Mapping[str, Any]) -> bool:
    kinds = EVENTS.get(event["type"])
    if kinds is None or event.get("what", PRESSES[0]) not in PRESSES:
        return False
    return all(isinstance(event[name], kind) for name, kind in kinds.items())


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
