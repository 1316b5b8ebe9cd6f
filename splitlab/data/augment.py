"""Augmentation by name: torchvision's random transforms, on the same draws wherever a batch is prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from ..call import Call, parse
from ..chance import number, seeded
from ..errors import DataError, PlanError, unknown
from ..vision import torchvision

# What makes sense on normalised floats; ColorJitter and its like expect 0 to 1 and would clip them.
TRANSFORMS = (
    "ElasticTransform",
    "GaussianBlur",
    "GaussianNoise",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
)


@dataclass(frozen=True, eq=False, repr=False)
class Augmentation:
    """Called with a batch and a key (`augmentation(x, seed, client, epoch, step)`), it alters each sample on its own.

    The same batch and key give the same result in any process, and torch's own generator is left as it was.
    """

    calls: tuple[Call, ...]
    transforms: tuple[Any, ...]

    def __call__(self, x: Tensor, *key: int) -> Tensor:
        """The batch (B, C, H, W) anew; what comes in from outside a picture is 0, the mean colour."""
        if not self.transforms:
            return x
        try:
            with seeded(number("augment", *key)):
                y = torch.stack([self._alter(image) for image in x])
        except (RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"{self} does not work on {_size(x)}: {error}") from error
        if y.shape != x.shape:
            remedy = f"keep the size, as 'RandomCrop({x.shape[-1]}, padding=4)' does"
            raise DataError(f"{self} makes {_size(y)} of {_size(x)}, for which the network was traced: {remedy}")
        return y

    def __repr__(self) -> str:
        return ", ".join(map(str, self.calls)) or "no augmentation"

    def _alter(self, image: Tensor) -> Tensor:
        for transform in self.transforms:
            image = transform(image)
        return image


def augment(texts: str | Sequence[str] | None) -> Augmentation:
    """An augmentation from one text or several: `augment(["RandomCrop(32, padding=4)", "RandomHorizontalFlip"])`.

    Names and arguments are torchvision's (`torchvision.transforms.v2`); no text at all changes nothing.
    """
    calls = tuple(parse(text) for text in ([texts] if isinstance(texts, str) else texts or ()) if text)
    return Augmentation(calls, tuple(_transform(call) for call in calls))


def _transform(call: Call) -> Any:
    if call.name not in TRANSFORMS:
        raise unknown("augmentation", call.name, TRANSFORMS)
    v2 = import_module(f"{torchvision().__name__}.transforms.v2")
    try:
        return getattr(v2, call.name)(*call.args, **call.kwargs)
    except (TypeError, ValueError) as error:
        raise PlanError(f"cannot augment by {call}: {error}") from None


def _size(batch: Tensor) -> str:
    return "x".join(map(str, batch.shape[1:]))
