import threading
import time

from splitlab.pump import Pump


def settled(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def quiet():
    return False


def test_no_thread_runs_before_the_first_command():
    before = set(threading.enumerate())
    pump = Pump(quiet, print)
    assert set(threading.enumerate()) <= before
    pump.do(lambda: None)
    (thread,) = set(threading.enumerate()) - before
    assert thread.name == "splitlab pump"
    pump.close()
    pump.join(5)
    assert not thread.is_alive()


def test_commands_run_in_order_in_one_thread():
    seen = []
    pump = Pump(quiet, print)
    for number in range(50):
        pump.do(lambda number=number: seen.append((number, threading.current_thread().name)))
    assert settled(lambda: len(seen) == 50)
    assert seen == [(number, "splitlab pump") for number in range(50)]
    pump.close()


def test_it_ticks_while_there_is_more_and_sleeps_when_there_is_not():
    left = [5]

    def tick():
        left[0] -= 1
        return left[0] > 0

    pump = Pump(tick, print, hertz=200)
    pump.do(lambda: None)
    assert settled(lambda: left[0] == 0)
    time.sleep(0.05)
    assert left[0] == 0  # no further tick
    pump.do(lambda: None)
    assert settled(lambda: left[0] == -1)  # a command wakes it
    pump.close()


def test_an_error_is_passed_on_and_the_pump_goes_on():
    errors, done = [], []
    pump = Pump(quiet, errors.append)
    pump.do(lambda: 1 / 0)
    pump.do(lambda: done.append(1))
    assert settled(lambda: done)
    assert [type(error) for error in errors] == [ZeroDivisionError]
    pump.close()


def test_long_work_does_not_hold_up_commands_and_its_result_comes_back_to_the_pump():
    gate, results, seen = threading.Event(), [], []
    pump = Pump(quiet, print)
    pump.aside(lambda: gate.wait(5), lambda result: results.append((result, threading.current_thread().name)))
    pump.do(lambda: seen.append("meanwhile"))
    assert settled(lambda: seen) and not results
    gate.set()
    assert settled(lambda: results == [(True, "splitlab pump")])
    pump.close()


def test_after_closing_nothing_is_done_any_more():
    seen = []
    pump = Pump(quiet, print)
    pump.do(lambda: seen.append("first"))
    pump.close(lambda: seen.append("last"))
    pump.do(lambda: seen.append("late"))
    pump.join(5)
    assert seen == ["first", "last"]
