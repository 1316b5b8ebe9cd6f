"""Gives a widget its JavaScript: a small loader in the notebook, the bundle from Jupyter's server or this kernel."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import anywidget

from .. import __version__
from ..errors import unknown

HERE = Path(__file__).parent.parent / "labextension/static/widgets"
LIST = "bundles.json"  # written by widgets/build.js
NOT_BUILT = """export default {{ render({{ el }}) {{ el.textContent =
  "The front end of splitlab was not built, so there is no {name} to show. In a terminal, in the folder of splitlab: " +
  "make lab. Then restart the kernel and reload this page."; }} }};"""


class Bundled(anywidget.AnyWidget):
    """A widget whose front end is `widgets/src/BUNDLE.js`: `class CutPicker(Bundled, bundle="cut_picker")`.

    A keyword that is no trait raises TypeError, an attribute that does not exist AttributeError; each names the right
    ones. Attributes of Python only are declared in the class, or start with an underscore. Messages of type "bundle"
    are the loader's: callbacks of `on_msg` do not see them.
    """

    bundle: str = ""

    def __init_subclass__(cls, bundle: str | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if bundle is not None:
            cls.bundle = bundle

    def __init__(self, **traits: Any) -> None:
        for name in traits:
            if not self.has_trait(name):
                raise TypeError(str(unknown(f"keyword of {type(self).__name__}", name, self._own())))
        super().__init__(**traits)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name) and name not in _declared(type(self)):
            raise AttributeError(str(unknown(f"attribute of {type(self).__name__}", name, self._own())))
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        """What a saved notebook and a terminal show instead of the widget."""
        return f"<{type(self).__name__}: run this cell in JupyterLab or Voila to use it>"

    def open(self) -> None:
        """Open the channel to the page.

        ipykernel 7.4 takes what the page sends to the loop that was at work when the widget last sent something. After
        a reload that loop may be gone, and every press is lost with it: the page knows better where to.
        """
        super().open()
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda data, default: default

    @property
    def _esm(self) -> str:
        return loader(self.bundle)

    def _own(self) -> Iterable[str]:
        """The traits that whoever uses this widget may set."""
        return (name for name in self.trait_names() if name not in OF_ALL and not name.startswith("_"))

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        """Answer the loader; everything else goes to the callbacks."""
        if isinstance(content, dict) and content.get("type") == "bundle":
            file = bundles()["bundles"][self.bundle]
            self.send({"type": "bundle", "file": file}, [(home() / file).read_bytes()])
        else:
            super()._handle_custom_msg(content, buffers)


OF_ALL = frozenset(anywidget.AnyWidget.class_trait_names())


def home() -> Path:
    """The folder of the bundles: in a checkout beside the package, else where pip put JupyterLab's extensions."""
    if not HERE.exists():
        for path in metadata.files("splitlab") or ():
            if path.name == LIST:
                return Path(str(path.locate())).resolve().parent
    return HERE


def bundles() -> dict[str, Any]:
    """What was built: `version`, the text of the `loader`, the file of each of the `bundles`; {} without a build."""
    path = home() / LIST
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def loader(name: str) -> str:
    """The module that a notebook gets for a widget: it imports the bundle, or says that there is none."""
    built = bundles()
    if name not in built.get("bundles", {}):
        return NOT_BUILT.format(name=name)
    return built["loader"].replace("@FILE@", built["bundles"][name]).replace("@VERSION@", __version__)


def _declared(cls: type) -> set[str]:
    return {name for one in cls.__mro__ for name in inspect.get_annotations(one)}
