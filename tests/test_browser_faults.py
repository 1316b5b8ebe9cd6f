"""What goes wrong in a real JupyterLab, and what the page says then: dead kernels, reloads, lost servers, old cells."""

import json
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from browsing import HOUSE, Asked, browser, jupyter_lab, needs_browser, open_notebook, opened, shoot, until

import splitlab as sl

START = HOUSE / "notebooks" / "00-start.ipynb"
RECORDINGS = HOUSE / "notebooks" / "02-recordings.ipynb"
RECORDED = HOUSE / "notebooks" / "recordings"
SLEEP = 6  # seconds that a cell is at work
CELLS = {
    "lab": 'import splitlab as sl\nlab = sl.Lab("lenet", "digits", clients=3, epochs=5000)\nlab',
    "view": "lab",
    "sleep": f"import time\ntime.sleep({SLEEP})",
}
LABS = "[one for one in __import__('gc').get_objects() if type(one).__name__ == 'Lab' and hasattr(one, 'controls')]"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def chromium():
    needs_browser()
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    with jupyter_lab(tmp_path_factory.mktemp("jupyter"), START, RECORDINGS, RECORDED) as served:
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # or JupyterLab asks for it
        cells = [cell(name) for name in CELLS]
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
        (served.folder / "home" / "faults.ipynb").write_text(json.dumps(notebook))
        yield served


def cell(name):
    empty = {"metadata": {}, "outputs": [], "execution_count": None}
    return {"id": name, "cell_type": "code", "source": CELLS[name]} | empty


@pytest.fixture(scope="module")
def desk(chromium, server):
    """One page on one notebook for all tests of a run: each begins with a run that goes on."""
    with opened(chromium) as page:
        page.set_default_timeout(15_000)
        page.goto(server.url("lab/tree/faults.ipynb"))
        page.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
        until(lambda: "Idle" in page.locator("#jp-main-statusbar").inner_text(), "an idle kernel", 60)
        one = Desk(page, server)
        yield one
        one.ask.close()
        assert not page.problems


@pytest.fixture
def training(desk):
    desk.go_on()
    desk.says("controls", "Training")
    return desk


