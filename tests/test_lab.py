"""The lab without a browser: what people do comes in as the events that the page would send."""

import json
import subprocess
import sys
import threading
import time

import pytest
import torch

import splitlab as sl
from splitlab.errors import PlanError, TraceError

LIVELY = {"clients": 1, "epochs": 400, "test_samples": 32}


def until(condition, what, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for: {what}"
        time.sleep(0.02)
    return value


def send(widget, **message):
    """A message from the page."""
    widget._handle_custom_msg(message, [])


def press(lab, what):
    send(lab.controls, type="press", what=what)


def give(lab, name, value):
    send(lab.controls, type="set", name=name, value=value)


@pytest.fixture
def lab():
    made = sl.Lab("lenet", "digits", on="thread", **LIVELY)
    yield made
    made.close()
    made.join(30)
    assert not made.running


def steps(lab):
    return lab.run.history.select("step") if lab.run else []


def start(lab):
    press(lab, "start")
    until(lambda: steps(lab), "the first step")


def test_building_a_lab_and_showing_it_starts_nothing():
    before = set(threading.enumerate())
    lab = sl.Lab("lenet", "digits", on="thread")
    bundle = lab._repr_mimebundle_()
    assert set(threading.enumerate()) <= before
    assert lab.run is None and lab.controls.state == "idle"
    assert lab.picker.cut == "pool1" == lab.plan.cut
    assert "application/vnd.jupyter.widget-view+json" in (bundle[0] if isinstance(bundle, tuple) else bundle)


def test_start_pause_resume_stop_and_reset_do_what_their_buttons_say(lab):
    start(lab)
    until(lambda: lab.controls.state == "training" and lab.picker.locked, "training shown")
    press(lab, "pause")
    until(lambda: lab.controls.state == "paused", "a pause")
    press(lab, "resume")
    done = len(steps(lab))
    until(lambda: len(steps(lab)) > done, "more steps")
    press(lab, "stop")
    until(lambda: lab.controls.state == "stopped" and not lab.picker.locked, "the end")
    assert lab.charts.runs and lab.devices.devices
    press(lab, "reset")
    until(lambda: lab.controls.state == "idle" and not lab.charts.runs, "a clean table")
    assert lab.run is None and not lab.comparison.points and not lab.devices.devices


def test_a_codec_set_during_the_run_counts_from_the_next_step_on_and_is_compared(lab):
    start(lab)
    until(lambda: lab.comparison.points and lab.comparison.points[0]["accuracy"], "a first point")
    give(lab, "codec", "float8_e4m3fn")
    until(lambda: len(lab.comparison.points) == 2 and lab.comparison.sentence, "a second point")
    first, second = lab.comparison.points
    assert 0.2 < second["bytes"] / first["bytes"] < 0.3
    assert lab.comparison.sentence.startswith("8-bit floats cut traffic to a quarter")
    assert lab.run.plan.codec == "float8_e4m3fn"


def test_what_cannot_change_live_waits_for_the_next_start(lab):
    start(lab)
    give(lab, "batch_size", 64)
    until(lambda: lab.controls.pending == ["batch_size"], "the setting to wait")
    assert lab.run.plan.batch_size == 32
    before = lab.run
    press(lab, "restart")
    until(lambda: lab.run is not before and steps(lab), "another run")
    assert lab.run.plan.batch_size == 64 and before.ended
    until(lambda: lab.controls.pending == [], "nothing to wait")


def test_a_wrong_value_stays_beside_its_field_and_nothing_changes(lab):
    give(lab, "codec", "float9")
    until(lambda: "codec" in lab.controls.problems, "the problem")
    assert "float8" in lab.controls.problems["codec"]["text"] and lab.plan.codec == "float32"


def test_the_picker_sets_the_plan_and_the_plan_sets_the_picker(lab):
    lab.picker.cut = "relu1"
    until(lambda: lab.plan.cut == "relu1", "the plan to follow")
    give(lab, "cut", "pool2")
    until(lambda: lab.picker.cut == "pool2", "the picker to follow")
    lab.picker.u_shaped = True
    until(lambda: lab.plan.tail, "a tail")
    assert lab.plan.tail == lab.picker.tail


def test_a_cut_that_another_network_lacks_becomes_the_default_one_and_it_is_said(lab):
    lab.picker.cut = "pool2"
    give(lab, "model", "mlp")
    until(lambda: lab.plan.model == "mlp", "the other network", 60)
    assert "pool2" in lab.picker.notice and lab.plan.cut == lab.picker.cut != "pool2"
    start(lab)
    assert lab.run.plan.cut == lab.picker.cut


def test_the_state_is_one_line_that_another_lab_takes_back(lab):
    lab.picker.cut = "relu1"
    give(lab, "codec", "int8")
    until(lambda: lab.plan.codec == "int8" and lab.plan.cut == "relu1", "the plan")
    line = until(lambda: lab.controls.state_line == lab.state and lab.state, "the line to be shown")
    assert "\n" not in line and json.loads(line)["cut"] == "relu1"
    other = sl.Lab("lenet", "digits", on="thread")
    other.restore(line)
    until(lambda: other.plan == lab.plan, "the same plan")
    assert other.picker.cut == "relu1"
    other.close()


@pytest.mark.parametrize("line", ["", "[]", "{", '{"plan": 3}', '{"plan": {"speed": 3}}', "null"])
def test_a_line_that_is_no_state_is_refused_and_nothing_is_lost(lab, line):
    before = lab.plan
    with pytest.raises(PlanError):
        lab.restore(line)
    send(lab.controls, type="paste", text=line)
    until(lambda: "paste" in lab.controls.problems, "the problem")
    assert lab.plan == before


def test_a_new_lab_ends_the_run_of_the_one_before(lab):
    start(lab)
    other = sl.Lab("lenet", "digits", on="thread")
    until(lambda: lab.run.ended and lab.controls.state == "closed", "the end of the first")
    assert not other.running
    other.close()


def test_what_fails_is_said_with_its_traceback_and_the_next_start_works(lab):
    press(lab, "pause")
    until(lambda: "press Start" in lab.controls.status.get("error", ""), "the error")
    give(lab, "learning_rate", 1e9)
    press(lab, "start")
    until(lambda: lab.controls.state == "failed", "the failure")
    assert "diverged" in lab.controls.status["error"]
    give(lab, "learning_rate", 0.05)
    start(lab)
    until(lambda: lab.controls.state == "training" and not lab.controls.status["error"], "training")


def test_an_error_stays_on_the_screen_while_the_run_goes_on_and_until_the_next_command(lab):
    start(lab)
    press(lab, "start")
    until(lambda: "stop it before" in lab.controls.status.get("error", ""), "the error")
    done = len(steps(lab))
    until(lambda: len(steps(lab)) > done + 20, "further steps")
    assert "stop it before" in lab.controls.status["error"] and lab.controls.state == "training"
    press(lab, "pause")
    until(lambda: not lab.controls.status["error"] and lab.controls.state == "paused", "no error any more")


def test_a_start_that_cannot_be_leaves_the_lab_ready_with_the_reason(lab):
    give(lab, "batch_size", 100_000)
    press(lab, "start")
    until(lambda: "batch" in lab.controls.status.get("error", ""), "the reason")
    assert lab.controls.state == "idle" and lab.run is None


def test_a_baseline_has_no_cut_and_a_click_on_a_cut_ends_it(lab):
    lab.picker.cut = "relu1"
    until(lambda: lab.plan.cut == "relu1", "the cut")
    give(lab, "baseline", "central")
    until(lambda: lab.plan.baseline == "central" and lab.plan.cut is None, "the baseline")
    start(lab)
    press(lab, "reset")
    until(lambda: lab.controls.state == "idle", "the reset")
    give(lab, "baseline", "")
    until(lambda: lab.plan.cut == "relu1" and lab.plan.baseline is None, "the cut that the picker shows")
    give(lab, "baseline", "central")
    lab.picker.cut = "pool1"
    until(lambda: lab.plan.cut == "pool1" and lab.plan.baseline is None, "a cut again")


def test_the_network_is_timed_when_somebody_looks_and_prediction_meets_measurement(lab):
    assert all(cost["seconds"] is None for cost in lab.picker.costs.values())
    send(lab.charts, type="hello")
    until(lambda: all(cost["seconds"] for cost in lab.picker.costs.values()), "predictions")
    start(lab)
    measured = until(lambda: lab.picker.measured, "a measurement")
    assert measured["cut"] == "pool1" and measured["seconds"] > 0
    assert measured["error"] == pytest.approx(lab.picker.costs["pool1"]["seconds"] / measured["seconds"] - 1, abs=0.5)


def test_a_module_that_cannot_be_traced_is_refused_by_the_cell_itself():
    class Sly(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(TraceError):
        sl.Lab(Sly(), "digits")


def test_the_lab_runs_in_real_kernels_and_leaves_none_behind():
    lab = sl.Lab("lenet", "digits", **LIVELY)
    start(lab)
    processes = [job.process_id for job in lab.run.jobs.values()]
    assert len(set(processes)) == 2 and all(processes)
    send(lab.devices, type="kill", name="client 0")
    until(lambda: lab.run.ended, "the end")
    press(lab, "start")
    until(lambda: lab.running and steps(lab), "a new start")
    lab.close()
    lab.join(30)
    assert all(job.process_id is None for job in lab.run.jobs.values())


def test_a_recording_plays_in_the_same_lab_without_torch(tmp_path):
    sl.start("lenet", "digits", on="thread", clients=1, epochs=1, record=tmp_path / "r.jsonl").wait(progress=False)
    code = f"""
import sys, time
import splitlab as sl
lab = sl.Lab.replay({str(tmp_path / "r.jsonl")!r}, speed=float("inf"))
assert lab.picker.cut == "pool1" and lab.picker.costs
lab.press("start")
deadline = time.monotonic() + 20
while not (lab.run and lab.run.ended and lab.comparison.points) and time.monotonic() < deadline:
    time.sleep(0.05)
assert lab.run.state == "finished" and lab.controls.recorded, lab.controls.status
assert "torch" not in sys.modules and "jupyter_client" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
