"""A data set: labelled examples to train on and to test with, and how they become a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..call import Call
from ..chance import draws
from ..errors import DataError, unknown
from .files import write_arrays

ARRAYS = tuple((split, part) for split in ("train", "test") for part in ("inputs", "labels"))


@dataclass(frozen=True, eq=False, repr=False)
class Examples:
    """Inputs (N, ...) with their labels (N,). Images stay uint8 where their source is: a quarter of float32."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Examples({len(self):,} of {_size(self.inputs)})"

    def take(self, indices: Any) -> Examples:
        """Only these examples, in this order."""
        index = torch.as_tensor(indices)
        return Examples(self.inputs[index], self.labels[index])


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A data set. `load_data(data.reference)` gives the same again in another process; None if it exists only here.

    `mean` and `std` are per channel, on the scale of 0 to 1, and empty where inputs are used as they are.
    `users` says who made each training example, where that is known; `partition("users", ...)` goes by it.
    """

    name: str
    train: Examples
    test: Examples
    classes: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    users: np.ndarray | None = None
    reference: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example; (C, H, W) for images."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def example(self) -> Tensor:
        """A batch of two, such as `trace` wants."""
        return self.batch([0, 1 % len(self.train)])[0]

    def batch(self, indices: Any, split: str = "train") -> tuple[Tensor, Tensor]:
        """These examples as a network wants them: normalised float32 (B, C, H, W) and int64 labels (B,).

        Integers other than uint8 are tokens, not images, and stay what they are.
        """
        if split not in ("train", "test"):
            raise unknown("split", split, ("train", "test"), DataError)
        part: Examples = getattr(self, split).take(indices)
        return self._normalise(part.inputs), part.labels

    def limited(self, limit: int, seed: int = 0) -> Data:
        """At most `limit` examples to train on and as many to test with, classes in proportion, drawn by `seed`."""
        if not isinstance(limit, int) or limit < 1:
            raise DataError(f"limit={limit!r}: expected a number of examples, 1 or more")
        train = stratified(self.train.labels.numpy(), limit, seed)
        test = stratified(self.test.labels.numpy(), limit, seed)
        users = None if self.users is None else self.users[train]
        return replace(self, train=self.train.take(train), test=self.test.take(test), users=users, reference=None)

    def save(self, folder: str | Path) -> str:
        """Write `data.safetensors` into the folder and return the reference by which any process can load it."""
        path = Path(folder).resolve() / "data.safetensors"
        arrays = {f"{split}.{part}": getattr(getattr(self, split), part).numpy() for split, part in ARRAYS}
        users = {} if self.users is None else {"users": self.users}
        facts = {"name": self.name, "classes": self.classes, "mean": self.mean, "std": self.std}
        write_arrays(path, arrays | users, facts)
        return str(Call("file", (str(path),)))

    def __repr__(self) -> str:
        names = ", ".join(self.classes[:10]) + (", …" if len(self.classes) > 10 else "")
        lines = [
            f"{self.name}: {_size(self.train.inputs)}",
            f"  train    {len(self.train):>7,}",
            f"  test     {len(self.test):>7,}",
            f"  classes  {len(self.classes):>7,}  {names}",
        ]
        if self.users is not None:
            lines.append(f"  users    {len(np.unique(self.users)):>7,}")
        return "\n".join(lines)

    def _normalise(self, inputs: Tensor) -> Tensor:
        if inputs.dtype not in (torch.uint8, torch.float32):
            return inputs
        x = inputs.float() / 255 if inputs.dtype == torch.uint8 else inputs
        if not self.mean:
            return x
        column = (-1, *[1] * (x.dim() - 2))
        return (x - torch.tensor(self.mean).view(column)) / torch.tensor(self.std).view(column)


def from_tensors(
    train_x: Any,
    train_y: Any,
    test_x: Any,
    test_y: Any,
    *,
    name: str = "mine",
    users: Sequence[int] | np.ndarray | None = None,
    classes: Sequence[str] | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Data:
    """Your own examples as `Data`: any two pairs of tensors or arrays, inputs (N, ...) and labels 0 to classes - 1.

    Floats are used as they are and uint8 is scaled to 0 to 1; then `mean` and `std` apply.
    `DataError` says what is wrong.
    """
    train, test = _examples("train", train_x, train_y), _examples("test", test_x, test_y)
    if train.inputs.shape[1:] != test.inputs.shape[1:] or train.inputs.dtype != test.inputs.dtype:
        raise DataError(f"train has {_size(train.inputs)} and test {_size(test.inputs)}: they must be of one kind")
    top = int(max(train.labels.max(), test.labels.max()))
    names = tuple(classes) if classes is not None else tuple(str(label) for label in range(top + 1))
    if top >= len(names):
        raise DataError(f"there is a label {top}, but only {len(names)} classes: labels count from 0 to classes - 1")
    if len(mean) != len(std) or (mean and len(mean) != train.inputs.shape[1]) or min(std, default=1) <= 0:
        raise DataError(f"mean and std need one number per channel each ({train.inputs.shape[1]}), std above 0")
    return Data(name, train, test, names, tuple(mean), tuple(std), _users(users, len(train)))


def stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of `count` samples (all, if there are fewer) in random order, every class in proportion."""
    rng = draws("stratified", seed)
    order = rng.permutation(len(labels))
    sizes = np.bincount(labels)[labels[order]]
    rank = np.empty(len(labels))  # how far through its own class a sample stands, from 0 to 1
    for label in np.unique(labels):
        mine = labels[order] == label
        rank[mine] = (np.arange(mine.sum()) + 0.5) / sizes[mine]
    first = np.argsort(rank, kind="stable")[:count]
    return rng.permutation(order[first]).astype(np.int64)


def _examples(split: str, inputs: Any, labels: Any) -> Examples:
    x, y = torch.as_tensor(inputs).detach().cpu(), torch.as_tensor(labels).detach().cpu()
    if x.dim() < 2 or y.dim() != 1 or len(x) != len(y) or not len(x):
        raise DataError(
            f"{split}: inputs {_dims(x)} and labels {_dims(y)} do not belong together: "
            "expected inputs (N, ...) and labels (N,) with N of 1 or more"
        )
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise DataError(f"{split}: labels are {y.dtype}: expected class numbers; use labels.long()")
    if int(y.min()) < 0:
        raise DataError(f"{split}: there is a label {int(y.min())}: labels count from 0")
    if x.is_complex() or x.dtype == torch.bool:
        raise DataError(f"{split}: inputs are {x.dtype}: expected numbers; use inputs.float()")
    if x.is_floating_point():
        x = x.float()
        if not bool(torch.isfinite(x).all()):
            raise DataError(f"{split}: inputs hold NaN or infinity: clean them first, e.g. with torch.nan_to_num")
    elif x.dtype != torch.uint8:
        x = x.long()
    return Examples(x.contiguous(), y.long())


def _users(users: Sequence[int] | np.ndarray | None, count: int) -> np.ndarray | None:
    if users is None:
        return None
    array = np.asarray(users)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise DataError(
            f"users is {array.dtype} {array.shape}: expected one whole number per training example ({count},)"
        )
    return array.astype(np.int64)


def _dims(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"


def _size(inputs: Tensor) -> str:
    return f"{'x'.join(map(str, inputs.shape[1:]))} {str(inputs.dtype).removeprefix('torch.')}"
