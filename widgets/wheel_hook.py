"""Puts the front end, its JupyterLab extension and the notebooks into a wheel; called by hatchling."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))
import front

EXTENSION = "splitlab/labextension"
SHARED = {
    EXTENSION: "share/jupyter/labextensions/splitlab",
    "widgets/jupyter/splitlab.json": "etc/jupyter/jupyter_server_config.d/splitlab.json",
    "widgets/jupyter/voila": "share/jupyter/voila/templates/splitlab",
}
NOTEBOOKS = ("*.ipynb", "dashboards/*.ipynb", "recordings/*")


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """Builds anew from a checkout, so that nothing stale is shipped; an sdist holds what was built."""

    def dependencies(self) -> list[str]:
        """Node, where this machine has none and must build."""
        return [] if not self._must_build() or front.found() else [front.FROM_PYPI]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and say what goes where."""
        root = Path(self.root)
        if self._must_build():
            front.main("build")
        if self.target_name == "wheel":
            shared = {path: place for path, place in SHARED.items() if (root / EXTENSION).exists()}
            build_data["shared_data"].update(shared)
            found = (path for pattern in NOTEBOOKS for path in sorted((root / "notebooks").glob(pattern)))
            build_data["force_include"].update({str(path): f"splitlab/{path.relative_to(root)}" for path in found})

    def _must_build(self) -> bool:
        skip = os.environ.get("SKIP_JUPYTER_BUILDER", "0") not in ("", "0")
        return not skip and not (Path(self.root) / "PKG-INFO").exists()
