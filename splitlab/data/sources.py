"""The data sets that have a name: one table from name to loader, and `load_data`, which reads it.

Files are looked for under `root=`, else under the folder that the environment variable SPLITLAB_DATA names, else under
`~/.cache/splitlab`, in torchvision's layout or as plain files. What is not there is fetched through torchvision, once.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..call import Call, parse
from ..chance import draws
from ..errors import DataError, PlanError, unknown
from ..vision import torchvision
from .dataset import ARRAYS, Data, from_tensors, stratified
from .files import read_arrays, read_idx, read_npz

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CIFAR10_ARCHIVE = "cifar-10-batches-py"
CIFAR10_SUBSET = "cifar10_subset_12k_3k.npz"
OMNIGLOT = "omniglot_small_28.npz"
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_data(source: str, **settings: Any) -> Data:
    """A data set by name or call text: `load_data("digits")`, `load_data("fashion_mnist(limit=5000)")`.

    Every set takes `limit` (see `Data.limited`); those made of files take `root`, the folder with the files or the one
    above it, and mostly `download` (False: never reach for the network). `DataError` says what is missing, and where.
    """
    call = parse(source)
    if call.name not in SOURCES:
        raise unknown("data set", call.name, SOURCES, DataError)
    loader, given = SOURCES[call.name], {**call.kwargs, **settings}
    signature = inspect.signature(loader)
    for key in given:
        if key not in {"limit", *signature.parameters}:
            raise unknown(f"setting of {call.name}", key, {"limit", *signature.parameters}, DataError)
    limit = given.pop("limit", None)
    try:
        arguments = signature.bind(*call.args, **given).arguments
        for key in arguments.keys() & {"root", "path"}:  # so that the reference holds in any folder
            arguments[key] = arguments[key] and str(Path(arguments[key]).expanduser().resolve())
    except TypeError as error:
        raise DataError(f"cannot load {call}: {error}; expected {call.name}{signature}") from None
    data = loader(**arguments)
    if limit is not None:
        data, arguments = data.limited(limit), {**arguments, "limit": limit}
    return replace(data, reference=str(Call(call.name, (), arguments)))


def digits() -> Data:
    """1,797 handwritten digits of 8x8, which come with scikit-learn: 1,437 to train on, and 360 held out by seed 0."""
    table = _digits_table()
    levels, labels = table[:, :-1], table[:, -1].astype(np.int64)  # 17 levels, 0 to 16
    pixels = (levels * (255 / 16)).round().astype(np.uint8).reshape(-1, 1, 8, 8)
    held_out = np.isin(np.arange(len(labels)), stratified(labels, 360, seed=0))
    return _images("digits", _divide(pixels, labels, held_out), list("0123456789"), (0.3050,), (0.3757,))


def mnist(root: str | None = None, download: bool = True) -> Data:
    """70,000 handwritten digits of 28x28."""
    arrays = _idx("mnist", "MNIST", _folder(root), download)
    return _images("mnist", arrays, list("0123456789"), (0.1307,), (0.3081,))


def fashion_mnist(root: str | None = None, download: bool = True) -> Data:
    """70,000 pieces of clothing of 28x28."""
    arrays = _idx("fashion-mnist", "FashionMNIST", _folder(root), download)
    return _images("fashion_mnist", arrays, CLOTHES, (0.2860,), (0.3530,))


def cifar10(root: str | None = None, download: bool = True) -> Data:
    """60,000 photographs of 3x32x32; where only a lossless subset is there, its 12,000 + 3,000."""
    folder = _folder(root)
    places = [folder, folder / "cifar-10", folder / "CIFAR10", folder.parent]
    archive = _find([place / CIFAR10_ARCHIVE / "data_batch_1" for place in places])
    subset = _find([place / CIFAR10_SUBSET for place in places])
    if subset and not archive:
        arrays = list(read_npz(subset, ("x_train", "y_train", "x_test", "y_test")).values())
    else:
        arrays = _cifar10_archive(archive.parent.parent if archive else folder, download and not archive)
    if arrays[0].ndim != 4 or arrays[2].ndim != 4:
        raise DataError(f"{subset} does not hold images (N, H, W, C): fetch it again")
    arrays[::2] = [np.moveaxis(images, -1, 1) for images in arrays[::2]]
    return _images("cifar10", arrays, THINGS, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def omniglot(root: str | None = None) -> Data:
    """4,840 characters of 28x28 from 8 alphabets, by 160 users: a user is one person, drawing one alphabet.

    A fifth is held out, so that every character and every user has some: where (character + drawer) % 5 == 0.
    """
    folder = _folder(root)
    path = _find([folder / OMNIGLOT, folder / "omniglot" / OMNIGLOT])
    if path is None:
        raise _missing("omniglot", folder, (f"omniglot/{OMNIGLOT}",), "write it with datasets/omniglot/prepare.py")
    *arrays, names = read_npz(path, ("x", "y", "drawer", "alphabet", "alphabet_names")).values()
    x, y, drawer, alphabet = arrays
    if x.ndim != 3 or any(array.shape != x.shape[:1] or array.dtype.kind not in "iu" for array in arrays[1:]):
        raise DataError(f"{path}: expected x (N, H, W), and whole numbers y, drawer and alphabet (N,): write it again")
    if not len(y) or not set(alphabet.tolist()) <= set(range(len(names))):
        raise DataError(f"{path}: expected alphabets 0 to {len(names) - 1} of its alphabet_names: write it again")
    order = draws("omniglot").permutation(len(y))  # the file goes by character
    x, y, drawer, alphabet = (array[order] for array in arrays)
    held_out = (y + drawer) % 5 == 0
    users = np.unique(np.stack([alphabet, drawer]), axis=1, return_inverse=True)[1].reshape(-1)
    home = alphabet[np.unique(y, return_index=True)[1]]  # the alphabet of each character
    classes = [f"{names[a]} {1 + np.sum(home[:character] == a)}" for character, a in enumerate(home)]
    return _images("omniglot", _divide(x[:, None], y, held_out), classes, (0.0806,), (0.2361,), users[~held_out])


def file(path: str) -> Data:
    """What `Data.save` wrote."""
    arrays, facts = read_arrays(Path(path))
    try:
        pairs = [arrays[f"{split}.{part}"] for split, part in ARRAYS]
        return from_tensors(*pairs, users=arrays.get("users"), **facts)
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} was not written by Data.save ({error}): write it again") from None


SOURCES: dict[str, Callable[..., Data]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "omniglot": omniglot,
    "file": file,
}


def _digits_table() -> np.ndarray:
    """64 pixels and a label per row. Importing scikit-learn takes a second or two, so its file is read without it."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("digits come with scikit-learn, which is not installed: pip install 'splitlab[lab]'")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits

    return np.column_stack(load_digits(return_X_y=True))