def alive(process):
    """Whether a process runs; one that has ended and was not yet fetched by its parent does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Desk:
    """A page with a lab, and the kernel behind it."""

    def __init__(self, page, server):
        self.page, self.server = page, server
        self.run_cell("lab")
        self.part("controls").wait_for(timeout=60_000)
        self.ask = Asked(server.kernels()[-1])

    def cell(self, name):
        return self.page.locator(".jp-NotebookPanel:visible .jp-CodeCell").nth(list(CELLS).index(name))

    def run_cell(self, name):
        editor = self.cell(name).locator(".jp-InputArea-editor")
        editor.scroll_into_view_if_needed()
        editor.click()
        self.page.keyboard.press("Control+Enter")

    def part(self, name, cell="lab"):
        return self.cell(cell).locator(f".splitlab-{name}")

    def press(self, name, cell="lab"):
        self.part("controls", cell).get_by_role("button", name=name, exact=True).click()

    def device(self, name):
        return self.part("devices").locator(f".sl-device[data-name='{name}']")

    def verb(self, verb, name):
        self.device(name).get_by_role("button", name=f"{verb} {name}").click()

    def wait(self, expression, seconds=15.0):
        return until(lambda: self.ask(expression), expression, seconds)

    def says(self, part, text, cell="lab", seconds=15.0):
        shown = self.part(part, cell)
        shown.scroll_into_view_if_needed()  # a browser has no text of what it need not draw
        until(lambda: text in shown.inner_text(), f"{part} says {text!r}", seconds)

    def steps(self, client=None):
        chosen = "" if client is None else f" and row.client == {client}"
        return self.ask(f"sum(1 for row in lab.run.history if row.name == 'step'{chosen})")

    def processes(self):
        return self.ask("[job.process_id for job in lab.run.jobs.values() if job.process_id]")

    def shoot(self, state, part="controls", cell="lab"):
        self.part(part, cell).scroll_into_view_if_needed()
        shoot(self.page, f"fault-{state}")

    def go_on(self):
        """A run that trains, whatever the test before has left."""
        if self.ask("lab.running"):
            return
        self.press("Start")
        until(lambda: self.ask("lab.run is not None and lab.run.state == 'training'"), "training", 60)


# ---- kernels that die ------------------------------------------------------------------------------------------------


def test_a_client_killed_in_the_panel_is_named_while_the_others_go_on_and_restart_brings_it_back(training):
    desk = training
    until(lambda: desk.steps(0), "steps of client 0")
    desk.verb("Kill", "client 0")
    desk.device("client 0").get_by_role("button", name="Yes, do it").click()
    desk.wait("lab.devices.machines[1]['state'] == 'killed'")
    desk.says("devices", "It was shut down by hand; the others go on. Restart brings it back with the next round.")
    desk.says("controls", "client 0 was shut down by hand; the others go on without it")
    desk.shoot("killed", "devices")
    done, of_0 = desk.steps(), desk.steps(0)
    until(lambda: desk.steps() > done + 20, "steps of the others")
    assert desk.steps(0) == of_0
    desk.verb("Restart", "client 0")
    until(lambda: desk.steps(0) > of_0, "client 0 trains again", 60)
    desk.wait("lab.devices.machines[1]['state'] == 'training'")
    desk.says("devices", "Server and 3 clients.")


def test_a_kernel_killed_from_outside_is_dead_in_words_while_the_others_go_on(training):
    desk = training
    os.kill(desk.wait("lab.run.jobs['client 1'].process_id"), signal.SIGKILL)
    desk.wait("lab.devices.machines[2]['state'] in ('failed', 'lost')")
    desk.says("devices", "In trouble: client 1.")
    desk.says("devices", "signal 9 often means that the machine ran out of memory")
    desk.shoot("dead", "devices")
    done = desk.steps()
    until(lambda: desk.steps() > done + 20, "steps of the others")
    assert desk.ask("lab.controls.state") == "training"
    of_1 = desk.steps(1)
    desk.verb("Restart", "client 1")
    until(lambda: desk.steps(1) > of_1, "client 1 trains again", 60)


def test_a_console_on_a_client_answers_while_it_trains(training):
    desk, page = training, training.page
    desk.verb("Console", "client 2")
    console = page.locator(".jp-ConsolePanel")
    prompt = console.locator(".jp-CodeConsole-promptCell .cm-content")
    prompt.wait_for()
    console.locator(".jp-CodeConsole-banner", has_text="IPython").wait_for()
    done = desk.steps(2)
    prompt.click()
    page.keyboard.type("1+1")
    page.keyboard.press("Shift+Enter")
    output = console.locator(".jp-CodeConsole-content .jp-OutputArea-output").last
    output.wait_for()
    assert output.inner_text().strip() == "2"
    shoot(page, "fault-console")
    until(lambda: desk.steps(2) > done, "client 2 goes on")
    page.locator(".lm-TabBar-tab.lm-mod-current", has_text="client 2").locator(".lm-TabBar-tabCloseIcon").click()
    console.wait_for(state="detached")
    assert desk.ask("lab.run.state") == "training"


def test_a_reload_during_a_run_loses_nothing_and_steers_on(training):
    desk, page = training, training.page
    page.keyboard.press("Control+s")
    page.locator(".jp-mod-dirty").first.wait_for(state="detached")
    page.reload()
    desk.part("live_charts").locator("canvas").first.wait_for(timeout=60_000)
    until(lambda: drawn(desk.part("live_charts")) > 2000, "charts that are drawn again")
    desk.press("Pause")
    desk.wait("lab.run.state == lab.controls.state == 'paused'")
    desk.says("controls", "Paused")
    desk.press("Resume")
    desk.wait("lab.run.state == lab.controls.state == 'training'")


def test_a_second_view_shows_and_steers_the_same_run(training):
    desk = training
    desk.run_cell("view")
    desk.part("live_charts", "view").scroll_into_view_if_needed()
    desk.part("live_charts", "view").locator("canvas").first.wait_for()
    until(lambda: drawn(desk.part("live_charts", "view")) > 2000, "charts in the second view")
    desk.press("Pause", "view")
    desk.wait("lab.run.state == 'paused'")
    desk.says("controls", "Paused", "lab")
    desk.says("controls", "Paused", "view")
    desk.press("Resume", "lab")
    desk.wait("lab.run.state == 'training'")
    desk.says("controls", "Training", "view")


def test_what_is_saved_is_read_back_and_played_again(training, tmp_path):
    desk = training
    for label, name in (("as a table", "rows.csv"), ("as a recording", "rows.jsonl")):
        with desk.page.expect_download() as saved:
            desk.part("live_charts").get_by_role("button", name=label).click()
        saved.value.save_as(tmp_path / name)
    desk.says("live_charts", "saved")
    kinds, table = sl.History.read(tmp_path / "rows.jsonl"), (tmp_path / "rows.csv").read_text()
    assert len(kinds.select("step")) > 20
    assert len(table.splitlines()) > len(kinds) / 2
    replay = sl.Replay(tmp_path / "rows.jsonl", speed=float("inf"))
    assert len(replay.history) == len(kinds)
    assert replay.plan.model == "lenet"


def drawn(charts):
    """How many bytes of the first chart are not empty."""
    count = "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.filter(x => x).length"
    return charts.locator("canvas").first.evaluate(count)


# ---- the kernel of the notebook --------------------------------------------------------------------------------------


def test_a_press_while_another_cell_is_at_work_is_heard_at_once(training):
    desk = training
    desk.run_cell("sleep")
    began = time.monotonic()
    desk.press("Pause")
    desk.says("controls", "Paused", seconds=5)
    assert time.monotonic() - began < SLEEP, "only after the cell"
    desk.shoot("busy")
    desk.press("Resume")
    desk.says("controls", "Training")
    desk.wait("lab.run.state == lab.controls.state == 'training'")


def test_a_kernel_that_does_not_answer_is_said_and_hears_the_press_later(training):
    desk = training
    with halted(desk.ask("__import__('os').getpid()")):
        desk.press("Pause")
        desk.says("controls", "The kernel does not answer", seconds=6)
        desk.shoot("silent")
    desk.wait("lab.run.state == lab.controls.state == 'paused'")
    until(lambda: "does not answer" not in desk.part("controls").inner_text(), "no word of it any more")
    desk.says("controls", "Paused")
    desk.press("Resume")
    desk.wait("lab.run.state == 'training'")


def test_a_server_that_is_lost_for_a_while_is_said_and_after_it_no_step_is_missing(training):
    desk = training
    with halted(desk.server.process.pid):
        desk.press("Pause")
        desk.says("controls", "does not answer", seconds=6)
        desk.shoot("server-lost")
        done = desk.steps()
        until(lambda: desk.steps() > done + 20, "it trains on meanwhile")
    desk.wait("lab.run.state == lab.controls.state == 'paused'")
    desk.says("controls", "Paused")
    time.sleep(0.5)  # rows on their way
    desk.says("controls", f"step {desk.ask('lab.controls.status')['step']:,} of")
    assert desk.ask("lab.controls.status")["step"] == desk.steps()
    until(lambda: "does not answer" not in desk.part("controls").inner_text(), "no word of it any more")
    desk.press("Resume")
    desk.wait("lab.run.state == 'training'")


@contextmanager
def halted(process):
    """A process that stands still: whoever asks it gets no answer, and no error either."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_running_the_cell_again_ends_the_old_run_and_begins_anew(training):
    desk = training
    processes = desk.processes()
    assert len(processes) == 4
    desk.run_cell("view")
    desk.says("controls", "Training", "view")
    desk.ask("None", "before = lab")
    desk.run_cell("lab")
    desk.wait("lab is not before and before.run.ended and before.controls.state == 'closed'")
    until(lambda: not any(map(alive, processes)), "the old kernels are gone", 10)
    desk.says("controls", "Closed", "view")
    desk.says("controls", "a newer lab took its place", "view")
    desk.shoot("closed", "controls", "view")
    desk.shoot("closed-devices", "devices", "view")
    desk.says("controls", "Ready to start")
    desk.go_on()
    desk.says("controls", "Training")
    desk.says("controls", "Closed", "view")


