"""Says in plain words what an operation is: "Conv 3×3", "Max pool 2×2", "Add"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import nn

from . import Graph
from .nodes import Node

WORDS = {
    "BatchNorm1d": "Batch norm",
    "BatchNorm2d": "Batch norm",
    "FrozenBatchNorm2d": "Batch norm",
    "LayerNorm": "Layer norm",
    "LayerNorm2d": "Layer norm",
    "layer_norm": "Layer norm",
    "GroupNorm": "Group norm",
    "LocalResponseNorm": "Response norm",
    "MultiheadAttention": "Attention",
    "scaled_dot_product_attention": "Attention",
    "shifted_window_attention": "Window attention",
    "adaptive_avg_pool2d": "Average pool",
    "avg_pool2d": "Average pool",
    "max_pool2d": "Max pool",
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "cat": "Concatenate",
    "concat": "Concatenate",
    "iadd": "Add",
    "add": "Add",
    "mul": "Multiply",
    "imul": "Multiply",
    "matmul": "Matrix product",
    "getitem": "Pick",
    "permute": "Reorder axes",
    "transpose": "Swap axes",
    "interpolate": "Resize",
    "StochasticDepth": "Drop path",
    "stochastic_depth": "Drop path",
    "MaxPool2d": "Max pool",
    "AvgPool2d": "Average pool",
    "AdaptiveAvgPool2d": "Average pool",
    "AdaptiveMaxPool2d": "Max pool",
}


def kind_of(graph: Graph, node: Node) -> str:
    """The operation in words for people who never saw PyTorch; unknown ones keep their class's name, spaced."""
    if node.operation.kind == "module":
        module = graph.model.get_submodule(str(node.operation.target))
        for kind, describe in DESCRIBED.items():
            if isinstance(module, kind):
                return describe(module)
    return WORDS.get(node.label) or _spaced(node.label)


def _convolution(module: Any) -> str:
    grouped = module.groups > 1
    word = (
        "Depthwise conv" if grouped and module.groups == module.in_channels else "Grouped conv" if grouped else "Conv"
    )
    return f"{word} {_size(module.kernel_size)}"


def _pool(word: str) -> Callable[[Any], str]:
    def describe(module: Any) -> str:
        size = module.kernel_size
        return f"{word} {_size(size if isinstance(size, tuple) else (size, size))}"

    return describe


def _average_over_all(module: Any) -> str:
    return "Average over all" if module.output_size in (1, (1, 1)) else WORDS["AdaptiveAvgPool2d"]


DESCRIBED: dict[type[nn.Module], Callable[[Any], str]] = {
    nn.ConvTranspose2d: lambda module: f"Up-conv {_size(module.kernel_size)}",
    nn.Conv2d: _convolution,
    nn.Conv1d: lambda module: f"Conv {_size(module.kernel_size)}",
    nn.MaxPool2d: _pool("Max pool"),
    nn.AvgPool2d: _pool("Average pool"),
    nn.AdaptiveAvgPool2d: _average_over_all,
}


def _size(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def _spaced(label: str) -> str:
    words = label.replace("_", " ").strip()
    if " " in words or words.islower():
        return words.capitalize()
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", words)
