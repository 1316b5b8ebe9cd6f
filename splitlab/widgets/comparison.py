"""Accuracy against bytes for every run and toggle so far, and in a sentence what the last change did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from traitlets import List, Unicode

from ..stretches import Stretch, verdict
from .bundle import Bundled


class Comparison(Bundled, bundle="comparison"):
    """One point for each stretch of a run; `sentence` compares the last two of them.

    `points` are dicts of `label`, `accuracy` (0 to 1, or None), `bytes` and `seconds` per sample.
    """

    points: Any = List().tag(sync=True)
    sentence = Unicode("").tag(sync=True)

    def show(self, stretches: Iterable[Stretch]) -> None:
        """Show these, the newest last; called by whoever pumps."""
        shown = [stretch for stretch in stretches if stretch.samples]
        points = [
            {
                "label": stretch.label,
                "accuracy": stretch.accuracy,
                "bytes": stretch.bytes_per_sample,
                "seconds": stretch.seconds_per_sample,
            }
            for stretch in shown
        ]
        with self.hold_sync():
            self.points = points
            self.sentence = verdict(*shown[-2:]) if len(shown) > 1 and shown[-1].accuracy is not None else ""
