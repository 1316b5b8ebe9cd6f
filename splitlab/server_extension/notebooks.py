"""Puts the notebooks that come with splitlab where JupyterLab can open them; what a user has changed stays."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

HERE = Path(__file__).parent.parent
NOTEBOOKS = {"tutorial": "00-start.ipynb", "dashboard": "dashboards/split-learning.ipynb"}
FOLDER = "split-learning"  # under the root of the Jupyter server
DATA = frozenset((".jsonl", ".csv", ".json", ".png", ".svg"))  # what notebooks read, such as recorded runs


class OpenHandler(APIHandler):
    """`open/tutorial`, `open/dashboard`."""

    auth_resource = "contents"

    @web.authenticated
    @authorized("write")
    async def post(self, name: str) -> None:
        """Answer with the notebook's path, as JupyterLab understands it."""
        if name not in NOTEBOOKS:
            raise web.HTTPError(404, f"no notebook is called {name!r}; there are {', '.join(NOTEBOOKS)}")
        home = notebooks_home()
        if home is None or not (home / NOTEBOOKS[name]).is_file():
            raise web.HTTPError(404, f"this installation has no {NOTEBOOKS[name]}: install splitlab again")
        path = served(home, str(getattr(self.contents_manager, "root_dir", ""))) or await self._copy(home, name)
        self.finish({"path": f"{path}/{NOTEBOOKS[name]}".lstrip("/")})

    async def _copy(self, home: Path, name: str) -> str:
        """Copy the notebook and what it may read into the user's own folder, except for what is there already."""
        files = [home / NOTEBOOKS[name], *sorted(path for path in home.rglob("*") if path.suffix in DATA)]
        for file in files:
            path = f"{FOLDER}/{file.relative_to(home).as_posix()}"
            if not await ensure_async(self.contents_manager.file_exists(path)):
                await self._make_folders(path)
                await ensure_async(self.contents_manager.save(model(file), path))
        return FOLDER

    async def _make_folders(self, path: str) -> None:
        for parent in reversed(Path(path).parents[:-1]):
            if not await ensure_async(self.contents_manager.dir_exists(parent.as_posix())):
                await ensure_async(self.contents_manager.save({"type": "directory"}, parent.as_posix()))


def notebooks_home() -> Path | None:
    """Where the notebooks are: in the wheel, or in the checkout."""
    places = (HERE / "notebooks", HERE.parent / "notebooks")
    return next((place for place in places if (place / NOTEBOOKS["tutorial"]).is_file()), None)


def served(home: Path, root: str) -> str | None:
    """The path of the notebooks under the server's root; None if they are not under it, or part of an installation."""
    if not root or "site-packages" in home.parts or not home.resolve().is_relative_to(Path(root).resolve()):
        return None
    return home.resolve().relative_to(Path(root).resolve()).as_posix().removeprefix(".")


def model(file: Path) -> dict[str, Any]:
    """A file as Jupyter's contents API takes it."""
    if file.suffix == ".ipynb":
        content = json.loads(file.read_text(encoding="utf-8"))
        return {"type": "notebook", "format": "json", "content": content}
    return {"type": "file", "format": "base64", "content": base64.b64encode(file.read_bytes()).decode()}
