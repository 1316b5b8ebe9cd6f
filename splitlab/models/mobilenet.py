"""MobileNetV2 (Sandler et al. 2018) as it is used on CIFAR: the first two strides are left out."""

from __future__ import annotations

from torch import Tensor, nn

from ..chance import seeded
from ..data import Data
from .fit import chain, he, pictures

# expansion, channels, blocks, stride: table 2 of the paper, with stride 1 instead of 2 in its second row
STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Bottleneck(nn.Module):
    """An inverted residual: widen by 1x1, filter each channel by 3x3, narrow by 1x1; a shortcut if shapes allow."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = _step(before, inner, 1) if expansion > 1 else None
        self.filter = _step(inner, inner, 3, stride, groups=inner)
        self.narrow = chain({"conv": nn.Conv2d(inner, after, 1, bias=False), "bn": nn.BatchNorm2d(after)})
        self.shortcut = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y = self.narrow(self.filter(x if self.expand is None else self.expand(x)))
        return x + y if self.shortcut else y


def mobilenet_v2(data: Data, *, width: float = 1.0, seed: int = 0) -> nn.Module:
    """MobileNetV2 for 32x32 pixels (from 8x8), all channels times `width`. Parts: stem, block1 … block17, top, fc."""
    before = _scaled(32, width)
    layers: dict[str, nn.Module] = {}
    with seeded(seed):
        layers["stem"] = _step(pictures(data, "mobilenet_v2", 8)[0], before, 3)
        for expansion, channels, blocks, stride in STAGES:
            for index in range(blocks):
                after = _scaled(channels, width)
                layers[f"block{len(layers)}"] = Bottleneck(before, after, stride if index == 0 else 1, expansion)
                before = after
        last = _scaled(1280, max(1.0, width))
        layers["top"] = _step(before, last, 1)
        layers |= {
            "avgpool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(last, len(data.classes)),
        }
        return he(chain(layers))


def _step(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return chain({"conv": conv, "bn": nn.BatchNorm2d(after), "relu": nn.ReLU6()})


def _scaled(channels: int, width: float) -> int:
    return max(8, round(channels * width / 8) * 8)
