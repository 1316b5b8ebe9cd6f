"""Charts of histories, drawn by Altair: every figure in them is a row of a history, or a sum of rows."""

from .colours import COLOURS, DASHES, PART_COLOURS
from .files import FILES
from .live import LIVE, RUNS, compare, plain, spec
from .still import CHARTS, POINTS, bars, draw

__all__ = [
    "CHARTS",
    "COLOURS",
    "DASHES",
    "FILES",
    "LIVE",
    "PART_COLOURS",
    "POINTS",
    "RUNS",
    "bars",
    "compare",
    "draw",
    "plain",
    "spec",
]
