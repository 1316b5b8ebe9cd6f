"""Progress bars of a run, in a terminal and in a notebook: one for each client, drawn by whoever waits."""

from __future__ import annotations

from typing import Any

from .history import History
from .plan import Plan


class Bars:
    """Bars fed from the history. Only the thread that waits draws: widgets must not be touched from elsewhere."""

    def __init__(self, plan: Plan, steps: list[int], show: bool) -> None:
        self._next = 0
        self._bars: list[Any] = []
        if show:
            from tqdm.auto import tqdm

            self._bars = [
                tqdm(total=total * plan.epochs, desc=f"client {number}", unit="step", mininterval=0.2, leave=True)
                for number, total in enumerate(steps)
            ]
        self._notes: dict[int, dict[str, str]] = {number: {} for number in range(len(steps))}

    def update(self, history: History) -> None:
        """Draw what is new."""
        rows = history.since(self._next)
        for row in rows:
            self._next = row.sequence + 1
            if not 0 <= row.client < len(self._bars):
                continue
            if row.name == "step":
                self._bars[row.client].update(1)
            elif row.name == "loss":
                self._notes[row.client]["loss"] = f"{row.value:.3f}"
            elif row.name == "test_accuracy":
                self._notes[row.client]["held-out"] = f"{row.value:.1%}"
            elif row.name == "codec":
                self._notes[row.client]["codec"] = str(row.value)
        for number, bar in enumerate(self._bars if rows else []):
            bar.set_postfix(self._notes[number], refresh=False)
            bar.refresh()

    def close(self) -> None:
        """Leave the bars as they stand."""
        for bar in self._bars:
            bar.close()
