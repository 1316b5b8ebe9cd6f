"""Progress bars of a run, in a terminal and in a notebook: one for each client, drawn by whoever waits."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .history import History

NOTES = {"loss": ("loss", "{:.3f}"), "test_accuracy": ("held-out", "{:.1%}"), "codec": ("codec", "{}")}


class Bars:
    """Bars fed from the history, each of so many steps; where nobody looks on, there are none.

    Only the thread that waits draws: widgets must not be touched from elsewhere.
    """

    def __init__(self, steps: Sequence[int], show: bool = True) -> None:
        self._next = 0
        self._bars: list[Any] = []
        if show and _watched():
            from tqdm.auto import tqdm

            self._bars = [
                tqdm(total=total, desc=f"client {number}", unit="step", dynamic_ncols=True)
                for number, total in enumerate(steps)
            ]
        self._notes: list[dict[str, str]] = [{} for _ in self._bars]

    def update(self, history: History) -> None:
        """Draw what is new."""
        rows = history.since(self._next) if self._bars else []
        if not rows:
            return
        first, self._next = self._next == 0, rows[-1].sequence + 1
        done: Counter[int] = Counter()
        for row in rows:
            if 0 <= row.client < len(self._bars):
                done[row.client] += row.name == "step"
                if row.name in NOTES:
                    name, form = NOTES[row.name]
                    self._notes[row.client][name] = form.format(row.value)
        for number, bar in enumerate(self._bars):
            self._advance(bar, min(done[number], bar.total - bar.n), first)
            bar.set_postfix(self._notes[number])

    @staticmethod
    def _advance(bar: Any, steps: int, first: bool) -> None:
        if first:  # what was done before anyone waited says nothing about the speed
            bar.n = bar.initial = bar.last_print_n = steps
        else:
            bar.update(steps)

    def close(self) -> None:
        """Leave the bars as they stand."""
        for bar in self._bars:
            bar.close()


def _watched() -> bool:
    """Whether bars can be seen, in a terminal or a notebook; a log would be littered with them."""
    ipython = sys.modules.get("IPython")
    return sys.stderr.isatty() or (ipython is not None and ipython.get_ipython() is not None)
