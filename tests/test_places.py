"""Real kernels: they fail with their traceback, die without dragging others along, and none outlives its run."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from statistics import median

import pytest
from jupyter_client.blocking import BlockingKernelClient

import splitlab as sl
from splitlab.errors import PlanError, RunError
from splitlab.measure import PARTS
from splitlab.places import Kernel, Thread, place
from splitlab.places.job import Job

PLAN = sl.Plan(model="lenet(width=2)", cut="pool1", clients=1, epochs=100_000, batch_size=16, evaluate=False)


def alive(process_id):
    """Whether a process runs; one that ended but was not collected by its parent does not."""
    try:
        return "Z" not in Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def processes(run):
    return [job.process_id for job in run.jobs.values() if job.process_id]


class Spoilt:
    """Kernels, but one client is told to load data that does not exist."""

    def __init__(self, client):
        self.client, self.kernel = client, Kernel()

    def launch(self, kind, values):
        def spoilt():
            given = values()
            return {**given, "data": "file('/nowhere')"} if given["client"] == self.client else given

        return self.kernel.launch(kind, spoilt)


def test_kernels_that_fail_or_die_are_named_and_the_others_go_on(small, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = sl.start(None, small, PLAN.change(clients=3), on=Spoilt(2), server_on="kernel")
    assert wait_until(lambda: len(run.history.select("step", 1)) > 20, 60), run.jobs
    started = processes(run)
    os.kill(run.jobs["client 1"].process_id, signal.SIGKILL)
    assert wait_until(lambda: run.history.select("left", 1), 5)
    before = len(run.history.select("step", 0))
    assert wait_until(lambda: len(run.history.select("step", 0)) > before + 20, 10)
    run.stop()
    with pytest.raises(RunError) as failed:
        run.wait(30, progress=False)
    text = str(failed.value)
    assert "client 1 failed: the client's kernel died (killed by signal 9" in text
    assert "client 2 failed: DataError" in text and "load_data" in text and "Traceback" in text
    assert run.model_of(0) is not None and len(started) == 3
    assert wait_until(lambda: not any(map(alive, started)), 5) and not list(tmp_path.glob("splitlab-*"))
    ratios = [step_ratio(row.step, run) for row in run.history.select("step", 0)[:100]]
    assert 0.95 <= median(ratios) <= 1.0001 and min(ratios) > 0.5


def step_ratio(step, run):
    """The sum of a step's parts by its wall time."""
    rows = {row.name: row.value for row in run.history if row.client == 0 and row.step == step}
    return sum(rows.get(part, 0.0) for part in PARTS) / rows["step"]


def test_a_server_that_dies_ends_the_run_promptly(small):
    run = sl.start(None, small, PLAN)
    assert wait_until(lambda: run.history.select("step"), 60)
    started = processes(run)
    os.kill(run.jobs["server"].process_id, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(RunError, match=r"the server failed: the server's kernel died \(killed by signal 9"):
        run.wait(30, progress=False)
    assert time.monotonic() - began < 6 and run.state == "failed"
    assert wait_until(lambda: not any(map(alive, started)), 5)


def test_a_console_on_a_kernel_answers_while_it_trains(small):
    """Whatever the console does there; and it is told what is at work."""
    run = sl.start(None, small, PLAN)
    assert wait_until(lambda: run.history.select("step"), 60)
    console = BlockingKernelClient(connection_file=run.jobs["client 0"].connection_file)
    console.load_connection_file()
    console.start_channels()
    try:
        asked = console.execute(
            "work = working = splitlab = 1; from splitlab.places.work import current",
            user_expressions={"who": "repr(current)"},
        )
        answer = console.get_shell_msg(timeout=20)
        assert answer["parent_header"]["msg_id"] == asked and not run.ended
        assert answer["content"]["user_expressions"]["who"]["data"]["text/plain"] == "'ClientWork: at work'"
    finally:
        console.stop_channels()
    before = len(run.history.select("step"))
    assert wait_until(lambda: len(run.history.select("step")) > before, 10)
    run.stop()
    assert run.wait(30, progress=False).state == "stopped" and run.jobs["client 0"].connection_file is None


def test_a_kernel_that_is_shut_down_by_hand_is_gone_and_can_be_restarted(small):
    run = sl.start(None, small, PLAN.change(clients=2))
    assert wait_until(lambda: len(run.history.select("step", 1)) > 5, 60)
    first = run.jobs["client 1"].process_id
    run.restart_device("client 1")
    assert wait_until(lambda: not alive(first), 5)
    assert wait_until(lambda: len(run.history.select("joined", 1)) == 2, 60)
    before = len(run.history.select("step", 1))
    assert wait_until(lambda: len(run.history.select("step", 1)) > before + 5, 20)
    second = run.jobs["client 1"].process_id
    run.kill_device("client 1")
    assert wait_until(lambda: not alive(second), 5) and first != second
    run.stop()
    assert run.wait(30, progress=False).state == "stopped"


def test_killing_a_run_ends_its_kernels_at_any_time(small):
    run = sl.start(None, small, PLAN)
    assert wait_until(lambda: len(processes(run)) == 2, 30)
    started = processes(run)
    run.kill()
    assert run.state == "stopped"
    assert wait_until(lambda: not any(map(alive, started)), 5) and not processes(run)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_kernels_end_when_their_parent_is_killed(tmp_path):
    code = """
        import time, splitlab as sl
        run = sl.start("lenet(width=2)", "digits", clients=1, epochs=100_000)
        while not run.history.select("step"):
            time.sleep(0.05)
        print(*(job.process_id for job in run.jobs.values()), flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    started = [int(word) for word in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    assert len(started) == 2
    assert wait_until(lambda: not any(map(alive, started)), 6)


def test_a_kernel_that_is_cancelled_while_it_starts_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = Kernel().launch("client", lambda: {})
    job.cancel()
    assert job.ended and job.state == "cancelled"
    assert wait_until(lambda: not list(tmp_path.glob("splitlab-*")), 10) and not job.process_id
    with pytest.raises(RunError, match="cancelled"):
        job.result(1)


def test_kernels_without_jupyter_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr("splitlab.places.kernel.find_spec", lambda name: None)
    with pytest.raises(PlanError, match=r"kernels need jupyter_client and ipykernel: pip install 'splitlab\[lab\]'"):
        place("kernel")


def test_a_place_is_a_name_or_itself():
    thread = Thread(socket=True)
    assert place(thread) is thread and repr(place("thread")) == "Thread(socket=False)" and repr(Kernel()) == "Kernel()"
    with pytest.raises(PlanError, match="unknown place 'moon'"):
        place("moon")


def test_a_job_has_the_verbs_of_a_future():
    job = Job("client")
    with pytest.raises(TimeoutError, match="the client is still starting after"):
        job.result(0.01)
    job._begun({"url": "x"})
    assert job.about(0) == {"url": "x"} and repr(job) == "Job(client, running)"
    job._done({"steps": 3})
    assert job.result(0) == {"steps": 3} and job.ended
    job.cancel()
    job._fail("too late")
    assert job.state == "done" and job.error is None


def test_work_that_nobody_knows_fails_with_the_names():
    job = Thread().launch("juggler", lambda: {})
    with pytest.raises(RunError, match=r"unknown kind of work 'juggler'\. Known: client, server"):
        job.result(5)
    with pytest.raises(RunError):
        job.about(5)
