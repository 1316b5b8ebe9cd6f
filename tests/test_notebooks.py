"""What a notebook must look like; that it runs is shown by nbmake."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


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
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_cells_are_named_after_what_they_show(notebook):
    assert all(re.fullmatch("[a-z-]+", cell.id) for cell in notebook.cells)


def test_prose_comes_before_code(notebook):
    assert notebook.cells[0].cell_type == "markdown"
    assert re.match(r"# \d+ · ", notebook.cells[0].source)
