"""A plan is one frozen object and one line of JSON, and knows what each setting is for."""

from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import splitlab as sl
from splitlab.errors import PlanError
from splitlab.plan import LIVE, NAMES

LINES = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=50)
@given(
    clients=st.integers(1, 99),
    rate=st.none() | st.floats(0, 1e300),
    model=LINES,
    cut=st.none() | LINES,
    augment=st.lists(LINES, max_size=3),
)
def test_a_plan_read_again_is_the_same(clients, rate, model, cut, augment):
    plan = sl.Plan(clients=clients, learning_rate=rate, model=model, cut=cut, augment=tuple(augment))
    text = plan.to_json()
    assert sl.Plan.from_json(text) == plan and "\n" not in text


def test_settings_that_are_left_out_have_their_defaults():
    assert sl.Plan.from_json('{"epochs": 3}') == sl.Plan(epochs=3)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"epoch": 3}', '{"epochs": "3"}', "[" * 100_000])
def test_what_is_not_a_plan_is_refused(text):
    with pytest.raises(PlanError):
        sl.Plan.from_json(text)


def test_a_plan_cannot_be_changed_only_another_made():
    plan = sl.Plan()
    with pytest.raises(FrozenInstanceError):
        plan.epochs = 3
    assert plan.change(epochs=3).epochs == 3 and plan.epochs == 5


def test_every_setting_says_what_it_is_for():
    assert all(item.metadata["help"] and item.metadata["group"] for item in fields(sl.Plan))
    assert LIVE == ("learning_rate", "codec", "gradient_codec", "link", "paused") and set(LIVE) < set(NAMES)


def test_one_transform_may_be_given_without_a_tuple():
    assert sl.Plan(augment="RandomCrop(8)").augment == ("RandomCrop(8)",)
