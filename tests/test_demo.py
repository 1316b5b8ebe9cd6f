"""The main job as a user runs it: `splitlab demo`, in kernels, with the figures that it promises."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo with its defaults, in a process of its own."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "splitlab", "demo", "--json", "figures.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=240)
    assert done.returncode == 0, done.stderr
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return SimpleNamespace(out=done.stdout, err=done.stderr, folder=folder, **figures)


def test_accuracy_is_at_least_97_percent_and_float8_costs_less_than_half_a_percent(demo):
    before, after, central = (column["accuracy"] for column in demo.columns)
    assert before >= 0.97
    assert central >= 0.97
    assert abs(after - before) <= 0.005


def test_float8_sends_about_a_quarter(demo):
    before, after, _ = ((c["bytes_up"] + c["bytes_down"]) / c["samples"] for c in demo.columns)
    assert 0.25 <= after / before <= 0.28


def test_both_ways_of_training_saw_the_same_samples(demo):
    float32, float8, central = (column["samples"] for column in demo.columns)
    assert float32 + float8 == central


def test_the_parts_of_a_step_add_up_to_its_time(demo):
    for column in demo.columns:
        assert sum(column["seconds_per_sample"].values()) == pytest.approx(column["step_seconds_per_sample"], rel=0.05)


def test_a_log_gets_the_table_and_nothing_that_does_not_belong_there(demo):
    assert demo.err == ""
    assert len(demo.out.splitlines()) < 40
    assert "\r" not in demo.out
    for words in ("cut after pool1", "held-out accuracy", "central", "Charts: demo.html"):
        assert words in demo.out


def test_the_charts_are_a_page_on_disk(demo):
    assert "lenet on digits, cut after pool1" in (demo.folder / "demo.html").read_text(encoding="utf-8")


def test_the_figures_hold_the_whole_plan(demo):
    assert demo.plan["cut"] == "pool1"
    assert demo.plan["codec"] == "float8_e4m3fn"
