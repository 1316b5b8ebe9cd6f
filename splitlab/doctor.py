"""Says what is installed here, whether it fits together, and what to do where it does not."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

from .measure import machine

LAB = ("altair", "ipykernel", "ipywidgets", "jupyter_client", "jupyterlab", "netron", "pandas", "scikit-learn")
MORE = ("torchvision", "voila", "vl-convert-python")


def examine(models: bool = False, say: Callable[[str], None] = print) -> None:
    """This machine, the packages of splitlab and of `splitlab[lab]`; with `models`, torchvision's zoo as a table."""
    if models:
        from .zoo import zoo

        return say(repr(zoo()))
    for name, value in machine().items():
        say(f"{name:<20}{value}")
    missing = []
    for name in ("numpy", "safetensors", "websockets", "tqdm", *LAB, *MORE):
        version = _version(name)
        missing += [name] if version is None else []
        say(f"{name:<20}{version or 'missing'}")
    say(_torchvision())
    if missing:
        say(f"Missing: {', '.join(missing)}. For notebooks, kernels and charts: pip install 'splitlab[lab]'")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torchvision() -> str:
    from .errors import SplitlabError
    from .vision import torchvision

    try:
        return f"torchvision {torchvision().__version__} works with this torch."
    except SplitlabError as error:
        return str(error)
    except Exception as error:
        return f"torchvision does not fit this torch ({error}): install the pair that constraints.txt names."
