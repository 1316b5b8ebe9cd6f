"""The main job without a screen: a run in kernels, a codec toggled live, a table next to `central`, a chart file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import charts
from .plan import Plan
from .run import Run, start
from .summary import Summary, Table, phases


def demo(
    plan: Plan,
    then: str = "float8_e4m3fn",
    then_epochs: int = 4,
    chart: Path | None = None,
    figures: Path | None = None,
    on: str = "kernel",
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train `plan.epochs` epochs with `plan.codec`, then `then_epochs` more with the codec `then`; compare.

    Returns all figures; writes them to `figures` as JSON and the charts to `chart` as HTML, if given. What is shown on
    the way goes to `say`, and progress bars to the terminal.
    """
    began = time.monotonic()
    whole = plan.change(epochs=plan.epochs + then_epochs)
    run = start(plan=whole, on=on)
    say(_opening(run, plan, then))
    run.wait(epochs=plan.epochs).set(codec=then)
    run.wait()
    say("The same network on the same data, uncut, in one kernel:")
    central = start(plan=whole.change(cut=None, tail=None, baseline="central"), on=on).wait()
    columns = [*phases(run.history, plan.codec), _labelled(central.summary, "central")]
    say(f"\n{Table(columns)}\n")
    result = {
        "plan": json.loads(run.plan.to_json()),
        "seconds": time.monotonic() - began,
        "columns": [column.to_dict() for column in columns],
    }
    if chart:
        charts.page(
            run.history, chart, f"{run.plan.model} on {run.data.name}, cut after {run.plan.cut}", str(Table(columns))
        )
        say(f"Charts: {chart}")
    if figures:
        figures.write_text(json.dumps(result, indent=1), encoding="utf-8")
        say(f"Figures: {figures}")
    say(f"Took {result['seconds']:.0f} s.")
    return result


def _opening(run: Run, plan: Plan, then: str) -> str:
    cut = run.graph.cut(run.plan.cut or "")
    where = f"{run.plan.cut}" + (f" and {run.plan.tail}" if run.plan.tail else "")
    return (
        f"{run.plan.model} on {run.data.name}, cut after {where}: {cut.bytes_per_sample:,} bytes per sample each way.\n"
        f"One server kernel, {run.plan.clients} client kernels; {plan.epochs} epochs in {plan.codec}, then {then}."
    )


def _labelled(summary: Summary, label: str) -> Summary:
    summary.label = label
    return summary
