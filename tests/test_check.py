"""A plan that cannot work is refused before anything is started, with a sentence that names the remedy."""

import pytest
import torch
from torch import nn

import splitlab as sl
from splitlab.errors import CutError, DataError, PlanError
from splitlab.places import kernel, thread

REFUSED = {
    "an unknown cut": ({"cut": "pol1"}, "Did you mean 'pool1'"),
    "a tail before the cut": ({"cut": "fc1", "tail": "pool1"}, "must come after"),
    "a tail at the cut": ({"cut": "pool1", "tail": "pool1"}, "must come after"),
    "a tail that nobody knows": ({"cut": "pool1", "tail": "fc9"}, "Did you mean"),
    "an unknown codec": ({"codec": "float9"}, "unknown codec 'float9'. Did you mean"),
    "a codec with wrong arguments": ({"codec": "topk(7)"}, "fraction from"),
    "an unknown gradient codec": ({"gradient_codec": "zip"}, "unknown codec 'zip'"),
    "an unknown optimizer": ({"optimizer": "SDG(lr=1)"}, "Did you mean 'SGD'"),
    "an optimizer with a wrong argument": ({"optimizer": "SGD(rate=1)"}, "unexpected keyword argument 'rate'"),
    "an optimizer with a wrong value": ({"optimizer": "SGD(lr=-1)"}, "Invalid learning rate"),
    "an optimizer with a value of a wrong type": ({"optimizer": "Adam(lr=0.1, betas=(0.9,))"}, "Adam"),
    "an optimizer that cannot do biases": ({"optimizer": "Muon(lr=0.1)"}, "2D"),
    "a server's optimizer": ({"server_optimizer": "Adma(lr=1)"}, "unknown optimizer 'Adma'. Did you mean"),
    "an optimizer that is code": ({"optimizer": "SGD(lr=open('x'))"}, "literal arguments"),
    "an unknown learning-rate schedule": ({"lr_schedule": "StepRL(3)"}, "Did you mean 'StepLR'"),
    "a learning-rate schedule without its argument": ({"lr_schedule": "StepLR()"}, "step_size"),
    "a learning-rate schedule that ends before the run": (
        {"lr_schedule": "OneCycleLR(max_lr=0.1, total_steps=3)", "epochs": 5},
        "for 5 epochs",
    ),
    "an unknown sharing": ({"sharing": "averag"}, "Did you mean 'average'"),
    "a sharing with an argument": ({"sharing": "average(3)"}, "cannot make 'average(3)'"),
    "an unknown schedule": ({"schedule": "Async"}, "Known: Sync"),
    "a schedule with an argument": ({"schedule": "Sync(3)"}, "cannot make 'Sync(3)'"),
    "an unknown partition": ({"partition": "idd"}, "Did you mean 'iid'"),
    "a partition without its argument": ({"partition": "dirichlet"}, "alpha"),
    "sizes for other clients": ({"partition": "sizes(1, 2, 3)"}, "3 weights for 2 clients"),
    "users of nobody": ({"partition": "users"}, "does not say who made which"),
    "an unknown setting": ({"codecs": "int8"}, "Did you mean 'codec'"),
    "an unknown place": ({"on": "kernle"}, "Did you mean 'kernel'"),
    "an unknown place of the server": ({"server_on": "cloud"}, "Known: kernel, thread"),
    "an unknown baseline": ({"baseline": "centrale"}, "Did you mean 'central'"),
    "a baseline with a cut": ({"baseline": "local", "cut": "pool1"}, "leave out the cut"),
    "a U-shape that is pooled": ({"cut": "pool1", "tail": "fc1", "sharing": "pooled"}, "use sharing='shared_body'"),
    "a batch larger than a client's data": ({"batch_size": 51}, "use batch_size=50 or less"),
    "more clients than samples": ({"clients": 101}, "use fewer clients"),
    "no clients": ({"clients": 0}, "at least 1"),
    "a truth that is a text": ({"evaluate": "yes"}, "expected True or False"),
    "a pause that is a number": ({"paused": 1}, "expected True or False"),
    "threads as text": ({"threads": "2"}, "whole number"),
    "half an epoch": ({"epochs": 0.5}, "whole number"),
    "no held-out samples": ({"test_samples": 0}, "at least 1"),
    "a learning rate as text": ({"learning_rate": "0.1"}, "expected a number"),
    "a learning rate that is not finite": ({"learning_rate": float("inf")}, "expected a number"),
    "a learning rate that is true": ({"learning_rate": True}, "expected a number"),
    "a cut that is a number": ({"cut": 3}, "expected its name as text"),
    "an optimizer that is an object": ({"optimizer": torch.optim.SGD}, "expected its name as text"),
    "an augmentation that is no text": ({"augment": 3}, "expected transforms as text"),
    "an unknown augmentation": ({"augment": "RandomCorp(8)"}, "RandomCrop"),
    "a record in no folder": ({"record": "/no/such/folder/run.jsonl"}, "a folder that exists"),
}


@pytest.fixture
def nothing_starts(monkeypatch):
    def launch(*_):
        raise AssertionError("something was started")

    monkeypatch.setattr(kernel.Kernel, "launch", launch)
    monkeypatch.setattr(thread.Thread, "launch", launch)


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_before_anything_is_started(case, small, nothing_starts):
    settings, words = REFUSED[case]
    with pytest.raises(PlanError) as refused:
        sl.start("lenet(width=2)", small, **settings)
    text = str(refused.value)
    assert words in text and "\n" not in text.strip() and len(text) < 600


def test_unknown_models_and_data_are_refused(small, nothing_starts):
    with pytest.raises(PlanError, match="Did you mean 'lenet'"):
        sl.start("lenett", small)
    with pytest.raises(PlanError, match="width"):
        sl.start("lenet(widht=2)", small)
    with pytest.raises(DataError, match="Did you mean 'digits'"):
        sl.start("lenet", "digit")


def test_a_network_with_other_outputs_is_refused(small, nothing_starts):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 7))
    with pytest.raises(PlanError, match="7 outputs, but few digits has 10 classes"):
        sl.start(model, small)


def test_a_network_whose_weights_are_all_frozen_is_refused(small, nothing_starts):
    model = sl.models.load("lenet(width=2)", small).requires_grad_(False)
    with pytest.raises(PlanError, match="no parameter to train"):
        sl.start(model, small)


def test_an_illegal_cut_is_refused_with_its_reason(small, nothing_starts):
    graph = sl.trace(sl.models.load("lenet(width=2)", small), small.example)
    illegal = [cut for cut in graph.cuts if not cut.legal]
    assert illegal
    for cut in illegal:
        with pytest.raises(CutError, match="not legal"):
            sl.start("lenet(width=2)", small, cut=cut.name)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 3}, "unknown live setting 'epochs'.*Known: codec, gradient_codec, learning_rate, link, paused"),
        ({"codec": "float9"}, "unknown codec"),
        ({"learning_rate": -1}, "not negative"),
        ({"learning_rate": None}, "cannot be taken back"),
        ({"paused": "no"}, "True or False"),
    ],
)
def test_live_settings_are_checked_and_the_run_goes_on(values, words, small):
    run = sl.start("lenet(width=2)", small, on="thread", epochs=1)
    with pytest.raises(PlanError, match=words):
        run.set(**values)
    run.wait(60, progress=False)
    assert run.state == "finished"
    with pytest.raises(PlanError, match="too late"):
        run.set(codec="int8")
