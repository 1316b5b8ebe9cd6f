"""A recorded run is played again row by row, at any speed, with nothing of what it took to run it."""

import subprocess
import sys

import pytest

from splitlab.errors import PlanError
from splitlab.history import RUN, History
from splitlab.plan import Plan
from splitlab.replay import Replay

PLAN = Plan(model="lenet", data="digits", cut="pool1", clients=2, epochs=1)
ABOUT = {
    "plan": {"model": "lenet", "data": "digits", "cut": "pool1", "clients": 2, "epochs": 1},
    "steps_per_epoch": [10, 10],
    "drawing": {"model": "lenet"},
}


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def recorded():
    """Ten steps of two clients, one in a second; the codec changes after the fifth."""
    history = History(about=ABOUT)
    history.add((1e9, client, 0, 0, "joined", "host", "") for client in (0, 1))
    for step in range(10):
        for client in (0, 1):
            now = 1e9 + 1 + step
            if step == 5:
                history.add([(now, client, 0, step, "codec", "int8", "setting")])
            values = {"samples": 32.0, "bytes_up": 100.0, "step": 0.9, "loss": 0.5}
            history.add((now, client, 0, step, name, value, "") for name, value in values.items())
    history.add((1e9 + 11, client, 0, 10, "test_accuracy", 0.9, "") for client in (0, 1))
    history.add((1e9 + 11, client, 0, 10, "left", "", "") for client in (0, 1))
    history.add([(1e9 + 11, RUN, 0, 0, "state", "finished", "state")])
    return history


def playing(recorded, speed=1.0):
    clock = Clock()
    replay = Replay(recorded, speed, clock)
    assert len(replay.history) == 2  # the first look: time begins
    return replay, clock


@pytest.mark.parametrize("speed", [0.5, 1, 8])
def test_rows_come_when_they_came_at_any_speed(recorded, speed):
    replay, clock = playing(recorded, speed)
    for second in range(1, 12):
        clock.now = 100 + second / speed + 1e-6
        assert max(row.time for row in replay.history) - 1e9 == second
    assert replay.ended and list(replay.history) == list(recorded)


def test_at_infinite_speed_everything_is_there_at_once(recorded):
    replay = Replay(recorded, float("inf"))
    assert replay.ended and list(replay.history) == list(recorded) and replay.state == "finished"


def test_time_begins_when_somebody_looks(recorded):
    clock = Clock()
    replay = Replay(recorded, 1, clock)
    clock.now += 1000
    assert len(replay.history) == 2 and not replay.ended


def test_a_pause_holds_the_time(recorded):
    replay, clock = playing(recorded)
    clock.now += 3.5
    replay.pause()
    seen = len(replay.history)
    clock.now += 1000
    assert len(replay.history) == seen and replay.state == "paused" and not replay.ended
    replay.set(paused=False)
    clock.now += 1
    assert len(replay.history) > seen and replay.state == "training"


def test_the_speed_can_change_on_the_way(recorded):
    replay, clock = playing(recorded)
    clock.now += 2
    replay.speed = 100
    clock.now += 0.1
    assert replay.ended


def test_stopping_ends_it_where_it_is(recorded):
    replay, clock = playing(recorded)
    clock.now += 3
    replay.stop()
    seen = len(replay.history)
    clock.now += 1000
    assert replay.ended and replay.state == "stopped" and len(replay.history) == seen


def test_it_stands_where_the_run_stood(recorded):
    replay, clock = playing(recorded)
    assert replay.plan.codec == "float32" and replay.about["drawing"] == {"model": "lenet"}
    clock.now += 7
    status = replay.status()
    assert (status["state"], status["step"], status["steps"]) == ("training", 14, 20) and replay.plan.codec == "int8"
    assert [device["name"] for device in replay.devices()] == ["server", "client 0", "client 1"]
    clock.now += 7
    assert replay.status()["accuracy"] == 0.9 and replay.summary.bytes_up == 2000


def test_a_recording_without_an_end_was_cut_short(recorded):
    short = History(about=ABOUT)
    short.add(row[1:] for row in list(recorded)[:20])
    assert Replay(short, float("inf")).state == "stopped"


def test_what_was_recorded_cannot_be_changed(recorded):
    with pytest.raises(PlanError, match="this is a recording: codec cannot change"):
        Replay(recorded).set(codec="int8")


@pytest.mark.parametrize("speed", [0, -1, float("nan"), True, "fast"])
def test_a_speed_that_goes_nowhere_is_refused(recorded, speed):
    with pytest.raises(PlanError, match="expected a number above 0"):
        Replay(recorded, speed)


def test_rows_that_do_not_say_what_was_run_cannot_be_replayed():
    with pytest.raises(PlanError, match="does not say what was run"):
        Replay(History())


def test_replaying_in_the_widgets_needs_no_torch(recorded, tmp_path):
    recorded.save(tmp_path / "run.jsonl")
    code = (
        "import sys; from splitlab.replay import Replay; from splitlab.widgets.live_charts import LiveCharts; "
        f"replay = Replay({str(tmp_path / 'run.jsonl')!r}, float('inf')); charts = LiveCharts().follow(replay); "
        "sent = []; charts.send = lambda message, buffers=None: sent.append(message); "
        "charts._asked.put({'type': 'hello'}); assert not charts.pump() and sent[0]['news']; "
        "replay.status(), replay.devices(), replay.summary; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
