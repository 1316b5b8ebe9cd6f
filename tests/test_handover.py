"""What a kernel hands to the server is there at once and whole, only for its user, and gone when its process is."""

import os
import stat
import subprocess
import sys
import time

import pytest

from splitlab import handover
from splitlab.errors import PlanError
from splitlab.handover import HandoverError


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr(handover, "_offered", {})
    return tmp_path / "runtime" / "splitlab"


def test_what_is_offered_is_found_under_its_id_until_it_is_withdrawn(runtime):
    model, run, kernel = (
        handover.offer_model(b"bytes"),
        handover.offer_run("ws://127.0.0.1:4242/"),
        handover.offer_kernel("/somewhere/kernel.json", "client 0"),
    )
    assert handover.find("model", model).read_bytes() == b"bytes"
    assert handover.read("run", run) == {"url": "ws://127.0.0.1:4242/"}
    assert handover.read("kernel", kernel) == {"connection_file": "/somewhere/kernel.json", "name": "client 0"}
    for id in (model, run, kernel):
        handover.withdraw(id)
        handover.withdraw(id)
    assert list(runtime.iterdir()) == []
    with pytest.raises(HandoverError, match="no run is on offer under this address"):
        handover.read("run", run)


def test_a_model_is_not_a_run_and_an_id_is_not_a_path():
    model = handover.offer_model(b"{}")
    for kind, id in [("run", model), ("model", model[:-1]), ("model", f"../{model}"), ("model", "*"), ("model", "")]:
        with pytest.raises(HandoverError):
            handover.find(kind, id)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_nobody_else_can_read_what_is_offered(runtime):
    runtime.mkdir(parents=True, mode=0o755)
    runtime.chmod(0o777)
    path = handover.find("model", handover.offer_model(b"bytes"))
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_a_folder_that_somebody_has_put_there_is_refused(runtime, tmp_path):
    runtime.parent.mkdir()
    runtime.symlink_to(tmp_path)
    with pytest.raises(HandoverError, match="belongs to somebody else"):
        handover.offer_model(b"bytes")


@pytest.mark.parametrize(
    "url", ["ws://192.168.1.7:80/", "wss://127.0.0.1:80/", "memory://0", "ws://127.0.0.1/", "http://127.0.0.1:80/"]
)
def test_only_a_listener_on_this_machine_can_be_offered(url):
    with pytest.raises(PlanError, match="not a run's address on this machine"):
        handover.offer_run(url)


def test_a_model_that_is_too_large_is_refused_before_it_is_written(runtime, monkeypatch):
    monkeypatch.setattr(handover, "MODEL_LIMIT", 10)
    with pytest.raises(PlanError, match="offer it without its weights"):
        handover.offer_model(b"x" * 11)
    assert not runtime.exists()


def offering(end):
    code = f"from splitlab import handover; import os, time; print(handover.offer_model(b'x'), flush=True); {end}"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_process_that_ends_takes_back_what_it_offered(runtime):
    process = offering("pass")
    process.communicate()
    assert list(runtime.iterdir()) == []


def test_what_a_killed_process_offered_is_not_found_and_is_swept_away(runtime):
    process = offering("time.sleep(60)")
    id = process.stdout.readline().strip()
    assert handover.find("model", id).read_bytes() == b"x"
    process.kill()
    process.wait()
    with pytest.raises(HandoverError):
        handover.find("model", id)
    assert len(list(runtime.iterdir())) == 1
    handover.sweep()
    assert list(runtime.iterdir()) == []


def test_where_processes_cannot_be_asked_what_is_a_day_old_is_forgotten(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    id = handover.offer_model(b"x")
    path = handover.find("model", id)
    os.utime(path, (time.time() - 2 * handover.FORGOTTEN_SECONDS,) * 2)
    with pytest.raises(HandoverError):
        handover.find("model", id)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_that_ends_does_not_take_back_what_its_parent_offered():
    id = handover.offer_model(b"x")
    child = os.fork()
    if child == 0:
        handover._withdraw_all()
        os._exit(0)
    os.waitpid(child, 0)
    assert handover.find("model", id).exists()
