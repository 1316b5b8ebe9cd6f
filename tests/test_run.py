"""A run is steered while it goes on, says what happened, and fails in one place without disturbing the others."""

import json
import threading
import time

import pytest
import torch
from torch import nn
from ways import each_way

import splitlab as sl
from splitlab import handover
from splitlab.codec.topk import TopK
from splitlab.errors import PlanError, RunError
from splitlab.places import Thread, work
from splitlab.share import Share

PLAN = sl.Plan(model="lenet(width=2)", cut="pool1", clients=2, epochs=2, batch_size=10, test_samples=40)
ENDLESS = PLAN.change(epochs=100_000, evaluate=False)


@pytest.fixture
def start(small):
    """Start a run in threads; whatever still goes on at the end of the test is killed, and nothing stays behind."""
    runs = []

    def started(plan=PLAN, model=None, on="thread", **settings):
        runs.append(sl.start(model, small, plan, on=on, **settings))
        return runs[-1]

    yield started
    for run in runs:
        run.kill()
    assert gone(lambda: [thread for thread in threading.enumerate() if thread.name.startswith("splitlab")])


def gone(what, seconds=5):
    """Whether there is none of it any more, within so many seconds."""
    deadline = time.monotonic() + seconds
    while what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not what()


def wait_for(run, name, count=1, seconds=20):
    """Until the history has so many rows of a name."""
    deadline = time.monotonic() + seconds
    while len(rows := run.history.select(name)) < count:
        assert time.monotonic() < deadline and not run.ended, f"{run}: {len(rows)} rows of {name}"
        time.sleep(0.01)
    return rows


def same(model, other):
    mine, theirs = model.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in theirs)


# ---- steering --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [None, "fc1"], ids=["plain", "u_shaped"])
def test_a_codec_takes_effect_in_both_directions_from_the_step_that_the_history_names(tail, start):
    run = start(ENDLESS.change(cut="conv1", tail=tail, batch_size=50))
    wait_for(run, "step", 6)
    run.set(codec="int8")
    wait_for(run, "codec", 2)
    wait_for(run, "step", len(run.history.select("step")) + 8)
    run.stop()
    run.wait(20, progress=False)
    assert run.plan.codec == "int8"
    for client in range(2):
        (setting,) = run.history.select("codec", client)
        assert (setting.value, setting.unit) == ("int8", "setting") and setting.step > 0
        for way in ("bytes_up", "bytes_down"):
            rows = {row.step: row.value for row in run.history.select(way, client)}
            before = {size for step, size in rows.items() if step < setting.step}
            after = {size for step, size in rows.items() if step >= setting.step}
            assert before and after and max(after) < 0.35 * min(before)


def test_gradients_have_a_codec_of_their_own(start):
    plain, thrifty = (
        start(PLAN.change(cut="conv1", gradient_codec=codec)).wait(30, progress=False) for codec in (None, "topk(0.01)")
    )
    for way, least, most in (("bytes_up", 0.99, 1.01), ("bytes_down", 0.0, 0.2)):
        sizes = [sum(row.value for row in run.history.select(way)) for run in (thrifty, plain)]
        assert least <= sizes[0] / sizes[1] <= most


def test_what_topk_leaves_out_is_not_lost(start, monkeypatch):
    """The same run learns less when what is left out is forgotten instead of being sent with the next step."""
    plan = PLAN.change(clients=1, epochs=25, codec="float32", gradient_codec="topk(0.02)", optimizer="SGD(lr=0.1)")

    def final_loss():
        run = start(plan).wait(60, progress=False)
        return sum(row.value for row in run.history.select("loss")[-10:])

    remembering = final_loss()
    monkeypatch.setattr(TopK, "feedback", False)
    assert remembering < 0.9 * final_loss()


@pytest.mark.parametrize("tail", [None, "fc1"], ids=["plain", "u_shaped"])
def test_a_learning_rate_takes_effect_live_on_both_sides(tail, start):
    run = start(ENDLESS.change(paused=True, tail=tail))
    wait_for(run, "joined", 2)
    run.set(learning_rate=0.0)
    run.resume()
    wait_for(run, "step", 6)
    run.stop()
    run.wait(20, progress=False)
    assert [(row.value, row.step) for row in run.history.select("learning_rate")] == [(0.0, 0)] * 2
    assert same(run.model, sl.models.load(PLAN.model, run.data, seed=PLAN.seed))


