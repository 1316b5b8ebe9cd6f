"""The page is told every point once, everything again when it asks, and gets its files in pieces that arrive."""

import csv
import gzip
import io
import time

import altair as alt
import pytest

from splitlab import charts
from splitlab.errors import PlanError, SplitlabError
from splitlab.history import History, Row
from splitlab.plan import Plan
from splitlab.replay import Replay
from splitlab.widgets import live_charts
from splitlab.widgets.live_charts import LiveCharts

STEP = {"samples": 32.0, "bytes_up": 400.0, "bytes_down": 200.0, "server": 1e-3, "step": 2e-3, "loss": 0.5}
PLAN = Plan(model="lenet", cut="pool1", codec="int8")


@pytest.fixture
def page(monkeypatch):
    """Live charts whose messages are kept in `sent`, with their buffers."""
    widget = LiveCharts()
    sent = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    monkeypatch.setattr(live_charts, "PIECE_SECONDS", 0.0)
    yield widget, sent
    widget.close()


def rows(count, begin=0):
    names = [(step, name, value) for step in range(begin, begin + count) for name, value in STEP.items()]
    return [Row(n, 1e9 + step, 0, 0, step, name, value, "") for n, (step, name, value) in enumerate(names)]


def history(count=10):
    found = History(about={"plan": {"model": "lenet", "cut": "pool1"}, "steps_per_epoch": [count]})
    found.add(row[1:] for row in rows(count))
    return found


def ask(widget, **message):
    """The page says something, as anywidget passes it on."""
    widget._handle_custom_msg(message, [])


def points(sent, table="wire"):
    return [
        news for message, _ in sent if message["type"] == "points" for news in message["news"] if news["table"] == table
    ]


def test_nobody_is_told_anything_before_somebody_looks(page):
    widget, sent = page
    widget.take(widget.add(), rows(5))
    widget.pump()
    assert sent == []


def test_a_page_is_told_everything_when_it_asks_and_then_only_what_is_new(page):
    widget, sent = page
    key = widget.add()
    widget.take(key, rows(50))
    ask(widget, type="hello")
    widget.pump()
    assert [(news["anew"], len(news["rows"])) for news in points(sent)] == [(True, 100)]
    widget.take(key, rows(1, 50))
    widget.pump()
    assert [(news["anew"], len(news["rows"])) for news in points(sent)[1:]] == [(False, 2)]
    widget.pump()
    assert len(points(sent)) == 2
    ask(widget, type="hello")  # a reload, or a second view
    widget.pump()
    assert points(sent)[-1]["anew"] and len(points(sent)[-1]["rows"]) == 102


def test_a_callback_only_keeps_what_it_heard(page):
    widget, sent = page
    woken = []
    widget.wake = lambda: woken.append(True)
    widget.take(widget.add(), rows(5))
    ask(widget, type="hello")
    assert woken and not sent


def test_runs_have_names_and_colours_of_their_own_and_the_newest_is_last(page):
    widget, _ = page
    for _ in range(3):
        widget.add(plan=PLAN)
    assert [run["label"] for run in widget.runs] == [f"lenet, pool1, int8{n}" for n in ("", " (2)", " (3)")]
    assert [run["slot"] for run in widget.runs] == [0, 1, 2] and [run["old"] for run in widget.runs] == [
        True,
        True,
        False,
    ]


def test_more_runs_than_can_be_told_apart_push_out_the_oldest(page):
    widget, _ = page
    keys = [widget.add() for _ in range(charts.RUNS + 3)]
    assert [run["key"] for run in widget.runs] == keys[3:]
    assert sorted(run["slot"] for run in widget.runs) == list(range(charts.RUNS))
    widget.take(keys[0], rows(1))  # it may still go on


def test_a_run_can_be_removed_from_the_page(page):
    widget, _ = page
    key, other = widget.add("one"), widget.add("two")
    ask(widget, type="remove", run=key)
    widget.pump()
    assert [run["key"] for run in widget.runs] == [other]
    ask(widget, type="remove", run="nonsense")
    widget.pump()
    widget.clear()
    assert widget.runs == []


def saved(widget, sent, what, keys):
    """The file that comes of a click, put together as the page does."""
    ask(widget, type="export", what=what, view="v", runs=keys)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        widget.pump()
        last = sent[-1][0] if sent else {}
        if last.get("type") == "problem" or (last.get("type") == "file" and last["piece"] == last["pieces"] - 1):
            break
        time.sleep(0.01)
    pieces = [(message, buffers) for message, buffers in sent if message["type"] == "file"]
    assert [message["piece"] for message, _ in pieces] == list(range(len(pieces)))
    return gzip.decompress(b"".join(buffers[0] for _, buffers in pieces)) if pieces else last["text"]


