"""The controls show a plan as a form, pass on what the user did, and keep what was given wrong."""

import subprocess
import sys
from dataclasses import fields

import pytest

import splitlab as sl
from splitlab.codec import CODECS
from splitlab.data import PARTITIONS, SOURCES
from splitlab.errors import PlanError
from splitlab.models import MODELS
from splitlab.plan import LIVE
from splitlab.policy.sharing import SHARINGS
from splitlab.shape import PRESETS
from splitlab.widgets.choices import BUTTONS, OFFERS, changed, form
from splitlab.widgets.controls import PRESSES, Controls

FORM = {field["name"]: field for field in form()}
REGISTRIES = {
    "codec": CODECS,
    "link": PRESETS,
    "sharing": SHARINGS,
    "partition": PARTITIONS,
    "model": MODELS,
    "data": SOURCES.keys() - {"file"},
}


@pytest.fixture
def controls():
    return Controls(sl.Plan())


def sent(controls, monkeypatch):
    messages = []
    monkeypatch.setattr(controls, "send", lambda content, buffers=None: messages.append(content))
    return messages


# ---- the form --------------------------------------------------------------------------------------------------------


def test_every_setting_of_the_plan_is_in_the_form_or_has_a_button():
    assert set(FORM) | set(BUTTONS) == {item.name for item in fields(sl.Plan)}


def test_every_field_has_a_label_one_line_of_help_and_says_whether_it_is_live():
    for field in FORM.values():
        assert field["label"] and field["title"] and 10 < len(field["help"]) < 100, field["name"]
        assert field["live"] == (field["name"] in LIVE)


def test_every_list_of_choices_that_the_plan_names_exists():
    assert {item.metadata["choices"] for item in fields(sl.Plan) if "choices" in item.metadata} == set(OFFERS)


@pytest.mark.parametrize("name", REGISTRIES)
def test_choices_come_from_the_registries(name):
    offered = {choice["value"].split("(")[0] for choice in FORM[name]["choices"]}
    assert offered == set(REGISTRIES[name])


@pytest.mark.parametrize("name", [name for name, field in FORM.items() if field["kind"] == "choice"])
def test_whatever_is_offered_is_accepted(name):
    offer = [choice["value"] for choice in FORM[name]["choices"]]
    examples = [text for text in FORM[name]["examples"] if "(" in text]
    for value in [*offer, *examples]:
        assert getattr(changed(sl.Plan(), name, value), name) == value


def test_a_default_can_be_chosen_or_left_out():
    for name, field in FORM.items():
        value = getattr(sl.Plan(), name)
        if field["kind"] == "choice" and value is not None:
            assert value in [choice["value"] for choice in field["choices"]], name
        assert value is not None or field["optional"], name


def test_a_link_is_offered_with_its_figures_in_words():
    label = next(choice["label"] for choice in FORM["link"]["choices"] if choice["value"] == "4g")
    assert "10 Mbit/s up" in label and "30 down" in label