def test_a_learning_rate_is_only_set_when_it_changes_so_that_its_schedule_goes_on(start):
    plan = PLAN.change(clients=1, epochs=4, learning_rate=0.1, lr_schedule="ExponentialLR(gamma=0.1)")
    undisturbed = start(plan).wait(30, progress=False)
    run = start(plan.change(paused=True))
    run.set(gradient_codec="float32")  # a new version of the settings that changes nothing
    run.resume()
    run.wait(30, progress=False)
    assert run.history.select("gradient_codec") and same(run.model, undisturbed.model)


@pytest.mark.parametrize("sharing", ["average", "pooled", "relay"])
def test_a_pause_holds_every_client_and_changes_nothing(sharing, start):
    plan = PLAN.change(epochs=3, sharing=sharing)
    undisturbed = start(plan).wait(30, progress=False)
    run = start(plan.change(paused=True))
    wait_for(run, "joined", 2)
    time.sleep(0.3)
    assert not run.history.select("step")
    run.resume()
    wait_for(run, "step", 3)
    if not run.ended:
        run.pause()
        assert run.state == "paused"
        time.sleep(0.5)
        held = len(run.history.select("step"))
        time.sleep(0.3)
        assert len(run.history.select("step")) == held
        run.resume()
    run.wait(30, progress=False)
    assert run.state == "finished" and same(run.model, undisturbed.model)
    assert [row[2:7] for row in run.history.select("loss", 0)] == [
        row[2:7] for row in undisturbed.history.select("loss", 0)
    ]


@pytest.mark.parametrize("sharing", ["relay", "average", "shared_body", "pooled", "none"])
def test_stopping_gives_a_model_with_the_weights_as_they_are(sharing, start):
    run = start(ENDLESS.change(sharing=sharing))
    wait_for(run, "step", 4)
    run.stop()
    assert run.state == "stopping"
    with pytest.raises(PlanError, match="too late"):
        run.set(codec="int8")
    assert run.wait(20, progress=False).state == "stopped"
    begun = sl.models.load(PLAN.model, run.data, seed=PLAN.seed)
    assert not same(run.model, begun) and all(value.isfinite().all() for value in run.model.state_dict().values())
    run.stop()
    assert run.state == "stopped"


def test_a_paused_run_can_be_stopped(start):
    run = start(ENDLESS.change(paused=True))
    wait_for(run, "joined", 2)
    run.stop()
    assert run.wait(20, progress=False).state == "stopped"


def test_killing_ends_at_once_and_keeps_the_history(start):
    run = start(ENDLESS)
    wait_for(run, "step", 2)
    began = time.monotonic()
    run.kill()
    assert time.monotonic() - began < 3 and run.state == "stopped" and run.history.select("step")
    assert run.wait(1, progress=False) is run
    with pytest.raises(RunError, match="no trained weights of client 0: the run is stopped"):
        run.model  # noqa: B018


def test_waiting_no_longer_than_asked_leaves_it_running(start):
    run = start(ENDLESS)
    with pytest.raises(TimeoutError, match="it goes on"):
        run.wait(0.3, progress=False)
    wait_for(run, "step", len(run.history.select("step")) + 2)
    assert not run.ended


def test_waiting_for_epochs_returns_while_it_goes_on(start):
    run = start(ENDLESS.change(evaluate=True))
    run.wait(20, progress=False, epochs=2)
    assert not run.ended
    for client in range(2):
        assert max(row.epoch for row in run.history.select("test_accuracy", client)) >= 1


