"""Trained weights from a local file, checked name by name before any of them is copied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import PlanError

COUNTER = "num_batches_tracked"  # BatchNorm's; no result depends on it, and many files leave it out


def load_weights(model: nn.Module, path: str | Path, strict: bool = True) -> tuple[str, ...]:
    """Load a `.safetensors` or `.npz` file into the model; returns the names of the model's tensors left as they were.

    Strict: `PlanError` unless names and shapes agree. Otherwise what does not fit, such as a classifier for other
    classes, is passed over. Nothing is ever unpickled; of a `.pt` file write `safetensors.torch.save_file(state, ...)`.
    """
    return fill(model, read(Path(path)), strict, str(path))


def fill(model: nn.Module, state: Mapping[str, Tensor], strict: bool, source: str) -> tuple[str, ...]:
    """Copy the tensors of `state` that fit into the model; see `load_weights`."""
    own = model.state_dict()
    shaped = [f"{name} is {_dims(state[name])}, not {_dims(own[name])}" for name in own if _differs(own, state, name)]
    missing = [f"{name} is missing" for name in own if name not in state and not name.endswith(COUNTER)]
    extra = [f"{name} is not in the model" for name in state if name not in own]
    fitting = {name: tensor for name, tensor in state.items() if name in own and not _differs(own, state, name)}
    if not fitting or (strict and (shaped or missing or extra)):
        wrong = "; ".join([*shaped, *missing, *extra][:6])
        raise PlanError(f"{source} does not fit this model: {wrong}. For what does fit, and no more, say strict=False")
    model.load_state_dict(fitting, strict=False)
    return tuple(name for name in own if name not in fitting and not name.endswith(COUNTER))


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` or `.npz` file by name."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: torch.from_numpy(file[name]) for name in file.files}
    except Exception as error:  # the zip and safetensors readers raise a dozen kinds
        raise PlanError(f"cannot read the weights in {path}: {error}") from None
    raise PlanError(f"cannot read the weights in {path}: expected a .safetensors or .npz file")


def _differs(own: Mapping[str, Tensor], state: Mapping[str, Tensor], name: str) -> bool:
    return name in state and state[name].shape != own[name].shape


def _dims(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
