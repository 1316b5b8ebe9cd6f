"""Every point of a live chart is a sum or a mean of rows, however long the run; memory and messages stay small."""

import json
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splitlab.history import RUN, Row
from splitlab.points import Points, records
from splitlab.points.tables import MARKS, NOW, SMOOTH

STEP = {"samples": 10.0, "bytes_up": 4000.0, "bytes_down": 2000.0, "server": 2e-3, "up": 1e-3, "step": 4e-3}


def row(seconds, name, value, client=0, epoch=0, step=0, unit=""):
    return Row(0, 1e9 + seconds, client, epoch, step, name, value, unit)


def steps(count, every=0.1, clients=1, **values):
    """Rows of so many steps of each client, one in `every` seconds."""
    for step in range(count):
        for client in range(clients):
            for name, value in (STEP | values).items():
                yield row(step * every, name, value, client, step=step)


def fed(rows):
    points = Points()
    points.take(rows)
    return points


def last(points, table, **which):
    found = [record for record in records(points, table) if which.items() <= record.items()]
    return found[-1]


def test_bytes_are_those_of_all_steps_of_all_clients():
    points = fed(steps(50, clients=3))
    assert last(points, "wire", way="up")["total"] == 50 * 3 * 4000
    assert last(points, "wire", way="down")["total"] == 50 * 3 * 2000


def test_bytes_of_a_step_and_of_a_sample_do_not_depend_on_how_many_clients_there_are():
    for clients in (1, 4):
        up = last(fed(steps(20, clients=clients)), "wire", way="up")
        assert (up["step_bytes"], up["sample_bytes"]) == (4000, 400)


def test_the_parts_of_a_sample_s_time_stand_at_every_time():
    points = fed([*steps(10), *steps(10, client_tail=1e-3)])
    found = records(points, "time")
    times = {record["seconds"] for record in found}
    assert all({r["part"] for r in found if r["seconds"] == t} >= {"server", "up", "client_tail"} for t in times)
    assert last(points, "time", part="server")["microseconds"] == pytest.approx(200)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3000), st.floats(0.001, 30), st.integers(0, 5))
def test_a_run_of_any_length_stays_whole_within_its_budget(count, every, seed):
    rows = list(steps(count, every))
    random.Random(seed).shuffle(rows)  # rows of several clients come out of order
    rows.insert(0, row(0, "joined", "host"))
    points = fed(rows)
    for name, budget in (("wire", 2 * 400), ("time", 3 * 150)):
        assert len(records(points, name)) <= budget
    assert last(points, "wire", way="up")["total"] == pytest.approx(count * 4000, rel=1e-4)
    assert last(points, "wire", way="up")["seconds"] == pytest.approx((count - 1) * every, abs=1e-2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=8), st.integers(300, 1200))
def test_news_put_together_are_the_whole(pauses, count):
    """Whatever was asked for in between: who follows the news sees what somebody sees who comes later."""
    rows, seen, points = list(steps(count, 0.2, clients=2)), {}, Points()
    rows += [row(count * 0.2, "loss", 0.5), row(count * 0.2, "test_accuracy", 0.9), row(1, "memory", 1e6)]
    stops = sorted({min(stop * 17, len(rows)) for stop in pauses} | {len(rows)})
    for begin, end in pairwise([0, *stops]):
        points.take(rows[begin:end])
        for table, anew, _, new in points.news():
            known = {} if anew else seen.get(table, {})
            seen[table] = known | {point[0]: point for point in new}
    for table, _, _, whole in points.news(whole=True):
        assert seen.get(table, {}) == {point[0]: point for point in whole}


def test_a_client_s_first_step_warms_it_up_and_is_not_drawn():
    slow = [row(0.0, name, value * 50, step=0) for name, value in STEP.items() if name != "samples"]
    points = fed([*slow, row(0.0, "samples", 10.0), *steps(20)])
    assert max(record["microseconds"] for record in records(points, "time") if record["part"] == "server") == 200


def test_a_late_row_belongs_to_its_own_time():
    points = fed(steps(100))
    points.news()
    points.take([row(2.0, "bytes_up", 1e6)])
    found = next(news for news in points.news() if news.table == "wire")
    assert min(point[1] for point in found.rows) == pytest.approx(2.0, abs=0.11)
    assert last(points, "wire", way="up")["total"] == pytest.approx(100 * 4000 + 1e6)


def test_the_loss_is_averaged_over_a_client_s_last_steps_and_shows_the_spread_of_clients():
    losses = [row(step / 10, "loss", float(step % 2), 0, step=step) for step in range(100)]
    losses += [row(step / 10, "loss", 3.0, 1, step=step) for step in range(100)]
    end = last(fed(losses), "loss")
    assert end["low"] == pytest.approx(0.5, abs=1 / SMOOTH) and end["high"] == 3.0
    assert end["value"] == pytest.approx((end["low"] + end["high"]) / 2, rel=1e-4)


