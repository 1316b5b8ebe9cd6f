"""Split learning that you can see: cut a network, train its halves on two machines, watch what the cut costs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import models as models
    from . import widgets as widgets
    from .data import Data as Data
    from .data import from_tensors as from_tensors
    from .data import load_data as load_data
    from .graph import Graph as Graph
    from .graph import trace as trace
    from .history import History as History
    from .lab import Lab as Lab
    from .places import Kernel as Kernel
    from .places import Thread as Thread
    from .plan import Plan as Plan
    from .replay import Replay as Replay
    from .run import Run as Run
    from .run import start as start
    from .summary import Summary as Summary

# Public names and where they live; each is imported when it is first asked for, so that `import splitlab` is quick.
NAMES = {
    "Data": "data",
    "Graph": "graph",
    "History": "history",
    "Kernel": "places",
    "Lab": "lab",
    "Plan": "plan",
    "Replay": "replay",
    "Run": "run",
    "Summary": "summary",
    "Thread": "places",
    "from_tensors": "data",
    "load_data": "data",
    "models": "",
    "start": "run",
    "trace": "graph",
    "widgets": "",
}
__all__ = sorted(NAMES)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"splitlab has no {name!r}; it has {', '.join(__all__)}")
    module = NAMES[name]
    value = getattr(import_module(f".{module}", __name__), name) if module else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