def test_a_restarted_kernel_takes_its_children_along_and_the_page_says_what_to_do(training):
    desk, page = training, training.page
    processes = desk.processes()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.locator('li[data-command="kernelmenu:restart"]').click()
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    until(lambda: not any(map(alive, processes)), "all child kernels are gone", 10)
    desk.says("controls", "run the cell", seconds=20)
    desk.shoot("restarted")
    desk.run_cell("lab")
    desk.wait("'lab' in globals()", 60)
    desk.says("controls", "Ready to start")
    desk.go_on()
    desk.says("controls", "Training")
    desk.press("Reset")
    desk.part("controls").get_by_role("button", name="End it and clear").click()
    desk.wait("lab.run is None")


# ---- what is not a fault ---------------------------------------------------------------------------------------------


def test_the_inspect_tab_shows_the_network_and_selects_what_the_picker_selects(desk):
    page = desk.page
    desk.cell("lab").get_by_role("tab", name="Inspect").click()
    desk.wait("lab.inspect.model", 60)
    frame = desk.part("inspect").locator("iframe")
    chosen = (
        "frame => [...(frame.contentWindow.__view__?.target?.selection ?? [])]"
        ".map(one => one.value?.metadata?.[0]?.value)"
    )
    frame.wait_for()
    desk.says("inspect", "Every operation that PyTorch runs", seconds=60)
    desk.ask("None", "lab.picker.selected = 'conv1'")
    until(lambda: "conv1" in str(frame.evaluate(chosen)), "Netron selects it")
    desk.shoot("netron", "inspect")
    page.frame_locator(".splitlab-inspect iframe").locator("g.node", has_text="relu").first.click()
    desk.wait("lab.picker.selected == lab.inspect.selected != 'conv1'")


