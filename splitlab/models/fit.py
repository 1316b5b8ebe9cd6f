"""How a network is put together and fits its data: layers with names, and pictures checked at the door."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn

from ..data import Data
from ..errors import PlanError


def pictures(data: Data, model: str, smallest: int) -> tuple[int, int, int]:
    """Channels, height and width of the data's pictures; `PlanError` when they are too small for the model."""
    if len(data.shape) != 3:
        raise PlanError(f"{model} wants pictures (channels, height, width), and {data.name} has {data.shape}: use mlp")
    channels, height, width = data.shape
    if min(height, width) < smallest:
        raise PlanError(
            f"{model} needs {smallest}x{smallest} pixels, and {data.name} has {height}x{width}: use lenet or mlp"
        )
    return channels, height, width


def chain(layers: Mapping[str, nn.Module]) -> nn.Sequential:
    """These layers one after the other, under their names."""
    return nn.Sequential(OrderedDict(layers))


def he(model: nn.Module) -> nn.Module:
    """Draw the convolutions as He et al. (2015): without BatchNorm, a deep net hardly learns from PyTorch's own."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
