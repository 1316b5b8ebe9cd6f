"""Networks of torchvision, fitted to a data set: an output for each class, an input for each channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..chance import seeded
from ..data import Data
from ..errors import PlanError, unknown
from ..vision import torchvision as library
from .fit import pictures
from .weights import fill, read

SIDE_EXITS = ("googlenet", "inception_v3")  # their auxiliary classifiers would be a second and third output


def torchvision(
    name: str, data: Data, *, weights: str | Path | None = None, seed: int = 0, **settings: Any
) -> nn.Module:
    """A classification network of torchvision by its name there; `settings` are its own (`image_size=32` for vit_*).

    `weights`: None, a local `.safetensors` or `.npz` file, or "DEFAULT" (torchvision's own, fetched once; they expect
    ImageNet's mean and std, 224x224 pixels). A classifier for other classes starts anew. For grey pictures a pretrained
    first convolution is summed over its input channels: the same as showing it three equal channels.
    """
    models = library().models
    if name not in models.list_models(module=models):
        raise unknown("torchvision model", name, models.list_models(module=models))
    channels = pictures(data, name, 1)[0]
    if name in SIDE_EXITS:
        settings = {"aux_logits": False, "init_weights": True, **settings}
    with seeded(seed):
        try:
            model = models.get_model(name, weights=None, num_classes=len(data.classes), **settings)
        except (TypeError, ValueError) as error:
            raise PlanError(f"torchvision cannot build {name}: {error}") from None
        first = _first_convolution(model, channels)
    if weights is not None:
        state = _default(name) if weights == "DEFAULT" else read(Path(weights))
        if first and f"{first}.weight" in state:
            state[f"{first}.weight"] = _summed(state[f"{first}.weight"], channels, name)
        left = fill(model, state, False, f"{name} {weights}")
        missing = [tensor for tensor in left if tensor not in state]
        if missing:
            raise PlanError(f"{weights} does not hold the weights of {name}: {', '.join(missing[:4])} missing")
    return model


def _first_convolution(model: nn.Module, channels: int) -> str:
    """Give the first convolution this many input channels; its name, or nothing where there is none."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            if module.in_channels != channels:
                module.in_channels = channels
                module.weight = nn.Parameter(torch.empty(module.out_channels, channels, *module.kernel_size))
                module.reset_parameters()
            return name
    return ""


def _default(name: str) -> dict[str, Tensor]:
    try:
        weights = library().models.get_model_weights(name).DEFAULT
        return dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
    except (OSError, RuntimeError) as error:
        raise PlanError(
            f"cannot fetch torchvision's weights of {name} ({error}): give a file, weights='….npz'"
        ) from None


def _summed(weight: Tensor, channels: int, name: str) -> Tensor:
    if weight.shape[1] == channels:
        return weight
    if channels != 1:
        raise PlanError(f"pretrained {name} sees {weight.shape[1]} channels, or 1: {channels} cannot be fitted")
    return weight.sum(dim=1, keepdim=True)
