"""The lists of what may travel: torch.nn modules, functions and methods by name. Nothing else is ever looked up."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ..part import Operation
from ..vision import torchvision

_MODULES = """
    Linear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d Embedding
    BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d LayerNorm GroupNorm RMSNorm
    LocalResponseNorm ReLU ReLU6 LeakyReLU PReLU RReLU ELU SELU CELU GELU SiLU Mish GLU Hardswish Hardsigmoid Hardtanh
    Hardshrink Softshrink Tanhshrink Threshold Sigmoid LogSigmoid Tanh Softplus Softsign Softmax Softmax2d Softmin
    LogSoftmax Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout
    MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
    Identity Flatten Unflatten Fold Unfold ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d ConstantPad3d
    ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d
    CircularPad1d CircularPad2d CircularPad3d Upsample UpsamplingNearest2d UpsamplingBilinear2d
    PixelShuffle PixelUnshuffle ChannelShuffle CosineSimilarity RNN LSTM GRU MultiheadAttention TransformerEncoderLayer
"""
_OPERATORS = "add sub mul truediv matmul neg getitem iadd isub imul itruediv"
_FUNCTIONAL = """
    linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d embedding
    batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm normalize
    relu relu_ relu6 leaky_relu elu selu celu gelu silu mish glu hardswish hardsigmoid hardtanh softplus softsign
    logsigmoid prelu softmax log_softmax dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    pad interpolate pixel_shuffle pixel_unshuffle channel_shuffle scaled_dot_product_attention cosine_similarity
"""
_TORCH = """
    flatten unflatten cat stack chunk split unbind permute transpose reshape squeeze unsqueeze narrow movedim swapaxes
    roll flip mean sum amax amin var std pow exp log sqrt rsqrt square abs clamp minimum maximum where bmm einsum
    sigmoid tanh cumsum
"""
_METHODS = """
    view reshape flatten unflatten permute transpose t contiguous clone expand expand_as view_as reshape_as repeat
    chunk split unbind narrow select squeeze unsqueeze movedim swapaxes roll flip mean sum amax amin var std
    add add_ sub sub_ mul mul_ div div_ neg pow exp log sqrt rsqrt square abs clamp clamp_ matmul bmm
    softmax log_softmax sigmoid sigmoid_ tanh tanh_ relu relu_ masked_fill index_select gather cumsum detach type_as
    float
"""

MODULES: Mapping[str, type[nn.Module]] = MappingProxyType({name: getattr(nn, name) for name in _MODULES.split()})
# No function makes a tensor from numbers alone, and no method gives a number: sizes were settled when tracing.
FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        name: getattr(place, name)
        for place, names in ((torch, _TORCH), (functional, _FUNCTIONAL), (operator, _OPERATORS))
        for name in names.split()
    }
)
METHODS = frozenset(_METHODS.split())
# Functions that torchvision keeps in one piece; torchvision is imported when one of them is met, and not before.
VISION: Mapping[str, str] = MappingProxyType(
    {
        "stochastic_depth": "ops.stochastic_depth",
        "shifted_window_attention": "models.swin_transformer",
        "_patch_merging_pad": "models.swin_transformer",
        "_get_relative_position_bias": "models.swin_transformer",
    }
)
# Other callables that do the same as a function of the list, wherever that takes the same arguments.
TWINS: Mapping[Callable[..., Any], str] = MappingProxyType(
    {getattr(torch, name): name for name in ("add", "sub", "mul", "matmul", "neg", "relu", "softmax", "log_softmax")}
    | {torch.div: "truediv", operator.pow: "pow", torch.concat: "cat", torch.concatenate: "cat"}
    | {functional.sigmoid: "sigmoid", functional.tanh: "tanh"}
)


def function(name: str) -> Callable[..., Any] | None:
    """The function of this name, or None when it is not on the list."""
    if name in VISION:
        return _of_torchvision(name)
    return FUNCTIONS.get(name)


def name_of(step: Operation) -> str | None:
    """The name under which the operation's function travels, or None."""
    target: Any = step.target
    word = step.verb
    if word in VISION and str(target.__module__).startswith("torchvision."):
        return word if _of_torchvision(word) is target else None
    if FUNCTIONS.get(word) is target:
        return word
    twin = TWINS.get(target)
    return twin if twin and fits(FUNCTIONS[twin], step) else None


def fits(callee: Callable[..., Any], step: Operation) -> bool:
    """Whether a call with the operation's arguments can work, as far as Python knows; PyTorch says more later."""
    try:
        signature = inspect.signature(callee)
    except (TypeError, ValueError):  # a built-in without a signature
        return True
    try:
        signature.bind(*step.args, **step.kwargs)
    except TypeError:
        return False
    return True


def _of_torchvision(name: str) -> Callable[..., Any]:
    found: Any = torchvision()
    for step in VISION[name].split("."):
        found = getattr(found, step)
    return found if callable(found) else getattr(found, name)
