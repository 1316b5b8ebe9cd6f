"""VGG (Simonyan & Zisserman 2015) as it is used on CIFAR: 3x3 convolutions, five poolings, one linear layer."""

from __future__ import annotations

from torch import nn

from ..chance import seeded
from ..data import Data
from .fit import chain, he, pictures

BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2)}  # convolutions before each pooling
CHANNELS = (1, 2, 4, 8, 8)  # of each block, in units of `width`


def vgg11(data: Data, *, width: int = 64, seed: int = 0) -> nn.Module:
    """Eight convolutions, without BatchNorm; from 32x32 pixels. Layers: conv1 relu1 pool1 … flatten fc."""
    return _vgg("vgg11", 11, False, data, width, seed)


def vgg13(data: Data, *, width: int = 64, seed: int = 0) -> nn.Module:
    """Ten convolutions, without BatchNorm; from 32x32 pixels. Layers: conv1 relu1 conv2 relu2 pool1 … flatten fc."""
    return _vgg("vgg13", 13, False, data, width, seed)


def vgg11_bn(data: Data, *, width: int = 64, seed: int = 0) -> nn.Module:
    """vgg11 with BatchNorm: conv1 bn1 relu1 pool1 … flatten fc."""
    return _vgg("vgg11_bn", 11, True, data, width, seed)


def vgg13_bn(data: Data, *, width: int = 64, seed: int = 0) -> nn.Module:
    """vgg13 with BatchNorm: conv1 bn1 relu1 conv2 bn2 relu2 pool1 … flatten fc."""
    return _vgg("vgg13_bn", 13, True, data, width, seed)


def _vgg(name: str, depth: int, norm: bool, data: Data, width: int, seed: int) -> nn.Module:
    before, height, across = pictures(data, name, 32)
    layers: dict[str, nn.Module] = {}
    index = 0
    with seeded(seed):
        for block, (convolutions, channels) in enumerate(zip(BLOCKS[depth], CHANNELS, strict=True), start=1):
            for _ in range(convolutions):
                index, after = index + 1, channels * width
                layers[f"conv{index}"] = nn.Conv2d(before, after, 3, padding=1)
                if norm:
                    layers[f"bn{index}"] = nn.BatchNorm2d(after)
                layers[f"relu{index}"] = nn.ReLU()
                before = after
            layers[f"pool{block}"] = nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(before * (height // 32) * (across // 32), len(data.classes))
        return he(chain(layers))