def test_a_loss_that_is_no_number_is_left_out():
    points = fed([row(0, "loss", 1.0), row(1, "loss", math.nan), row(2, "loss", math.inf)])
    json.dumps(points.news(whole=True), allow_nan=False)
    assert [record["value"] for record in records(points, "loss")] == [1.0] and points.now()["loss"] == 1.0


def test_accuracy_is_that_of_every_client_with_the_spread_of_an_epoch():
    rows = [row(10 + client, "test_accuracy", value, client, 0) for client, value in enumerate((0.8, 0.9, 0.7))]
    points = fed([*steps(1), *rows])
    assert {r["client"]: r["value"] for r in records(points, "accuracy")} == pytest.approx(
        {"0": 0.8, "1": 0.9, "2": 0.7, "mean": 0.8}
    )
    mean = last(points, "accuracy", client="mean")
    assert (mean["low"], mean["high"], mean["seconds"], mean["total"]) == (0.7, 0.9, 12, 6000)
    now = points.now()
    assert (now["low"], now["accuracy"], now["high"]) == pytest.approx((0.7, 0.8, 0.9))
    assert (now["epochs"], now["clients"], now["seconds_run"]) == (1, 3, 12)


def test_before_the_first_step_nothing_is_claimed():
    now = fed([row(0, "joined", "host")]).now()
    assert {now[name] for name in ("bytes", "seconds", "loss", "accuracy", "memory")} == {None}
    assert (now["clients"], now["epochs"], now["total"]) == (0, 0, 0)


def test_thousands_of_epochs_become_a_line_that_ends_where_the_run_does():
    points = fed(row(epoch, "test_accuracy", 0.5, client, epoch) for epoch in range(3000) for client in range(4))
    assert 500 < len(records(points, "accuracy")) <= 2000
    assert last(points, "accuracy", client="mean")["epoch"] == 2999


def test_memory_is_the_most_that_a_client_held():
    points = fed([row(0, "memory", 5.0, 1), row(0.01, "memory", 9.0, 1), row(0.02, "memory", 7.0, 1)])
    assert [record["value"] for record in records(points, "memory")] == [9.0]


def test_a_system_that_does_not_say_how_much_memory_is_used_has_no_line():
    assert records(fed([row(0, "memory", 0.0)]), "memory") == []


def test_a_change_of_a_setting_is_marked_once_however_many_clients_follow():
    changes = ("float8_e4m3fn", "float32")
    rows = [row(10 * n + 0.1 * c, "codec", codec, c, unit="setting") for c in (0, 1) for n, codec in enumerate(changes)]
    marks = records(fed([row(0, "joined", ""), *rows]), "marks")
    assert [mark["what"] for mark in marks] == ["codec = float8_e4m3fn", "codec = float32"]


def test_a_pause_is_marked_in_words_and_neighbours_stand_on_different_levels():
    rows = [row(n, "paused", n % 2 == 0, unit="setting") for n in range(4)]
    rows.append(row(5, "gradient_codec", None, unit="setting"))
    marks = records(fed(rows), "marks")
    assert [mark["what"] for mark in marks] == ["paused", "resumed", "paused", "resumed", "gradient_codec = none"]
    assert all(one["level"] != other["level"] for one, other in pairwise(marks))


def test_marks_beyond_what_can_be_read_push_out_the_oldest():
    points = Points()
    seen = {}
    for n in range(2 * MARKS):
        points.take([row(n, "learning_rate", n / 100, unit="setting")])
        for news in points.news():
            seen = ({} if news.anew else seen) | {point[0]: point for point in news.rows}
    assert list(seen) == [str(n) for n in range(MARKS, 2 * MARKS)]


def test_the_figures_of_now_follow_a_change_within_a_few_buckets():
    points = fed(steps(100))
    points.take(
        row(10 + n / 10, name, value) for n in range(NOW + 1) for name, value in (STEP | {"bytes_up": 1000.0}).items()
    )
    now = points.now()
    assert now["bytes"] == 300 and now["parts"]["server"] == pytest.approx(200)


def test_rows_of_the_run_as_a_whole_are_no_points():
    points = fed([row(0, "state", "training", RUN), row(1, "bytes_up", 5.0, RUN)])
    assert not any(news.rows for news in points.news())


def test_nothing_new_is_no_news():
    points = fed(steps(10))
    assert points.news() and points.news() == []
    assert {news.table for news in points.news(whole=True)} == set(points.tables)


def test_an_update_ten_times_a_second_is_small():
    points = fed(steps(6000, 0.02, clients=5))
    points.news()
    sizes = []
    for step in range(20):
        points.take(row(120 + step / 10, name, v, c) for c in range(5) for name, v in STEP.items())
        sizes.append(len(json.dumps(points.news())))
    assert sorted(sizes)[len(sizes) // 2] < 1000
