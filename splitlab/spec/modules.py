"""A torch.nn module as its class's name with constructor arguments, and back, without its weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..errors import SpecError, unknown
from .allowed import MODULES

RECURRENT = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
NOT_SETTINGS = frozenset(("self", "args", "kwargs", "device", "dtype", "_weight", "_freeze", "min_value", "max_value"))
LAYERS = 100  # each costs time before its size can be looked at


def _encoder_layer(layer: nn.TransformerEncoderLayer) -> dict[str, Any]:
    return {
        "d_model": layer.self_attn.embed_dim,
        "nhead": layer.self_attn.num_heads,
        "dim_feedforward": layer.linear1.out_features,
        "dropout": layer.dropout.p,
        "activation": getattr(layer.activation, "__name__", "?"),
        "layer_norm_eps": layer.norm1.eps,
        "batch_first": layer.self_attn.batch_first,
        "norm_first": layer.norm_first,
        "bias": layer.linear1.bias is not None,
    }


# Classes whose constructor's words are not the names of their attributes.
EXCEPTIONS: Mapping[type[nn.Module], Callable[[Any], dict[str, Any]]] = {
    nn.RNN: lambda rnn: _attributes(rnn, [*RECURRENT, "nonlinearity"]),
    nn.GRU: lambda gru: _attributes(gru, RECURRENT),
    nn.LSTM: lambda lstm: _attributes(lstm, [*RECURRENT, "proj_size"]),
    nn.Identity: lambda identity: {},
    nn.MultiheadAttention: lambda attention: {
        **_attributes(attention, ["embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first"]),
        "bias": attention.in_proj_bias is not None,
        "add_bias_kv": attention.bias_k is not None,
    },
    nn.TransformerEncoderLayer: _encoder_layer,
}


def describe(module: nn.Module) -> tuple[str, dict[str, Any]]:
    """The class's name and the arguments that make a module like it; `SpecError` when none do."""
    kind = type(module)
    name = kind.__name__
    if MODULES.get(name) is not kind:
        raise SpecError(f"{kind.__module__}.{name} is not on the list of modules")
    if module._forward_hooks or module._forward_pre_hooks:
        raise SpecError(f"this {name} has hooks, which are code")
    arguments = EXCEPTIONS.get(kind, _settings)(module)
    dtypes = {parameter.dtype for parameter in module.parameters()} - {torch.float32}
    if dtypes:
        arguments["dtype"] = dtypes.pop()
    if _outline(build(name, arguments)) != _outline(module):
        raise SpecError(f"this {name} is not what its constructor makes from {arguments}")
    return name, arguments


def build(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The module on the meta device: it has shapes, but no memory."""
    if name not in MODULES:
        raise unknown("module", name, MODULES, SpecError)
    if not isinstance(layers := arguments.get("num_layers", 1), int) or layers > LAYERS:
        raise SpecError(f"{name} has {layers} layers, but at most {LAYERS} are allowed")
    try:
        return MODULES[name](**arguments, device="meta") if _takes_device(name) else MODULES[name](**arguments)
    except Exception as error:
        raise SpecError(f"cannot make {name} from {dict(arguments)}: {error}") from None


def _settings(module: nn.Module) -> dict[str, Any]:
    """What differs from the constructor's defaults, by its own words."""
    words = inspect.signature(type(module).__init__).parameters
    found = _attributes(module, [word for word in words if word not in NOT_SETTINGS])
    return {word: value for word, value in found.items() if not _same(value, words[word].default)}


def _attributes(module: nn.Module, words: list[str]) -> dict[str, Any]:
    found = {word: getattr(module, word, None) for word in words}
    if "bias" in found:
        found["bias"] = found["bias"] is not None and found["bias"] is not False
    return found


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and value == default


def _outline(module: nn.Module) -> list[tuple[str, torch.Size, torch.dtype]]:
    return [(name, tensor.shape, tensor.dtype) for name, tensor in module.state_dict().items()]


def _takes_device(name: str) -> bool:
    words = inspect.signature(MODULES[name].__init__).parameters
    return "device" in words or name in ("LSTM", "GRU", "RNN")
