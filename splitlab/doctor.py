"""Says what is installed here, whether it is what was tested and fits together, and what to do where it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import __version__
from .measure import machine

HERE = Path(__file__).parent
NAME = re.compile(r"[\w-]+")
REINSTALL = "install the same splitlab everywhere: pip install 'splitlab[lab]', restart the server, reload the page"


def examine(models: bool = False, say: Callable[[str], None] = print) -> None:
    """Say the report on this machine; with `models`, torchvision's zoo as a table."""
    if models:
        from .zoo import zoo

        return say(repr(zoo()))
    found = report(torchvision=True)
    for name, value in found["machine"].items():
        say(f"{name:<20}{value}")
    say(f"\n{'package':<20}{'here':<16}tested")
    for item in found["packages"]:
        remark = "   differs" if item["state"] == "differs" else ""
        say(f"{item['name']:<20}{item['here'] or 'missing':<16}{item['tested']}{remark}")
    say("")
    for part in found["parts"]:
        say(f"{part['name']:<20}{part['state']}{': ' if part['remedy'] else ''}{part['remedy']}")
    for remedy in found["remedies"]:
        say(remedy)


def report(torchvision: bool = False) -> dict[str, Any]:
    """What is here as plain values: `splitlab`, `machine`, `packages`, `parts`, `remedies`; no torch is imported.

    `parts` are what must fit together: the page's bundles, the server's extension, Netron. With `torchvision`, it is
    imported to see whether it works with this torch, which takes seconds.
    """
    tested = constraints()
    packages = [_package(name, tested) for name in required()]
    parts = [_front_end(), _server_extension(), _netron(), *([_torchvision()] if torchvision else [])]
    missing = [item["name"] for item in packages if item["state"] == "missing"]
    remedy = f"Missing: {', '.join(missing)}. They are for notebooks, kernels and charts: pip install 'splitlab[lab]'"
    return {
        "splitlab": __version__,
        "machine": machine(),
        "packages": packages,
        "parts": parts,
        "remedies": [remedy] if missing else [],
    }


def required() -> list[str]:
    """The names of what splitlab and its extra `lab` need, as its own metadata say (none in a bare checkout)."""
    if _version("splitlab") is None:
        return []
    wanted = [line for line in metadata.requires("splitlab") or () if "extra ==" not in line or "lab" in _extra(line)]
    return [_canonical(line) for line in wanted]


def constraints(lines: Iterable[str] | None = None) -> dict[str, str]:
    """The versions that were tested, by package: constraints.txt, which is part of the wheel."""
    if lines is None:
        files = [path for path in (HERE / "constraints.txt", HERE.parent / "constraints.txt") if path.exists()]
        lines = files[0].read_text(encoding="utf-8").splitlines() if files else ()
    pins = (line.split("#")[0].split("==") for line in lines if "==" in line)
    return {_canonical(name): version.strip() for name, version in pins}


def _extra(line: str) -> str:
    return line.partition("extra ==")[2]


def _canonical(text: str) -> str:
    found = NAME.match(text)
    return found[0].lower().replace("_", "-") if found else text


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str, tested: dict[str, str]) -> dict[str, Any]:
    here, there = _version(name), tested.get(name, "–")
    state = "missing" if here is None else "tested" if here.split("+")[0] == there else "differs"
    return {"name": name, "here": here, "tested": there, "state": state}


def _part(name: str, state: str, remedy: str = "") -> dict[str, str]:
    return {"name": name, "state": state, "remedy": remedy}


def _front_end() -> dict[str, str]:
    """The bundles of the page, as JupyterLab and Voila find them."""
    paths = _jupyter_paths("jupyter_path", "labextensions", "splitlab", "package.json")
    if not paths:
        return _part("front end", "missing", "widgets come from Python instead, which is slower; " + REINSTALL)
    try:
        version = str(json.loads(paths[0].read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        return _part("front end", "damaged", REINSTALL)
    return _part("front end", version, "" if version == __version__ else f"splitlab is {__version__}: {REINSTALL}")


def _server_extension() -> dict[str, str]:
    """Whether a Jupyter server of this Python loads ours; the last word of its configuration holds."""
    enabled: bool | None = None
    for path in reversed(_jupyter_paths("jupyter_config_path", "jupyter_server_config.d")):
        for file in sorted(path.glob("*.json")):
            try:
                said = json.loads(file.read_text(encoding="utf-8"))["ServerApp"]["jpserver_extensions"]
                enabled = said.get("splitlab.server_extension", said.get("splitlab", enabled))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
    if enabled:
        return _part("server extension", "enabled")
    remedy = "no Netron, no consoles, no way in for devices: jupyter server extension enable splitlab.server_extension"
    return _part("server extension", "not enabled", remedy)


def _netron() -> dict[str, str]:
    version = _version("netron")
    return _part("netron", version or "missing", "" if version else "the tab that inspects a network needs it")


def _torchvision() -> dict[str, str]:
    from .errors import SplitlabError
    from .vision import torchvision

    try:
        return _part("torchvision", f"{torchvision().__version__} works with this torch")
    except SplitlabError as error:
        return _part("torchvision", "missing", str(error))
    except Exception as error:
        return _part("torchvision", "unfit", f"{error}: install the pair that constraints.txt names")


def _jupyter_paths(kind: str, *names: str) -> list[Path]:
    """Those of Jupyter's folders, first the one that counts most, that have this in them."""
    if find_spec("jupyter_core") is None:
        return []
    from jupyter_core import paths

    found = (Path(path).joinpath(*names) for path in getattr(paths, kind)())
    return [path for path in found if path.exists()]
