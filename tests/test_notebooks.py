"""What a notebook must look like; that it runs is shown by nbmake."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
LABS, DASHBOARDS = sorted(FOLDER.glob("*.ipynb")), sorted(FOLDER.glob("dashboards/*.ipynb"))
NOTEBOOKS = [*LABS, *DASHBOARDS]


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_a_notebook_is_short_and_defines_nothing(notebook):
    assert len(notebook.cells) <= 12
    for cell in code(notebook):
        assert len(cell.source.splitlines()) <= 6, cell.source
        assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(ast.parse(cell.source)))


def test_outputs_are_stripped(notebook):
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count or cell.metadata for cell in code(notebook))
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "voila"}


def test_cells_are_named_after_what_they_show(notebook):
    assert all(re.fullmatch("[a-z-]+", cell.id) for cell in notebook.cells)


def test_prose_comes_before_code(notebook):
    assert notebook.cells[0].cell_type == "markdown"


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.name)
def test_a_labs_title_has_its_number(path):
    title = nbformat.read(path, as_version=4).cells[0].source
    assert re.match(rf"# {int(path.name[:2])} · ", title)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_asks_nothing_of_the_network(path):
    assert nbformat.read(path, as_version=4).metadata.voila == {"template": "splitlab"}  # Voila's own asks CDNs
