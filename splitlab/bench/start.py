"""From Start to the first point in a chart: two fresh kernels boot, import, meet, and train one step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from ..data import Data, load_data
from ..errors import RunError
from ..graph import Graph, trace
from ..models import lenet
from ..plan import Plan
from ..run import Run
from ..run import start as start_run
from .result import Result

GOAL_SECONDS = 6.0
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.005
MARKS = ("kernels started, imports done", "server and client ready", "client joined", "first point")


def start(repeat: int) -> Iterator[Result]:
    """LeNet on digits, one client; the network is traced before, as it is in a lab."""
    data = load_data("digits")
    graph = trace(lenet(data), data.example)
    before = _cpu()
    lines = [_timeline(graph, data) for _ in range(repeat)]
    laps = [dict(zip(MARKS, (b - a for a, b in pairwise((0.0, *line))), strict=True)) for line in lines]
    yield Result(
        "from Start to the first point, two fresh kernels",
        f"{GOAL_SECONDS:g} s",
        1.0,
        tuple(line[-1] / GOAL_SECONDS for line in lines),
        {mark: median(lap[mark] for lap in laps) for mark in MARKS},
        note=f"{(_cpu() - before) / repeat:.1f} CPU seconds in both kernels, until they were ended",
    )


def _timeline(graph: Graph, data: Data) -> tuple[float, ...]:
    """Seconds from the start to each of `MARKS`."""
    begun = time.monotonic()
    run = start_run(graph, data, Plan(clients=1, epochs=1000))
    try:
        return tuple(_until(run, mark, begun) for mark in range(len(MARKS)))
    finally:
        run.kill()


def _until(run: Run, mark: int, begun: float) -> float:
    conditions = (
        lambda: len(run.jobs) == 2 and all(job.state != "starting" for job in run.jobs.values()),
        lambda: all(job.state == "running" for job in run.jobs.values()),
        lambda: run.history.select("joined"),
        lambda: run.history.select("step"),
    )
    while not conditions[mark]():
        if run.ended or time.monotonic() - begun > PATIENCE_SECONDS:
            raise run.error or RunError(f"no first point after {PATIENCE_SECONDS:g} s: the run is {run.state}")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - begun


def _cpu() -> float:
    """CPU seconds of all processes that were started here and have ended."""
    import resource  # Windows has none

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