def test_a_recorded_run_is_shown_without_torch():
    code = (
        "import sys; from splitlab.widgets.controls import Controls; from splitlab.widgets.devices import Devices; "
        "Controls(recorded=True); Devices(recorded=True); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- what the user did -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 7, 7),
        ("codec", " int8 ", "int8"),
        ("gradient_codec", "", None),
        ("gradient_codec", None, None),
        ("augment", ["RandomCrop(8, padding=1)"], ("RandomCrop(8, padding=1)",)),
        ("evaluate", False, False),
        ("link", "shape(1, 2, 3)", "shape(1, 2, 3)"),
        ("tail", "fc1", "fc1"),
    ],
)
def test_a_value_of_the_form_becomes_one_of_the_plan(name, value, expected):
    assert getattr(changed(sl.Plan(gradient_codec="int8"), name, value), name) == expected


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("epochs", 0, "at least 1"),
        ("epochs", None, "whole number"),
        ("epochs", 2.5, "whole number"),
        ("codec", "flota32", "float32"),
        ("codec", "", "cannot read"),
        ("gradient_codec", "topk(9)", "topk"),
        ("link", "5g", "4g"),
        ("sharing", "avarage", "average"),
        ("schedule", "Asink", "Sync"),
        ("partition", "dirichle(1)", "dirichlet"),
        ("optimizer", "SGD(speed=1)", "speed"),
        ("server_optimizer", "Adm", "Adam"),
        ("lr_schedule", "StepLR(1, 2, 3, 4, 5)", "StepLR"),
        ("augment", ["RandomCrp(8)"], "RandomCrop"),
        ("augment", [3], "text"),
        ("model", "lenot", "lenet"),
        ("data", "digit", "digits"),
        ("baseline", "centrl", "central"),
        ("learning_rate", -1, "not negative"),
        ("speed", 3, "unknown setting"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(name, value, part):
    with pytest.raises(PlanError, match=part):
        changed(sl.Plan(), name, value)


def test_a_baseline_takes_the_cuts_away_and_a_cut_the_baseline():
    plan = changed(sl.Plan(cut="relu1", tail="fc1"), "baseline", "federated")
    assert (plan.baseline, plan.cut, plan.tail) == ("federated", None, None)
    assert changed(plan, "cut", "relu2").baseline is None
    assert changed(plan, "cut", None) == plan


def test_a_wrong_value_stays_in_its_field_and_a_right_one_clears_it(controls):
    plan = controls.take({"type": "set", "name": "optimizer", "value": "SGD(x=1)"})
    assert plan == sl.Plan() and controls.values["optimizer"] == plan.optimizer
    assert controls.problems["optimizer"]["value"] == "SGD(x=1)" and "'x'" in controls.problems["optimizer"]["text"]
    controls.take({"type": "set", "name": "epochs", "value": 9})
    assert set(controls.problems) == {"optimizer"} and controls.values["epochs"] == 9
    assert controls.take({"type": "set", "name": "optimizer", "value": "Adam(lr=0.1)"}).epochs == 9
    assert controls.problems == {}


def test_only_settings_that_are_not_live_wait_for_the_next_start(controls):
    controls.settle(sl.Plan())
    controls.take({"type": "set", "name": "codec", "value": "int8"})
    assert controls.pending == []
    controls.take({"type": "set", "name": "clients", "value": 9})
    assert controls.pending == ["clients"]
    controls.settle(None)
    assert controls.pending == []


def test_the_line_that_can_be_copied_follows_the_plan():
    controls = Controls(sl.Plan(), line=lambda plan: f"lab {plan.epochs}")
    controls.take({"name": "epochs", "value": 9})
    assert controls.state_line == "lab 9"
    assert Controls(sl.Plan(epochs=3)).state_line == sl.Plan(epochs=3).to_json()


@pytest.mark.parametrize(
    "event",
    [
        *({"type": "press", "what": what} for what in PRESSES),
        {"type": "set", "name": "epochs", "value": None},
        {"type": "paste", "text": "{}"},
    ],
)
def test_what_the_user_did_is_answered_at_once_and_passed_on(controls, monkeypatch, event):
    messages, heard = sent(controls, monkeypatch), []
    controls.on_event(heard.append)
    controls._handle_custom_msg({**event, "id": "a-1", "more": 1}, [])
    assert heard == [event] and messages == [{"type": "heard", "id": "a-1"}]


@pytest.mark.parametrize(
    "content",
    [
        {"type": "hello"},
        {"type": "press", "what": "explode"},
        {"type": "press"},
        {"type": "set", "value": 3},
        {"type": "paste", "text": 3},
        {"type": "bang"},
        {},
        "hello",
    ],
)
def test_what_is_no_event_is_not_passed_on(controls, monkeypatch, content):
    sent(controls, monkeypatch)
    heard = []
    controls.on_event(heard.append)
    controls._handle_custom_msg(content, [])
    assert heard == []


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_what_did_not_change_is_not_sent_again(controls):
    changes = []
    controls.observe(lambda change: changes.append(change.name), ["state", "status", "values", "pending"])
    status = {"state": "training", "seconds": 3.01, "loss": 0.31234, "epoch": 1, "accuracy": None}
    controls.show(status)
    controls.show(status | {"seconds": 3.4, "loss": 0.31229})
    controls.propose(sl.Plan())
    assert changes == ["state", "status"]


def test_a_pasted_line_is_taken_or_told_what_is_wrong(controls, monkeypatch):
    messages = sent(controls, monkeypatch)
    controls.pasted("not a plan", "{")
    assert controls.problems["paste"] == {"text": "not a plan", "value": "{"} and messages == []
    controls.pasted()
    assert controls.problems == {} and messages == [{"type": "pasted"}]


def test_cuts_of_the_graph_are_offered_and_a_setting_can_be_locked(controls):
    controls.offer("cut", {"relu1": "3 kB a sample"})
    field = next(field for field in controls.fields if field["name"] == "cut")
    assert field["kind"] == "choice" and field["choices"][0]["about"] == "3 kB a sample"
    controls.lock("model", "given by you")
    assert controls.locked == {"model": "given by you"}
    controls.lock("model", "")
    assert controls.locked == {}


def test_what_is_at_hand_are_settings_of_the_form_that_stand_without_a_fold(controls):
    assert controls.at_hand and all(not FORM[name]["advanced"] for name in controls.at_hand)


def test_a_wrong_keyword_is_refused():
    with pytest.raises(TypeError):
        Controls(sl.Plan(), stat="idle")
