"""Reading and writing the files that data sets come in; whatever is wrong with one is a `DataError` that names it."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import DataError

LARGEST = 4 << 30  # bytes of values in one idx file: a damaged or hostile header must not make us allocate more


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array in an idx file as MNIST's, gzipped or not. Header: 0, 0, 8 (uint8), dimensions, sizes."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            if file.read(4) != bytes((0, 0, 8, dimensions)):
                raise DataError(f"{path} is not an idx file of {dimensions} dimensions: fetch it again")
            shape = tuple(int(size) for size in np.frombuffer(file.read(4 * dimensions), ">u4", dimensions))
            size = math.prod(shape)
            values = file.read(size + 1) if size <= LARGEST else b""
    except DataError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}): it is damaged or cut short; fetch it again") from None
    if len(values) != size:
        raise DataError(f"{path} should hold {size:,} values and does not: it is damaged or cut short; fetch it again")
    return np.frombuffer(bytearray(values), np.uint8).reshape(shape)


def read_npz(path: Path, keys: Iterable[str]) -> Mapping[str, np.ndarray]:
    """These arrays of an .npz file. Nothing in it is ever unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in keys}
    except KeyError as error:
        raise DataError(f"{path} is another kind of file: {error}") from None
    except (OSError, EOFError, ValueError, BadZipFile, zlib.error) as error:
        raise DataError(f"cannot read {path} ({error}): it is damaged or not an .npz; fetch it again") from None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write arrays, and facts that JSON can hold, as one safetensors file; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    save_file(dict(arrays), half, {"facts": json.dumps(facts)})
    half.replace(path)


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `write_arrays` wrote."""
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            return {name: file.get_tensor(name) for name in file.keys()}, dict(facts)  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise DataError(f"there is no {path}: write it with data.save(folder)") from None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"cannot read {path} ({error}): write it again with data.save(folder)") from None
