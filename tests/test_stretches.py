import pytest

from splitlab.history import Row
from splitlab.plan import Plan
from splitlab.stretches import Stretches, verdict

PLAN = Plan(cut="pool1")


def rows(*values, client=0):
    """Rows of (name, value) or (name, value, unit)."""
    return [Row(0, 0.0, client, 0, 0, name, value, *(rest or [""])) for name, value, *rest in values]


def step(size, seconds=0.01, client=0):
    return rows(("bytes_up", size / 2), ("bytes_down", size / 2), ("step", seconds), ("samples", 10.0), client=client)


def test_figures_are_sums_of_rows_and_a_change_of_a_setting_begins_a_stretch():
    stretches = Stretches(PLAN)
    stretches.take([*step(4000), *step(4000), *rows(("test_accuracy", 0.9))])
    stretches.take([*rows(("codec", "int8", "setting")), *step(1000), *rows(("test_accuracy", 0.8))])
    first, second = stretches
    assert (first.bytes_per_sample, first.seconds_per_sample, first.steps, first.accuracy) == (400, 0.001, 2, 0.9)
    assert (second.bytes_per_sample, second.plan.codec, second.accuracy) == (100, "int8", 0.8)


def test_every_clients_rows_count_to_the_settings_that_it_had_then():
    stretches = Stretches(PLAN)
    stretches.take([*step(100), *step(100, client=1), *rows(("codec", "int8", "setting")), *step(20)])
    stretches.take([*step(100, client=1), *rows(("codec", "int8", "setting"), client=1), *step(20, client=1)])
    assert [(stretch.plan.codec, stretch.bytes_per_sample) for stretch in stretches] == [("float32", 10), ("int8", 2)]


def test_going_back_to_earlier_settings_begins_a_stretch_of_its_own_for_all_clients():
    stretches = Stretches(PLAN)
    for client in (0, 1):
        stretches.take(step(100, client=client))
    for codec, size in (("int8", 20), ("float32", 100)):
        for client in (0, 1):
            stretches.take([*rows(("codec", codec, "setting"), client=client), *step(size, client=client)])
    assert [(one.plan.codec, one.samples, one.later) for one in stretches] == [
        ("float32", 20, False),
        ("int8", 20, True),
        ("float32", 20, True),
    ]
    assert stretches.last.plan.codec == "float32"


def test_what_training_gained_is_not_put_down_to_the_change():
    stretches = Stretches(PLAN)
    stretches.take([*step(400), *rows(("test_accuracy", 0.6), ("codec", "int8", "setting"))])
    stretches.take([*step(100), *rows(("test_accuracy", 0.9))])
    assert "with more training, accuracy went on from 60.0% to 90.0%" in verdict(*stretches)


def test_a_pause_begins_no_stretch():
    stretches = Stretches(PLAN)
    stretches.take([*step(100), *rows(("paused", True, "setting")), *step(100)])
    assert len(list(stretches)) == 1


def stretch(bytes_, accuracy=None, seconds=0.01, **settings):
    stretches = Stretches(PLAN.change(**settings))
    stretches.take([*step(bytes_, seconds), *(rows(("test_accuracy", accuracy)) if accuracy else [])])
    return stretches.last


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            stretch(4000, 0.989),
            stretch(1040, 0.987, codec="float8_e4m3fn"),
            "8-bit floats cut traffic to a quarter; accuracy 98.9% → 98.7% (−0.2); time per sample about the same.",
        ),
        (
            stretch(1000, 0.5),
            stretch(1000, 0.5, seconds=0.1, link="4g"),
            "The 4g link instead of none left traffic as it was; accuracy 50.0% → 50.0% (unchanged); "
            "a sample takes 10\u202fms instead of 1\u202fms.",
        ),
        (
            stretch(1000),
            stretch(3000, cut="conv1"),
            "Cutting after conv1 instead of pool1 raised traffic 3-fold; time per sample about the same.",
        ),
        (
            stretch(1000),
            stretch(380, codec="int8", link="wifi"),
            "Changing codec and link cut traffic to 38%; time per sample about the same.",
        ),
    ],
)
def test_the_verdict_says_what_changed_and_what_came_of_it(before, after, text):
    assert verdict(before, after) == text