def test_rows_are_saved_as_a_table_of_all_runs_that_are_shown(page, monkeypatch):
    monkeypatch.setattr(live_charts, "PIECE", 100)
    widget, sent = page
    keys = [widget.add(label) for label in ("one", "two", "hidden")]
    for key in keys:
        widget.take(key, rows(2))
    table = list(csv.DictReader(io.StringIO(saved(widget, sent, "csv", keys[:2]).decode())))
    assert [(row["run"], row["name"], float(row["value"])) for row in table] == [
        (run, name, value) for run in ("one", "two") for _ in range(2) for name, value in STEP.items()
    ]


def test_the_newest_run_is_saved_as_a_recording_that_can_be_replayed(page, tmp_path):
    widget, sent = page
    keys = [widget.add(history=history(3)), widget.add(history=history(7))]
    path = tmp_path / "saved.jsonl"
    path.write_bytes(saved(widget, sent, "jsonl", keys))
    assert list(Replay(path, float("inf")).history) == list(history(7))


def test_charts_are_saved_as_a_page_without_a_script(page):
    widget, sent = page
    text = saved(widget, sent, "html", [widget.add("<one>", history=history())]).decode()
    assert text.count("<svg") == len(charts.LIVE) and "<script" not in text and "&lt;one&gt;" in text


def test_what_cannot_be_saved_says_why_to_the_one_who_asked(page):
    widget, sent = page
    assert "nothing to save yet" in saved(widget, sent, "csv", [])
    widget.add()
    assert "unknown kind of file 'xls'" in saved(widget, sent, "xls", [0])
    assert {message["view"] for message, _ in sent} == {"v"}


def test_a_student_s_chart_gets_points_or_rows(page):
    widget, sent = page
    widget.own("mine", alt.Chart(alt.NamedData("rows")).mark_point().encode(x="seconds:Q", y="value:Q"))
    assert widget.charts[-1]["name"] == "mine" and widget.charts[-1]["spec"]["data"] == {"name": "rows"}
    key = widget.add()
    ask(widget, type="hello")
    widget.take(key, rows(2))
    widget.pump()
    assert len(points(sent, "rows")[0]["rows"]) == 2 * len(STEP)
    widget.own("mine", None)
    assert [chart["name"] for chart in widget.charts] == list(charts.LIVE)


def test_a_student_s_chart_of_unknown_data_is_answered_with_the_known(page):
    widget, _ = page
    with pytest.raises(PlanError, match="Did you mean 'points'"):
        widget.own("mine", alt.Chart(alt.NamedData("point")).mark_point())
    with pytest.raises(SplitlabError, match="choose another name"):
        widget.own("loss", alt.Chart(alt.NamedData("points")).mark_point())


def test_no_chart_asks_anybody_for_anything(page):
    widget, _ = page
    assert "http" not in str(widget.charts)


def test_following_a_replay_tells_all_of_it_and_then_rests(page):
    widget, sent = page
    widget.follow(Replay(history(5), 20))
    assert widget._follower is None  # nobody looks yet
    ask(widget, type="hello")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (points(sent) and points(sent)[-1]["rows"][-1][1] == 4):
        time.sleep(0.02)
    seen = {tuple(row[:4]) for news in points(sent) for row in news["rows"]}
    assert ("4up" in {row[0] for row in seen} or len(seen) >= 10) and len(points(sent)) > 1
    told = len(sent)
    time.sleep(0.3)
    assert len(sent) == told


def test_a_history_is_shown_whole(page):
    widget, sent = page
    widget.follow(history(20), "recorded")
    ask(widget, type="hello")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not sent:
        time.sleep(0.02)
    assert len(points(sent)[0]["rows"]) == 40 and widget.runs[0]["label"] == "recorded"


def test_several_runs_are_one_chart_that_stands_still(page):
    widget, _ = page
    for label in ("one", "two"):
        widget.add(label, history=history())
    for what in charts.LIVE:
        spec = widget.chart(what).to_dict()
        assert "one, two" in spec["description"] and spec["title"]["text"] == charts.LIVE[what].title
    with pytest.raises(PlanError, match="Did you mean 'bytes'"):
        widget.chart("byte")
