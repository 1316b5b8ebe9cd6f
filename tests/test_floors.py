"""Imports go down only: this list is the map of the house."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

FLOORS = [
    "errors call chance messages measure memory shape charts page history plan summary standing points stretches "
    "progress vision handover compiler",
    "part split graph spec codec protocol data models zoo profiling predict replay",
    "policy link shaped half share check",
    "session client rounds",
    "server dial owner",
    "places",
    "watch run",
    "experiment pump widgets server_extension bench demo doctor",
    "lab __main__",
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}
HOUSE = Path(__file__).parent.parent / "splitlab"
FILES = sorted(path for path in HOUSE.rglob("*.py") if path != HOUSE / "__init__.py")
# What may be imported where, beside Python itself, torch and numpy: some libraries live in one place only.
HOMES = {
    "websockets": {"link", "server_extension"},
    "anywidget": {"widgets"},
    "ipywidgets": {"widgets"},
    "traitlets": {"widgets"},
    "jupyter_server": {"server_extension", "__main__"},
    "tornado": {"server_extension"},
    "netron": {"server_extension"},
    "jupyter_client": {"places"},
    "altair": {"charts"},
    "pandas": {"charts", "history"},
    "sklearn": {"data"},
    "torchvision": {"vision"},
    "tqdm": {"progress", "demo", "bench", "zoo"},
    "safetensors": {"spec", "data", "models"},
}


def room(path: Path) -> str:
    return path.relative_to(HOUSE).with_suffix("").parts[0]


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, as dotted names from the top, and whether that happens when it is loaded."""
    package = ["splitlab", *path.relative_to(HOUSE).parent.parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for inner in ast.walk(node)}
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{stem}.{alias.name}" for alias in node.names] if stem == "splitlab" else [stem]
            found += [(name, id(node) not in lazy) for name in names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_go_down_only(path):
    for name, _ in imports(path):
        if name.startswith("splitlab.") and not name.startswith("splitlab.__"):
            other = name.split(".")[1]
            assert FLOOR[other] <= FLOOR[room(path)], f"{path.name} on floor {FLOOR[room(path)]} imports {name}"
        top = name.split(".")[0]
        assert room(path) in HOMES.get(top, {room(path)}), f"{top} lives in {HOMES.get(top)}, not in {path.name}"


def test_no_file_imports_itself_by_a_detour():
    edges: dict[str, set[str]] = {}
    known = {
        ".".join(["splitlab", *path.relative_to(HOUSE).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in FILES
    }
    for name, path in known.items():
        edges[name] = {other for other, at_load in imports(path) if at_load and other in known and other != name}
        if path.name == "__init__.py":
            continue
    TopologicalSorter(edges).prepare()


def test_every_room_has_a_floor():
    assert {room(path) for path in FILES} == set(FLOOR) & {room(path) for path in FILES}


def test_the_ground_floor_needs_no_torch():
    names = [name for name in FLOORS[0].split() if name not in ("chance", "vision")]
    code = (
        "import sys; " + "; ".join(f"import splitlab.{name}" for name in names) + "; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_device_needs_nothing_of_jupyter():
    code = (
        "import sys; import splitlab.places.work, splitlab.dial; "
        "heavy = {'IPython', 'jupyter_client', 'ipykernel', 'sklearn', 'torchvision', 'altair', 'pandas', 'PIL'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_file_is_called_something_that_says_nothing():
    assert not [path for path in FILES if re.fullmatch("utils|helpers|common|base|manager|core", path.stem)]


def test_the_first_line_of_every_file_is_its_job():
    for path in [*FILES, HOUSE / "__init__.py"]:
        first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
        assert re.fullmatch(r"[A-Z`].*[.:]", first), f"{path}: {first!r}"
