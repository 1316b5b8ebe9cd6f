"""The history is a ring of rows, pulled by sequence number, and the same again from its file."""

import json

import pytest

from splitlab.errors import PlanError
from splitlab.history import History

ROW = (12.5, 0, 1, 2, "loss", 0.25, "")


def test_rows_are_pulled_by_sequence_number():
    history = History(capacity=5)
    history.add([ROW] * 3)
    assert [row.sequence for row in history.since(1)] == [1, 2] and history.since(3) == history.since(99) == []
    history.add([ROW] * 6)
    assert [row.sequence for row in history.since(0)] == [4, 5, 6, 7, 8] and len(history) == 5
    assert [row.sequence for row in history.since(7)] == [7, 8]


def test_a_history_read_again_is_the_same(tmp_path):
    rows = [ROW, (13.0, -1, 0, 0, "state", "ünïcode", "state"), (14.0, 1, 0, 3, "paused", True, "setting")]
    live, saved = tmp_path / "live.jsonl", tmp_path / "saved.jsonl"
    history = History(live)
    history.add(rows)
    assert list(History.read(live)) == list(history)  # while it is still being written
    history.close()
    history.save(saved)
    assert live.read_text() == saved.read_text() and [tuple(row[1:]) for row in History.read(saved)] == rows


@pytest.mark.parametrize("line", ["{", "[1, 2]", "3", "null"])
def test_a_file_that_is_no_history_is_refused_by_line(line, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(f'[0, 12.5, 0, 1, 2, "loss", 0.25, ""]\n{line}\n')
    with pytest.raises(PlanError, match="line 2: not a row of a history"):
        History.read(path)


def test_rows_are_selected_by_name_and_client():
    history = History()
    history.add([ROW, (12.5, 1, 1, 2, "loss", 0.5, ""), (12.5, 1, 1, 2, "step", 0.1, "s")])
    assert [row.value for row in history.select("loss")] == [0.25, 0.5]
    assert [row.value for row in history.select("loss", 1)] == [0.5]
    assert repr(history) == "History(3 rows: loss, step)"


def test_a_loss_that_is_no_number_is_kept_in_strict_json(tmp_path):
    path = tmp_path / "run.jsonl"
    history = History(path)
    history.add([(1.0, 0, 0, step, "loss", value, "") for step, value in enumerate((float("nan"), float("-inf"), 0.5))])
    history.close()
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert [str(row.value) for row in History.read(path)] == ["nan", "-inf", "0.5"]


ABOUT = {"splitlab": "0.1.0", "plan": {"model": "lenet"}, "steps_per_epoch": [3, 3]}


def test_what_a_run_is_about_stands_in_the_first_line_of_its_file(tmp_path):
    live, saved = tmp_path / "live.jsonl", tmp_path / "saved.jsonl"
    history = History(live, about=ABOUT)
    assert History.read(live).about == ABOUT  # before the first row
    history.add([ROW] * 2)
    history.close()
    assert json.loads(live.read_text().splitlines()[0]) == ABOUT
    assert History.read(live).about == ABOUT and len(History.read(live)) == 2
    History.read(live).save(saved)
    assert saved.read_text() == live.read_text()


def test_a_file_that_says_nothing_about_its_run_is_read_too(tmp_path):
    path = tmp_path / "run.jsonl"
    history = History(path)
    history.add([ROW])
    history.close()
    assert History.read(path).about == {} and len(History.read(path)) == 1


def test_what_a_run_is_about_stands_nowhere_but_in_the_first_line(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(f"{json.dumps(ABOUT)}\n{json.dumps(ABOUT)}\n")
    with pytest.raises(PlanError, match="line 2: not a row of a history"):
        History.read(path)


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path):
    with pytest.raises(PlanError, match=r"cannot read .*missing\.jsonl"):
        History.read(tmp_path / "missing.jsonl")
