"""Reads a model with torch.fx: what it computes, as fx nodes, or the line of the user's code that cannot be read."""

from __future__ import annotations

import copy
import inspect
import operator
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from ..errors import TraceError
from .naming import IN_PLACE

REMEDIES = {  # what fx says, and what to do about it
    "control flow": "replace a decision about values (`if x.sum() > 0:`) by `torch.where`, and one about the model by "
    "an attribute that is fixed before tracing",
    "iterated": "replace a loop over a tensor by an operation on the whole of it, or by a loop over a fixed number",
    "'len'": "write `x.shape[0]` in place of `len(x)`",
    "Proxy": "leave sizes as they are: `int()`, `float()` and `range()` want a number, which a traced size is not yet",
}
OTHERWISE = "write this line with tensor operations only, or move it into a module of torch.nn"


class _Proxy(fx.Proxy):
    """fx's stand-in for a value, except that `x += y` changes x, as it does in PyTorch, rather than make another."""


def _in_place(name: str) -> Callable[[_Proxy, Any], fx.Proxy]:
    return lambda self, other: self.tracer.create_proxy("call_function", getattr(operator, name), (self, other), {})


for _name in IN_PLACE:
    setattr(_Proxy, f"__{_name}__", _in_place(_name))


class _Tracer(fx.Tracer):
    """fx's tracer, except that it leaves other threads alone: fx patches nn.Module for the whole process."""

    proxy_buffer_attributes = True  # or an expression of a buffer would be frozen at today's value

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def read(model: nn.Module, training: bool) -> tuple[nn.Module, fx.Graph]:
    """What the model computes in that mode, as fx nodes, with the twin of the model that they refer to.

    Arguments of its forward that have a default keep it. The model itself is never touched. Raises `TraceError`.
    """
    twin = twin_of(model).train(training)
    words = inspect.signature(model.forward).parameters.values()
    defaults = {word.name: word.default for word in words if word.default is not word.empty}
    with torch.random.fork_rng(devices=[]):
        try:
            graph = _Tracer().trace(twin, concrete_args=defaults)
        except Exception as error:
            raise TraceError(_explain(model, error)) from error
    _keep_one_input(model, graph)
    return twin, graph


def twin_of(model: nn.Module) -> nn.Module:
    """A copy of the model that shares its parameters, but not its buffers, modes or anything else."""
    try:
        return copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
    except Exception as error:
        raise TraceError(
            f"cannot copy {type(model).__name__} ({error}). Tracing works on a copy, so that your model stays as it "
            "is: remove what cannot be copied (open files, locks, results of a forward) from its attributes"
        ) from error


def _keep_one_input(model: nn.Module, graph: fx.Graph) -> None:
    """Erase the inputs that keep their default, and fx's assertions about them."""
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    for node in reversed(inputs[1:]):
        if not node.args and not str(node.target).startswith("*"):
            names = ", ".join(str(node.target) for node in inputs)
            raise TraceError(
                f"{type(model).__name__}.forward takes several inputs ({names}), but a split network takes one tensor. "
                "Give the others a default, or pack them into one tensor"
            )
        _erase(graph, node)


def _erase(graph: fx.Graph, node: fx.Node) -> None:
    for user in list(node.users):
        _erase(graph, user)
    graph.erase_node(node)


def _explain(model: nn.Module, error: Exception) -> str:
    frame = _users_frame(error)
    place = f"{frame.filename}:{frame.lineno} (`{frame.line}`)" if frame else "its forward"
    remedy = next((remedy for sign, remedy in REMEDIES.items() if sign in str(error)), OTHERWISE)
    return f"cannot read {type(model).__name__} at {place}: {str(error).partition(chr(10))[0]}. What to do: {remedy}"


def _users_frame(error: Exception) -> traceback.FrameSummary | None:
    """The innermost line that is neither PyTorch's nor ours."""
    foreign = (str(Path(torch.__file__).parent), str(Path(__file__).parent), "<")
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame for frame in reversed(frames) if not frame.filename.startswith(foreign)), None)
