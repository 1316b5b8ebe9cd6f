"""Small networks that can be drawn on a blackboard: mlp, lenet, and the cnn of SplitGP."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from ..chance import seeded
from ..data import Data
from .fit import chain, pictures


def mlp(data: Data, *, hidden: Sequence[int] = (128, 64), seed: int = 0) -> nn.Module:
    """Linear layers only, for any data: flatten, then fc1 relu1 fc2 relu2 fc3 with these hidden sizes."""
    sizes = [prod(data.shape), *hidden]
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    with seeded(seed):
        for index, (before, after) in enumerate(pairwise(sizes), start=1):
            layers |= {f"fc{index}": nn.Linear(before, after), f"relu{index}": nn.ReLU()}
        layers[f"fc{len(sizes)}"] = nn.Linear(sizes[-1], len(data.classes))
    return chain(layers)


def lenet(data: Data, *, width: int = 16, seed: int = 0) -> nn.Module:
    """LeNet-5's plan (LeCun et al. 1998) in today's dress: padded convolutions, ReLU, max pooling; from 4x4 pixels.

    `width` channels after conv1, twice as many after conv2, eight times as many after fc1.
    """
    channels, height, across = pictures(data, "lenet", 4)
    with seeded(seed):
        return chain(
            {
                "conv1": nn.Conv2d(channels, width, 5, padding=2),
                "relu1": nn.ReLU(),
                "pool1": nn.MaxPool2d(2),
                "conv2": nn.Conv2d(width, 2 * width, 5, padding=2),
                "relu2": nn.ReLU(),
                "pool2": nn.MaxPool2d(2),
                "flatten": nn.Flatten(),
                "fc1": nn.Linear(2 * width * (height // 4) * (across // 4), 8 * width),
                "relu3": nn.ReLU(),
                "fc2": nn.Linear(8 * width, len(data.classes)),
            }
        )


def cnn(data: Data, *, seed: int = 0) -> nn.Module:
    """SplitGP's network for MNIST and Fashion-MNIST (Han et al. 2023): five convolutions and three linear layers.

    The paper's client ends after the fourth convolution (`pool3`, 256x3x3 of 28x28 pixels): 387,840 parameters,
    and 3,480,330 on the server. Where it pools is not said; after conv1, conv2 and conv4 here. From 8x8 pixels.
    """
    channels, height, across = pictures(data, "cnn", 8)
    layers: dict[str, nn.Module] = {}
    with seeded(seed):
        for index, (before, after) in enumerate(pairwise((channels, 32, 64, 128, 256, 256)), start=1):
            layers |= {f"conv{index}": nn.Conv2d(before, after, 3, padding=1), f"relu{index}": nn.ReLU()}
            if index in (1, 2, 4):
                layers[f"pool{index - index // 4}"] = nn.MaxPool2d(2)
        layers |= {
            "flatten": nn.Flatten(),
            "fc1": nn.Linear(256 * (height // 8) * (across // 8), 1024),
            "relu6": nn.ReLU(),
            "fc2": nn.Linear(1024, 512),
            "relu7": nn.ReLU(),
            "fc3": nn.Linear(512, len(data.classes)),
        }
    return chain(layers)
