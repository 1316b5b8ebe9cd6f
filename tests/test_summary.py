"""A summary is computed from the rows of a history and nothing else."""

from splitlab.history import History
from splitlab.summary import Summary, Table, phases


def recorded():
    history = History()
    for client, step, codec in ((0, 0, None), (1, 0, None), (0, 1, "int8"), (1, 1, "int8")):
        if codec:
            history.add([(0.0, client, 0, step, "codec", codec, "setting")])
        values = {
            "samples": 10,
            "step": 0.5,
            "server": 0.2,
            "loss": 2.0 - step,
            "bytes_up": 4000 if step == 0 else 1000,
        }
        history.add([(0.0, client, 0, step, name, float(value), "") for name, value in values.items()])
    history.add([(0.0, client, 0, 2, "test_accuracy", 0.5 + client / 4, "") for client in range(2)])
    history.add([(0.0, 0, 0, 2, "weights_up", 700.0, "B"), (0.0, -1, 0, 0, "state", "finished", "state")])
    return history


def test_rows_are_added_up():
    summary = Summary.of(recorded(), "average")
    assert (summary.samples, summary.steps, summary.bytes_up, summary.bytes_down) == (40, 4, 10_000, 0)
    assert summary.accuracy == 0.625 and summary.accuracies == {0: 0.5, 1: 0.75} and summary.loss == 1.0
    assert summary.step_seconds_per_sample == 0.05 and summary.other_bytes == {"weights_up": 700}


def test_a_run_is_divided_where_its_codec_changed():
    before, after = phases(recorded(), "float32")
    assert (before.label, before.bytes_up) == ("float32", 8000) and (after.label, after.bytes_up) == ("int8", 2000)


def test_a_table_shows_summaries_side_by_side():
    table = Table(phases(recorded(), "float32"))
    text = str(table)
    assert text.splitlines()[0].split() == ["float32", "int8"] and "62.50%" in text
    assert "<table" in table._repr_html_() and "–" in repr(Summary())
