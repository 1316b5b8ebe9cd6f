"""Imports torchvision safely: the one place that knows how to bring its CUDA build up beside a CPU build of torch."""

from __future__ import annotations

import importlib
import sys
from threading import Lock
from types import ModuleType
from typing import Any

from .errors import PlanError

MISSING = (  # operators that torchvision describes at import, even where its compiled library cannot be loaded
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_importing = Lock()
_declared: list[Any] = []  # a torch.library.Library takes its operators along when it dies


def torchvision() -> ModuleType:
    """The torchvision package, with `models`, `transforms` and `ops` loaded; `PlanError` where it is not installed.

    PyPI's torchvision beside a CPU build of torch fails to import ("operator torchvision::nms does not exist"): its
    library needs CUDA. Two declarations are all that models and transforms want of it, so we make them and try again.
    """
    with _importing:
        try:
            return importlib.import_module("torchvision")
        except ModuleNotFoundError as error:
            if error.name != "torchvision":
                raise
            raise PlanError("torchvision is not installed, and this needs it: pip install 'splitlab[lab]'") from None
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
        _declare()
        return importlib.import_module("torchvision")


def _declare() -> None:
    import torch

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left
    library = torch.library.Library("torchvision", "DEF")
    for schema in MISSING:
        library.define(schema)
    _declared.append(library)
