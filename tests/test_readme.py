"""The README says what is so: its code runs, its map and its diagram are the real ones."""

import re
from pathlib import Path

import pytest
from test_floors import FLOORS

from splitlab import codec, data, models
from splitlab.policy.sharing import SHARINGS
from splitlab.protocol.order import diagram
from splitlab.shape import PRESETS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_its_code_runs(capsys):
    lab, code = blocks("python")
    names = {}
    exec(compile(lab, "README.md", "exec"), names)
    assert names["lab"].run is None
    names["lab"].close()
    exec(compile(code, "README.md", "exec"), names)
    assert "pool1" in capsys.readouterr().out
    assert names["run"].state == "finished"
    assert names["run"].summary.accuracy > 0.9


def test_its_code_is_about_ten_lines():
    assert len([line for line in blocks("python")[-1].splitlines() if line]) <= 10


def test_its_map_is_the_list_of_floors():
    (text,) = blocks("text")
    lines = text.replace("\n   ", " ").splitlines()  # a long line goes on in the next
    assert lines == [f"{number}  {names}" for number, names in reversed(list(enumerate(FLOORS)))]


def test_its_diagram_is_drawn_from_the_table():
    assert blocks("mermaid")[1].rstrip() == diagram()


@pytest.mark.parametrize(
    "table",
    [codec.CODECS, SHARINGS, data.SOURCES, models.MODELS, PRESETS],
    ids=["codec", "sharing", "data", "model", "link"],
)
def test_it_names_everything_that_can_be_chosen(table):
    assert not [name for name in table if not re.search(rf"`{name}[`(]", README)]


def test_its_commands_are_targets_of_make():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", "\n".join(blocks("sh")))) <= targets


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_no_file_knows_of_the_machine_that_it_was_written_on():
    for name in ("README.md", "Makefile", "constraints.txt", "pyproject.toml", ".github/CONTRIBUTING.md", ".ci/run"):
        assert not re.search(
            r"(?<![\w.~])/(work|home|root|opt|tmp)/|file://", (ROOT / name).read_text(encoding="utf-8")
        ), name