def test_the_launcher_makes_a_notebook_that_shows_a_lab_and_the_palette_opens_the_tutorial(chromium, server):
    with opened(chromium) as page:
        page.goto(server.url("lab?reset"))
        page.locator(".jp-LauncherCard", has_text="New lab").click(timeout=60_000)
        page.locator(".splitlab-controls").wait_for(timeout=60_000)
        shoot(page, "command-new-lab")
        page.keyboard.press("Control+Shift+c")
        page.locator(".lm-CommandPalette-input").fill("Split learning: open tutorial")
        page.keyboard.press("Enter")
        page.locator(".jp-NotebookPanel:visible").get_by_role("heading", name="0 · Start").wait_for(timeout=60_000)
        shoot(page, "command-tutorial")
        assert not page.problems
    assert (server.folder / "home" / "split-learning" / "00-start.ipynb").exists()


def test_recordings_play_without_a_kernel_and_without_torch(chromium, server):
    with opened(chromium) as page:
        open_notebook(page, server, "02-recordings.ipynb?reset")
        controls = page.locator(".splitlab-controls")
        until(lambda: controls.count() == 2, "two labs", 60)
        ask = Asked(server.kernels()[-1])
        ask("None", f"labs = sorted({LABS}, key=lambda lab: lab.plan.clients)")
        for place in range(2):
            controls.nth(place).get_by_role("button", name="Start", exact=True).click()
            until(lambda place=place: ask(f"labs[{place}].controls.state == 'training'"), "it plays")
            charts = page.locator(".splitlab-live_charts").nth(place)
            charts.scroll_into_view_if_needed()
            until(lambda charts=charts: drawn(charts) > 2000, "charts")
        shoot(page, "recordings")
        ask("None", "for lab in labs: lab.run.speed = float('inf')")
        until(lambda: ask("all(lab.controls.state == 'finished' for lab in labs)"), "both are played")
        until(lambda: [one.locator(".sl-state").inner_text() for one in controls.all()] == ["Finished"] * 2, "said")
        assert ask("'torch' in __import__('sys').modules") is False
        assert ask("__import__('multiprocessing').active_children()") == []
        assert (
            ask('open(f\'/proc/{__import__("os").getpid()}/task/{__import__("os").getpid()}/children\').read()') == ""
        )
        ask.close()
        assert not page.problems
