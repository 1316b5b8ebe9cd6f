"""Measures splitlab against physical limits: every figure is a ratio of two things timed in turn in one run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..errors import PlanError, unknown
from ..measure import machine
from .charts import SECONDS, charts
from .codecs import float8
from .pooled import pooled
from .result import Result
from .start import start
from .steps import lenet_step, resnet_step
from .thin import thin

__all__ = ["BENCHES", "Result", "bench"]

BENCHES: dict[str, Callable[..., Iterable[Result]]] = {
    "start": start,
    "resnet18": resnet_step,
    "lenet": lenet_step,
    "thin": thin,
    "float8": float8,
    "pooled": pooled,
    "charts": charts,
}


def bench(
    names: Sequence[str] = (),
    repeat: int = 5,
    figures: Path | None = None,
    say: Callable[[str], None] = print,
    seconds: float = SECONDS,
) -> list[Result]:
    """Run benchmarks by name (none: all), each with so many repetitions; write all figures to `figures` as JSON.

    `seconds` is how long the charts are watched.
    """
    for name in names:
        if name not in BENCHES:
            raise unknown("benchmark", name, BENCHES)
    if repeat < 2:
        raise PlanError(f"repeat is {repeat}: a spread needs at least 2 repetitions, and 5 say something")
    results = []
    for name in names or BENCHES:
        for result in BENCHES[name](repeat, **({"seconds": seconds} if name == "charts" else {})):
            results.append(result)
            say(str(result))
    if figures:
        content = {"machine": machine(), "results": [result.to_dict() for result in results]}
        figures.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return results
