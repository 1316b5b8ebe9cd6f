"""Networks to cut: a builder takes the data that its network must fit, and a seed for its weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from ..call import parse
from ..data import Data
from ..errors import PlanError, unknown
from .mobilenet import mobilenet_v2
from .pretrained import torchvision
from .resnet import resnet18, resnet20
from .small import cnn, lenet, mlp
from .vgg import vgg11, vgg11_bn, vgg13, vgg13_bn
from .weights import load_weights

__all__ = [
    "MODELS",
    "cnn",
    "lenet",
    "load",
    "load_weights",
    "mlp",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "torchvision",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "lenet": lenet,
    "cnn": cnn,
    "vgg11": vgg11,
    "vgg11_bn": vgg11_bn,
    "vgg13": vgg13,
    "vgg13_bn": vgg13_bn,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "mobilenet_v2": mobilenet_v2,
    "torchvision": torchvision,
}


def load(text: str, data: Data, seed: int = 0) -> nn.Module:
    """A network by name or call text: "lenet", "resnet18(width=32)", "torchvision('resnet50')"; `PlanError` if unknown.

    A seed in the text goes before `seed`.
    """
    call = parse(text)
    if call.name not in MODELS:
        raise unknown("model", call.name, MODELS)
    build, settings = MODELS[call.name], {"seed": seed, **call.kwargs}
    try:
        inspect.signature(build).bind(*call.args, data=data, **settings)
    except TypeError as error:
        raise PlanError(f"cannot build {text!r}: {error}; expected {call.name}{inspect.signature(build)}") from None
    return build(*call.args, data=data, **settings)