def _images(
    name: str,
    arrays: Iterable[np.ndarray],
    classes: Iterable[str],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    users: np.ndarray | None = None,
) -> Data:
    return from_tensors(*arrays, name=name, classes=tuple(classes), mean=mean, std=std, users=users)


def _divide(images: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, ...]:
    return images[~held_out], labels[~held_out], images[held_out], labels[held_out]


def _idx(plain: str, theirs: str, folder: Path, download: bool) -> list[np.ndarray]:
    """The four arrays of a set like MNIST, images (N, 1, H, W), in `<plain>/*.gz` or torchvision's `<theirs>/raw/`."""
    places = [folder, folder / plain, folder / theirs / "raw", folder / "raw"]

    def find() -> list[Path | None]:
        return [_find([place / f"{name}{end}" for place in places for end in ("", ".gz")]) for name in IDX]

    if None in find():
        _torchvision(theirs, folder, tuple(f"{plain}/{name}.gz" for name in IDX), download)
    arrays = [read_idx(path, 3 if "images" in path.name else 1) for path in find() if path]
    return [array[:, None] if array.ndim == 3 else array for array in arrays]


def _cifar10_archive(folder: Path, download: bool) -> list[np.ndarray]:
    expected = (f"{CIFAR10_ARCHIVE}/", CIFAR10_SUBSET)
    sets = [_torchvision("CIFAR10", folder, expected, download, train=train) for train in (True, False)]
    return [array for part in sets for array in (part.data, np.array(part.targets))]


def _folder(root: str | None) -> Path:
    return Path(root or os.environ.get("SPLITLAB_DATA") or "~/.cache/splitlab").expanduser()


def _find(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _torchvision(name: str, folder: Path, expected: tuple[str, ...], download: bool, **settings: Any) -> Any:
    """torchvision's own data set, which checks the MD5 of its files before it opens (for CIFAR-10: unpickles) one."""
    try:
        return getattr(torchvision().datasets, name)(str(folder), download=download, **settings)
    except (OSError, RuntimeError, PlanError) as error:
        remedy = f"torchvision: {error}" if download else "let it be fetched with download=True"
        raise _missing(name, folder, expected, remedy) from None


def _missing(name: str, folder: Path, expected: tuple[str, ...], remedy: str) -> DataError:
    return DataError(
        f"the files of {name} are not in {folder}: expected {', '.join(expected)}. "
        f"Say where they are with root= or the environment variable SPLITLAB_DATA ({remedy})"
    )
