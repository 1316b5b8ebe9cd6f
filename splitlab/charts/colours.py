"""Colours and dashes of all charts, and the way to Altair."""

from __future__ import annotations

from typing import Any

from ..errors import PlanError
from ..measure import PARTS

# Okabe and Ito's colours: told apart by colour-blind readers, and on light and dark grounds.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C6BB1", "#B8A600", "#7F7F7F", "#A65628"]
DASHES = [[1, 0], [6, 4], [2, 3], [8, 3, 2, 3]]  # so that of two equal lines both are seen
PART_COLOURS = dict(zip(PARTS, [*COLOURS, "#F0E442"], strict=True))


def altair() -> Any:
    """The library, or an error that says how to get it."""
    try:
        import altair
    except ImportError:
        raise PlanError("charts need Altair: pip install 'splitlab[lab]'") from None
    return altair
