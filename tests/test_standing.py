"""Where a run stands follows from its rows alone, at any moment of it."""

import json

import pytest

import splitlab as sl
from splitlab.history import RUN, Row
from splitlab.standing import Standing

PLAN = sl.Plan(clients=2, epochs=2)


@pytest.fixture
def standing():
    return Standing(PLAN, [10, 5])


def row(name, value, client=0, epoch=0, step=0, time=100.0, unit=""):
    return Row(0, time, client, epoch, step, name, value, unit)


def steps(client, first, last, begin=100.0, epoch=0):
    return [row("step", 0.1, client, epoch, step, begin + step, "s") for step in range(first, last)]


def states(standing):
    return [device["state"] for device in standing.devices()]


def test_before_the_first_row_nothing_is_known(standing):
    status = standing.status()
    assert (status["state"], status["epoch"], status["step"], status["steps"]) == ("starting", 0, 0, 30)
    assert status["seconds"] == 0 and status["seconds_left"] is status["accuracy"] is status["loss"] is None
    assert states(standing) == ["starting"] * 3


def test_it_goes_from_joined_to_training_to_finished(standing):
    standing.take([row("joined", "host", unit="state")])
    assert standing.status()["state"] == "starting" and states(standing) == ["starting", "joined", "starting"]
    standing.take(steps(0, 0, 4))
    assert standing.status()["state"] == "training" and states(standing)[1] == "training"
    standing.take([row("left", "", 0), row("left", "", 1), row("state", "finished", RUN)])
    assert standing.status()["state"] == "finished" and states(standing) == ["finished"] * 3
    assert standing.status()["seconds_left"] == 0


def test_the_time_left_goes_by_the_pace_of_the_newest_steps(standing):
    standing.take(steps(0, 0, 10))
    assert standing.status()["seconds_left"] == pytest.approx(20.0)  # 20 more, a second each
    assert standing.status(now=115.0)["seconds"] == pytest.approx(15.0)
    standing.take([row("codec", "int8", step=10, unit="setting")])
    assert standing.status()["seconds_left"] is None and standing.plan.codec == "int8"


def test_the_epoch_is_that_of_the_slowest_who_has_begun(standing):
    standing.take(steps(0, 10, 12, epoch=1))
    assert standing.status()["epoch"] == 2
    standing.take(steps(1, 0, 2))
    assert standing.status()["epoch"] == 1 and standing.status()["step"] == 4


def test_a_pause_is_told_and_has_no_time_left(standing):
    standing.take([*steps(0, 0, 5), row("paused", True, unit="setting")])
    assert standing.status()["state"] == "paused" and standing.status()["seconds_left"] is None
    standing.take([row("paused", False, unit="setting")])
    assert standing.status()["state"] == "training"


def test_accuracy_and_loss_are_means_over_clients(standing):
    standing.take(
        [row("test_accuracy", 0.8), row("test_accuracy", 0.6, 1), row("loss", 1.0), row("loss", float("nan"), 1)]
    )
    assert standing.status()["accuracy"] == pytest.approx(0.7) and standing.status()["loss"] == 1.0


def test_who_is_lost_is_named_and_no_longer_counted(standing):
    standing.take([*steps(0, 0, 3), *steps(1, 0, 2), row("left", "its link was gone\nfor long", 1)])
    status = standing.status()
    assert status["notice"] == "client 1: its link was gone" and status["steps"] == 20 and status["step"] == 3
    assert states(standing)[2] == "lost" and standing.devices()[2]["error"] == "its link was gone\nfor long"
    standing.take([row("state", "failed", RUN)])
    assert "its link was gone" in standing.status()["error"] and not standing.status()["notice"]
    standing.take([row("joined", "host", 1)])
    assert states(standing)[2] != "lost" and standing.devices()[2]["error"] == ""


def test_machines_and_bytes_stand_with_their_devices(standing):
    facts = {"host": "pi", "cores": 4, "process_id": 7}
    standing.take(
        [
            row("machine", json.dumps({"host": "here"}), RUN, unit="facts"),
            row("machine", json.dumps(facts), 1, unit="facts", time=104.0),
            row("bytes_up", 100.0, 1),
            row("weights_up", 20.0, 1),
            row("control_down", 3.0, 0),
            row("memory", 5e6, 1),
        ]
    )
    server, first, second = standing.devices()
    assert server["facts"] == {"host": "here"} and (server["bytes_up"], server["bytes_down"]) == (120, 3)
    assert second["facts"] == facts and second["process_id"] == 7 and second["last_seen"] == 104.0
    assert (second["bytes_up"], second["bytes_down"], second["memory"]) == (120, 0, 5e6) and first["memory"] is None
    standing.take([row("machine", "not JSON", 1, unit="facts"), row("machine", "[1]", 0, unit="facts")])
    assert standing.devices()[2]["facts"] == {}


def test_what_it_says_is_plain(standing):
    standing.take([*steps(0, 0, 5), row("left", "why", 1)])
    assert json.loads(json.dumps([standing.status(), standing.devices()])) == [standing.status(), standing.devices()]
