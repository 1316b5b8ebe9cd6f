"""Bars count the steps in the history, and are drawn only where someone looks on."""

import sys
from io import StringIO

import pytest
import tqdm.auto

from splitlab import progress
from splitlab.history import History
from splitlab.progress import Bars


def steps(history, client, numbers):
    history.add([(0.0, client, 0, number, name, 0.5, "") for number in numbers for name in ("loss", "step")])


@pytest.fixture
def terminal(monkeypatch):
    """As if standard error were a terminal; bars are kept in the dark."""
    monkeypatch.setattr(progress, "_watched", lambda: True)
    monkeypatch.setattr(tqdm.auto, "tqdm", lambda **settings: tqdm.tqdm(**settings, file=StringIO()))


def test_a_bar_counts_the_steps_of_its_client(terminal):
    history, bars = History(), Bars([10, 10])
    steps(history, 0, range(3))
    bars.update(history)
    steps(history, 0, range(3, 5))
    steps(history, 1, range(4))
    bars.update(history)
    assert [bar.n for bar in bars._bars] == [5, 4]
    assert "loss=0.500" in bars._bars[0].postfix


def test_steps_from_before_anyone_waited_do_not_count_as_speed(terminal):
    history, bars = History(), Bars([1000])
    steps(history, 0, range(900))
    bars.update(history)
    assert bars._bars[0].n == bars._bars[0].initial == 900


def test_a_bar_is_never_more_than_full(terminal):
    history, bars = History(), Bars([3])
    steps(history, 0, range(5))
    bars.update(history)
    assert bars._bars[0].n == bars._bars[0].total == 3


def test_a_log_has_no_bars(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython", None)
    bars = Bars([3])
    bars.update(History())
    bars.close()
    assert capsys.readouterr().err == ""