def test_an_interrupt_while_waiting_ends_everything(start, monkeypatch):
    run = start(ENDLESS)
    wait_for(run, "step", 2)
    monkeypatch.setattr(sl.run.Bars, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.wait(10, progress=False)
    assert run.state == "stopped"


def interrupted(*_):
    raise KeyboardInterrupt


# ---- what came of it -------------------------------------------------------------------------------------------------


def test_a_record_read_again_is_the_history(start, tmp_path):
    path = tmp_path / "run.jsonl"
    run = start(record=path).wait(30, progress=False)
    assert list(sl.History.read(path)) == list(run.history)
    about, *rows = map(json.loads, path.read_text().splitlines())
    assert all(isinstance(row, list) for row in rows) and sl.Plan().change(**about["plan"]) == run.plan
    assert about["steps_per_epoch"] == [5, 5] and about["drawing"]["default_cut"] and about["machine"]["cores"]
    assert repr(run) == "Run(lenet(width=2) on few digits, cut after 'pool1', 2 clients: finished, 2 of 2 epochs)"
    assert str(run.summary).splitlines()[2].split() == ["held-out", "accuracy", f"{run.summary.accuracy:.2%}"]


def test_a_run_whose_codec_changed_shows_a_column_for_each(start):
    run = start(ENDLESS).wait(30, progress=False, epochs=1)
    run.set(codec="int8")
    while len({row.client for row in run.history.select("codec")}) < 2:
        time.sleep(0.01)
    run.stop()
    run.wait(30, progress=False)
    assert str(run.summary).splitlines()[0].split() == ["float32", "int8", "whole", "run"]
    before, after = run.summary.phases
    assert before.samples + after.samples == run.summary.samples
    assert before.bytes_up + after.bytes_up == run.summary.bytes_up


def test_the_model_of_every_client_is_there(start):
    run = start(PLAN.change(sharing="average")).wait(30, progress=False)
    assert same(run.model_of(0), run.model_of(1)) and same(run.model, run.model_of(1))
    with pytest.raises(RunError, match=r"no trained weights of client 2.*there are those of \[0, 1\]"):
        run.model_of(2)


# ---- devices ---------------------------------------------------------------------------------------------------------


def device(run, name):
    return next(item for item in run.devices() if item["name"] == name)


def test_a_client_that_is_shut_down_is_let_go_and_the_others_go_on(start):
    run = start(ENDLESS)
    wait_for(run, "step", 4)
    run.kill_device("client 1")
    wait_for(run, "left")
    assert device(run, "client 1")["state"] == "killed" and device(run, "client 0")["state"] == "training"
    wait_for(run, "step", len(run.history.select("step")) + 6)
    assert run.status()["notice"] == "client 1 was shut down by hand; the others go on without it"
    run.stop()
    assert run.wait(20, progress=False).state == "stopped" and run.model_of(0) is not None
    with pytest.raises(RunError, match="the run is stopped, and client 1 with it"):
        run.restart_device("client 1")


def test_a_run_whose_every_client_is_shut_down_fails_and_says_so(start):
    run = start(ENDLESS)
    wait_for(run, "step", 4)
    run.kill_device("client 0")
    run.kill_device("client 1")
    with pytest.raises(RunError, match="every client was shut down by hand, so nobody is left to train"):
        run.wait(20, progress=False)
    assert run.state == "failed" and "every client" in run.status()["error"]


@pytest.mark.parametrize("early", [True, False])
def test_a_run_whose_server_is_shut_down_fails_and_says_so(early, start):
    run = start(ENDLESS)
    if early:
        assert gone(lambda: not run.jobs)
    else:
        wait_for(run, "step", 4)
    run.kill_device("server")
    with pytest.raises(RunError, match="the server was shut down by hand, and no run goes on without it"):
        run.wait(20, progress=False)
    assert device(run, "server")["state"] == "killed"


@pytest.mark.parametrize("sharing", ["average", "relay", "shared_body", "pooled"])
def test_a_client_that_is_restarted_goes_on_with_the_next_round_on_the_merged_weights(sharing, start, monkeypatch):
    rejoined = []
    admit = sl.rounds.Rounds.admit_again

    def admitted(rounds, client):
        rejoined.append(rounds.number)
        return admit(rounds, client)

    monkeypatch.setattr(sl.rounds.Rounds, "admit_again", admitted)
    run = start(PLAN.change(sharing=sharing, epochs=60, lr_schedule="ExponentialLR(0.95)"))
    wait_for(run, "test_accuracy", 4)
    run.restart_device("client 1")
    assert run.wait(60, progress=False).state == "finished"
    (at,) = rejoined
    steps = {(row.epoch, row.step) for row in run.history.select("step", 1)}
    epochs = [epoch for epoch, _ in steps]
    assert at < 59 and epochs.count(at + 1) == epochs.count(59) == run.steps_per_epoch[1]
    assert all(epochs.count(epoch) <= run.steps_per_epoch[1] for epoch in epochs)
    assert len({step for _, step in steps}) == len(run.history.select("step", 1))  # no step has a number twice
    assert same(run.model_of(0), run.model_of(1))
    assert [row.name for row in run.history.select("joined", 1)] == ["joined"] * 2


def test_what_cannot_be_restarted_says_why(start):
    run = start(ENDLESS.change(sharing="none"))
    wait_for(run, "step", 2)
    with pytest.raises(RunError, match=r"client 0 keeps its weights to itself \(sharing 'none'\)"):
        run.restart_device("client 0")
    with pytest.raises(RunError, match="the server holds what the run has learnt so far"):
        run.restart_device("server")
    with pytest.raises(PlanError, match="unknown device 'client 7'"):
        run.kill_device("client 7")
    deadline = time.monotonic() + 10
    while device(run, "client 0")["state"] != "training" and time.monotonic() < deadline:
        time.sleep(0.01)  # the other client may have been the first
    assert device(run, "client 0")["state"] == "training" and not run.ended


def test_the_devices_are_told_with_their_machines_and_what_they_have_done(start):
    run = start().wait(30, progress=False)
    server, *clients = run.devices()
    assert (server["name"], server["role"], server["place"]) == ("server", "server", "thread")
    assert [client["name"] for client in clients] == ["client 0", "client 1"]
    assert all(item["facts"]["cores"] and item["last_seen"] and item["process_id"] for item in run.devices())
    assert {item["state"] for item in clients} == {"finished"} and clients[0]["epoch"] == 2
    for way in ("bytes_up", "bytes_down"):
        assert server[way] == sum(client[way] for client in clients) > run.summary.to_dict()[way]
    status = run.status()
    assert status["state"] == "finished" and status["step"] == status["steps"] == 2 * sum(run.steps_per_epoch)
    assert status["accuracy"] == run.summary.accuracy and status["epoch"] == status["epochs"] == 2


def test_a_network_that_was_traced_is_not_traced_again(start, small):
    graph = sl.trace(sl.models.load(PLAN.model, small, seed=0), small.example)
    run = start(model=graph)
    assert run.graph is graph and run.plan.model == PLAN.model
    assert (
        sl.start(graph, small, epochs=1, on="thread").wait(30, progress=False).plan.model == type(graph.model).__name__
    )


# ---- faults ----------------------------------------------------------------------------------------------------------


class Faulty(Share):
    """The data of client 1 is not what it should be, from its third batch on."""

    def batches(self, epoch):
        for index, (inputs, labels) in enumerate(super().batches(epoch)):
            if self.client == 1 and (epoch, index) >= (0, 2):
                inputs = self.spoil(inputs)
            yield inputs, labels

    def spoil(self, inputs):
        return inputs * float("nan")


class Raising(Faulty):
    def spoil(self, inputs):
        raise OSError("the disk is gone")


def with_batchnorm():
    """Statistics of a shared body must not keep what one client's bad batch did to them."""
    layers = (nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    torch.manual_seed(0)
    return nn.Sequential(*layers, nn.Linear(64, 10))


@each_way("4")
def test_a_client_that_diverges_does_not_disturb_the_others(sharing, tail, start, monkeypatch):
    monkeypatch.setattr(work, "Share", Faulty)
    run = start(PLAN.change(clients=3, sharing=sharing, cut="1", tail=tail), with_batchnorm())
    with pytest.raises(RunError, match=r"client 1: the loss is nan at epoch 0, step 2: training diverged\. Lower"):
        run.wait(30, progress=False)
    assert run.state == "failed"
    for client in (0, 2):
        assert len(run.history.select("test_accuracy", client)) == 2
        values = run.model_of(client).state_dict().values()
        assert all(value.isfinite().all() for value in values)
        assert all(abs(row.value) < 100 for row in run.history.select("loss", client))
    (nan,) = [row for row in run.history.select("loss") if row.value != row.value]
    assert (nan.client, nan.epoch, nan.step) == (1, 0, 2)
    with pytest.raises(RunError, match="no trained weights of client 1"):
        run.model_of(1)


def test_clients_on_their_own_are_as_if_the_failing_one_had_never_been(start, monkeypatch):
    plan = PLAN.change(clients=3, sharing="none")
    undisturbed = start(plan).wait(30, progress=False)
    monkeypatch.setattr(work, "Share", Raising)
    run = start(plan)
    with pytest.raises(RunError):
        run.wait(30, progress=False)
    assert same(run.model_of(0), undisturbed.model_of(0)) and same(run.model_of(2), undisturbed.model_of(2))


class Greedy(Faulty):
    def spoil(self, inputs):
        return torch.empty(1 << 55)  # bytes that no machine has


def test_a_client_that_runs_out_of_memory_is_told_what_to_do_and_the_others_finish(start, monkeypatch):
    monkeypatch.setattr(work, "Share", Greedy)
    run = start(PLAN.change(clients=2))
    with pytest.raises(RunError, match=r"client 1 is out of memory.*smaller batch_size than 10, or an earlier cut"):
        run.wait(30, progress=False)
    assert len(run.history.select("test_accuracy", 0)) == 2


def test_an_absurd_learning_rate_is_a_clear_error(start):
    run = start(PLAN.change(clients=1, epochs=30, optimizer="SGD(lr=1e12)"))
    with pytest.raises(RunError, match=r"client 0.*(the loss is|not finite).*Lower the learning rate"):
        run.wait(30, progress=False)


@pytest.mark.parametrize("road", [Thread(), Thread(socket=True)], ids=repr)
def test_a_failing_client_is_named_with_its_traceback_and_the_others_finish(road, start, monkeypatch):
    monkeypatch.setattr(work, "Share", Raising)
    run = start(PLAN.change(clients=3), on=road)
    with pytest.raises(RunError) as failed:
        run.wait(30, progress=False)
    text = str(failed.value)
    assert "client 1 failed: OSError: the disk is gone" in text and "in spoil" in text
    assert [len(run.history.select("test_accuracy", client)) for client in range(3)] == [2, 0, 2]
    assert sl.models.load(PLAN.model, run.data) is not None and same(run.model_of(0), run.model_of(2))


def test_when_all_clients_fail_all_are_named(start, monkeypatch):
    monkeypatch.setattr(work.Share, "batches", lambda self, epoch: 1 / 0)
    run = start()
    with pytest.raises(RunError) as failed:
        run.wait(30, progress=False)
    assert all(f"client {client} failed: ZeroDivisionError" in str(failed.value) for client in range(2))


@pytest.mark.parametrize("road", [Thread(), Thread(socket=True)], ids=repr)
def test_an_error_of_the_server_is_told_with_its_traceback(road, start, monkeypatch):
    from splitlab.rounds import Rounds

    def broken(self):
        raise LookupError("lost the thread")

    monkeypatch.setattr(Rounds, "_end_round", broken)
    run = start(on=road)
    began = time.monotonic()
    with pytest.raises(RunError) as failed:
        run.wait(30, progress=False)
    assert time.monotonic() - began < 10
    assert "the server failed: LookupError: lost the thread" in str(failed.value) and "in broken" in str(failed.value)


def test_one_run_after_another_leaves_no_folder(start, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in range(2):
        start().wait(30, progress=False)
    run = start(ENDLESS)
    wait_for(run, "step", 2)
    assert list(tmp_path.glob("splitlab-*"))
    run.kill()
    assert not list(tmp_path.glob("splitlab-*"))


def test_a_run_that_is_offered_is_found_by_the_jupyter_server_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    run = sl.start("lenet", "digits", on="kernel", clients=1, epochs=50)
    path = run.offer()
    assert path == run.offer() and path.startswith("splitlab/ws/")
    id = path.rpartition("/")[2]
    assert handover.read("run", id)["url"].startswith("ws://127.0.0.1:")
    run.kill()
    with pytest.raises(handover.HandoverError):
        handover.find("run", id)
