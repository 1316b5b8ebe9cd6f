"""Every figure in a chart is a row of the history, or a sum of rows; the page needs nothing from outside."""

import re
from xml.etree import ElementTree

import pytest

from splitlab.charts import CHARTS, POINTS
from splitlab.errors import PlanError
from splitlab.history import History
from splitlab.page import page
from splitlab.summary import phases

STEPS = 1000
CHANGE = 600  # the step from which on a sample takes a quarter of the bytes


@pytest.fixture(scope="module")
def history():
    """Two clients, a thousand steps of 10 samples each, one step in a tenth of a second."""
    history = History()
    for step in range(STEPS):
        for client in (0, 1):
            now = 1e9 + step / 10
            if step == CHANGE:
                history.add([(now, client, 0, step, "codec", "float8_e4m3fn", "setting")])
            size = 4000.0 if step < CHANGE else 1000.0
            values = {"samples": 10.0, "bytes_up": size, "bytes_down": size / 2, "loss": 1 / (step + 1), "server": 1e-3}
            history.add([(now, client, step // 100, step, name, value, "") for name, value in values.items()])
            if step % 100 == 99:
                history.add([(now, client, step // 100, step, "test_accuracy", step / STEPS, "")])
    return history


def rows(chart):
    """The rows that the lines or bars of a chart are drawn from."""
    spec = chart.to_dict()
    layer = spec["layer"][0] if "layer" in spec else spec
    data = layer.get("data", spec.get("data"))
    return data["values"] if "values" in data else spec["datasets"][data["name"]]


def drawn(chart):
    """The texts of a chart as it is drawn."""
    import vl_convert

    tree = ElementTree.fromstring(vl_convert.vegalite_to_svg(chart.to_dict()))
    return [node.text for node in tree.iter() if node.tag.endswith("text")]


def test_bytes_on_the_wire_are_the_sum_of_all_steps(history):
    for direction in ("up", "down"):
        total = sum(row.value for row in history.select(f"bytes_{direction}")) / 1e6
        assert max(row["MB"] for row in rows(history.chart("bytes")) if row["direction"] == direction) == pytest.approx(
            total
        )


def test_bytes_per_sample_fall_with_the_codec(history):
    up = {row["seconds"]: row["kB"] for row in rows(history.chart("bytes_per_sample")) if row["direction"] == "up"}
    assert {value for when, value in up.items() if when < CHANGE / 10} == {0.4}
    assert {value for when, value in up.items() if when >= CHANGE / 10} == {0.1}


def test_accuracy_is_that_of_every_client_after_every_epoch(history):
    assert len(rows(history.chart("accuracy"))) == len(history.select("test_accuracy"))


def test_time_is_by_codec_and_part(history):
    bars = {row["label"]: row for row in rows(history.chart("time"))}
    assert set(bars) == {"as begun", "float8_e4m3fn"}
    assert bars["float8_e4m3fn"]["µs"] == pytest.approx(100)


def test_a_line_has_no_more_points_than_can_be_seen_and_ends_where_the_run_does(history):
    points = [row for row in rows(history.chart("loss")) if row["client"] == "0"]
    assert POINTS / 2 < len(points) <= POINTS
    assert points[-1]["seconds"] == pytest.approx((STEPS - 1) / 10)


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_can_be_drawn_and_says_in_words_what_it_shows(history, name):
    chart = history.chart(name)
    assert chart.to_dict()["description"]
    assert chart.to_dict()["title"]["text"] in drawn(chart)


def test_a_change_of_a_setting_is_marked_and_named(history):
    assert "codec = float8_e4m3fn" in drawn(history.chart("bytes"))
    assert "codec = float8_e4m3fn at 60.0 s" in history.chart("bytes").to_dict()["description"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_history_with_nothing_in_it_is_an_empty_chart(name):
    assert rows(History().chart(name)) == []


def test_in_a_notebook_a_chart_is_a_picture_that_needs_no_network(history):
    assert set(history.chart("bytes")._repr_mimebundle_()) == {"image/svg+xml"}


def test_an_unknown_chart_is_answered_with_the_known(history):
    with pytest.raises(PlanError, match="Did you mean 'bytes'"):
        history.chart("byte")


def test_the_page_holds_all_charts_and_asks_nobody_for_anything(history, tmp_path):
    file = tmp_path / "page.html"
    page(history, phases(history, "float32"), "lenet </script> on digits", "in words & figures", file)
    text = file.read_text(encoding="utf-8")
    assert all(f'<div id="{name}">' in text for name in CHARTS)
    assert text.count("<script>") == text.count("</script>") == 2
    ours = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=|@import|url\(", ours)
    assert "lenet &lt;/script&gt; on digits" in text
    assert "in words &amp; figures" in text
    assert "held-out accuracy" in text
