"""The main job without a screen: a run in kernels, a codec toggled live, a table next to `central`, charts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .codec import codec
from .errors import PlanError
from .page import page
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
    codec(then)  # what cannot work is refused before anything is started
    if then_epochs < 0:
        raise PlanError(f"--then-epochs is {then_epochs}: expected 0 (no change of codec) or more")
    whole = plan.change(epochs=plan.epochs + then_epochs)
    run = start(plan=whole, on=on)
    say(_opening(run))
    run.wait(epochs=plan.epochs)
    if then_epochs:
        say(f"{plan.epochs} epochs in {plan.codec} are done, {then_epochs} more in {then}:")
        run.set(codec=then)
        run.wait()
    say("The same network on the same data, uncut, in one kernel:")
    central = start(plan=whole.change(cut=None, tail=None, baseline="central"), on=on).wait()
    columns = [*phases(run.history, plan.codec), replace(central.summary, label="central")]
    say(f"\n{Table(columns)}\n\n{in_words(columns)}")
    if chart:
        page(run.history, columns, _title(run), in_words(columns), chart)
        say(f"Charts: {chart}")
    result = {
        "plan": json.loads(run.plan.to_json()),
        "seconds": time.monotonic() - began,
        "columns": [column.to_dict() for column in columns],
    }
    if figures:
        figures.write_text(json.dumps(result, indent=1), encoding="utf-8")
        say(f"Figures: {figures}")
    say(f"Took {result['seconds']:.0f} s.")
    return result


def in_words(columns: list[Summary]) -> str:
    """What the last column but one (the codec that was changed to) cost and saved against the first, and `central`."""
    first, last, central = columns[0], columns[-2], columns[-1]
    was, now = (column.bytes_per_sample for column in (first, last))
    lines = [f"Cut, a sample takes {was:,.0f} bytes on the wire in {first.label}."]
    if last is not first:
        lines = [
            f"In {last.label} a sample takes {now:,.0f} bytes instead of {was:,.0f} in {first.label}: {now / was:.0%}."
        ]
    accuracies = [column.accuracy for column in (first, last, central)]
    if None not in accuracies:
        before, after, uncut = (f"{accuracy:.1%}" for accuracy in accuracies)
        changed = f"{before} before the change, {after} after it" if last is not first else before
        lines.append(f"Held-out accuracy: {changed}, {uncut} uncut.")
    return " ".join(lines)


def _title(run: Run) -> str:
    tail = f", and after {run.plan.tail}: U-shaped" if run.plan.tail else ""
    return f"{run.plan.model} on {run.data.name}, cut after {run.plan.cut}{tail}"


def _opening(run: Run) -> str:
    many = "client" if run.plan.clients == 1 else "clients"
    size = run.graph.cut(run.plan.cut or "").bytes_per_sample
    return f"{_title(run)} ({size:,} bytes per sample each way). One server, {run.plan.clients} {many}:"
