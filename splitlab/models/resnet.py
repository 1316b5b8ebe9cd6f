"""Residual networks (He et al. 2016) for small pictures: resnet18 with a 3x3 stem, and the classic resnet20."""

from __future__ import annotations

from torch import Tensor, nn

from ..chance import seeded
from ..data import Data
from .fit import chain, he, pictures


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut. Each ReLU has a name of its own, so that each is a cut of its own."""

    def __init__(self, before: int, after: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = downsample
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + (x if self.downsample is None else self.downsample(x)))


def resnet18(data: Data, *, width: int = 64, seed: int = 0) -> nn.Module:
    """ResNet-18 as used on CIFAR: 3x3 stem, no max pooling; parameters are named as torchvision's. From 8x8 pixels."""
    channels = pictures(data, "resnet18", 8)[0]
    with seeded(seed):
        layers = _stem(channels, width) | {
            "layer1": _stage(width, width, 2, 1),
            "layer2": _stage(width, 2 * width, 2, 2),
            "layer3": _stage(2 * width, 4 * width, 2, 2),
            "layer4": _stage(4 * width, 8 * width, 2, 2),
            "avgpool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(8 * width, len(data.classes)),
        }
        return he(chain(layers))


def resnet20(data: Data, *, width: int = 16, seed: int = 0) -> nn.Module:
    """The paper's ResNet-20 for CIFAR-10, 0.27 million parameters: shortcuts without parameters (option A).

    Parameters are named as in akamaster/pytorch_resnet_cifar10, whose weights fit. From 4x4 pixels.
    """
    channels = pictures(data, "resnet20", 4)[0]
    with seeded(seed):
        layers = _stem(channels, width) | {
            "layer1": _stage(width, width, 3, 1, padded=True),
            "layer2": _stage(width, 2 * width, 3, 2, padded=True),
            "layer3": _stage(2 * width, 4 * width, 3, 2, padded=True),
            "avgpool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "linear": nn.Linear(4 * width, len(data.classes)),
        }
        return he(chain(layers))


def _stem(channels: int, width: int) -> dict[str, nn.Module]:
    conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return {"conv1": conv, "bn1": nn.BatchNorm2d(width), "relu": nn.ReLU()}


def _stage(before: int, after: int, blocks: int, stride: int, padded: bool = False) -> nn.Module:
    shortcut = None
    if stride > 1:
        shortcut = _padding(before, after, stride) if padded else _projection(before, after, stride)
    rest = [Block(after, after, 1, None) for _ in range(blocks - 1)]
    return nn.Sequential(Block(before, after, stride, shortcut), *rest)


def _projection(before: int, after: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


def _padding(before: int, after: int, stride: int) -> nn.Module:
    """Every other pixel, and zeros for the new channels: modules only, so that the part can travel as a spec."""
    extra = after - before
    return nn.Sequential(nn.AvgPool2d(1, stride), nn.ZeroPad3d((0, 0, 0, 0, extra // 2, extra - extra // 2)))
