"""Journeys in a real browser: what a student does in JupyterLab, and a stakeholder in Voila, both ways."""

import json
import re

import pytest
from browsing import (
    HOUSE,
    Asked,
    browser,
    jupyter_lab,
    needs_browser,
    open_notebook,
    opened,
    shoot,
    theme,
    until,
    voila,
)

START = HOUSE / "notebooks" / "00-start.ipynb"
DASHBOARD = HOUSE / "notebooks" / "dashboards" / "split-learning.ipynb"
SAVED_LIMIT = 200_000  # bytes of a notebook that shows a lab
LAB = "next(one for one in __import__('gc').get_objects() if type(one).__name__ == 'Lab')"  # where it has no name
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def chromium():
    needs_browser()
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    with jupyter_lab(tmp_path_factory.mktemp("jupyter"), START, DASHBOARD) as served:
        yield served


class Student:
    """What a person does with a lab on a page, and what the kernel behind it knows of that."""

    def __init__(self, page, server, name):
        self.page, self.name = page, name
        self.part("controls").wait_for(timeout=90_000)
        self.ask = Asked(server.kernels()[-1])
        self.ask("None", f"lab = {LAB}")

    def part(self, name):
        return self.page.locator(f".splitlab-{name}").first

    def press(self, name):
        self.part("controls").get_by_role("button", name=name, exact=True).click()

    def wait(self, expression, seconds=30.0):
        return until(lambda: self.ask(expression), expression, seconds)

    def shoot(self, state):
        self.part("controls").scroll_into_view_if_needed()
        shoot(self.page, f"{self.name}-{state}")

    def newest(self, name):
        return self.ask(f"lab.run.history.select({name!r})[-1].value")

    def steps(self):
        return self.ask("len(lab.run.history.select('step')) if lab.run else 0")

    def cut_after(self, name):
        named = self.page.locator("text", has_text=re.compile(f"^{name}$"))
        self.part("cut_picker").locator("g.sl-box", has=named).click()
        self.wait(f"lab.picker.cut == {name!r} == lab.plan.cut")

    def start(self):
        self.press("Start")
        until(lambda: self.steps() > 20, "the first steps", 60)
        self.part("live_charts").scroll_into_view_if_needed()
        self.part("live_charts").locator("canvas").first.wait_for()
        until(lambda: drawn(self.page) > 2000, "points in the first chart")
        assert self.ask("lab.controls.state") == "training"

    def toggle_codec(self):
        self.part("controls").locator("input[value=float8_e4m3fn]").first.check()
        self.wait("lab.run.plan.codec == 'float8_e4m3fn'")
        self.wait("len(lab.comparison.points) == 2")
        before, after = self.ask("[point['bytes'] for point in lab.comparison.points]")
        assert 0.22 < after / before < 0.29  # about a quarter of the bytes, and headers

    def toggle_link(self):
        self.part("controls").get_by_label("Link").first.select_option("4g")
        self.wait("lab.run.plan.link == '4g'")
        until(lambda: self.newest("up") > 0.04, "the latency of the link in the rows")

    def pause_and_resume(self):
        self.press("Pause")
        self.wait("lab.run.state == lab.controls.state == 'paused'")
        self.shoot("paused")
        self.press("Resume")
        done = self.steps()
        until(lambda: self.steps() > done, "steps after the pause")

    def stop_and_reset(self):
        self.press("Stop")
        self.wait("lab.run.state == lab.controls.state == 'stopped'")
        self.shoot("stopped")
        assert self.ask("[job.process_id for job in lab.run.jobs.values()]") == [None] * 3
        self.press("Reset")
        self.wait("lab.run is None and lab.controls.state == 'idle' and not lab.charts.runs")
        self.shoot("reset")


def drawn(page):
    """How many pixels of the first chart are not empty."""
    count = (
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.filter(x => x).length"
    )
    return page.locator(".splitlab-live_charts canvas").first.evaluate(count)


def save(page):
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.locator('li[data-command="docmanager:save"]').click()
    page.locator(".jp-mod-dirty").first.wait_for(state="detached")


def test_a_student_clicks_a_cut_and_watches_in_jupyterlab(chromium, server):
    with opened(chromium) as page:
        open_notebook(page, server, "00-start.ipynb")
        student = Student(page, server, "lab-light")
        student.shoot("idle")
        student.cut_after("relu1")
        student.start()
        student.shoot("training")
        student.toggle_codec()
        student.toggle_link()
        student.shoot("toggled")
        student.pause_and_resume()
        save(page)
        page.reload()
        student.part("live_charts").wait_for(timeout=90_000)
        student.part("live_charts").scroll_into_view_if_needed()
        until(lambda: drawn(page) > 5000, "charts that are drawn again after a reload")
        student.shoot("reloaded")
        student.stop_and_reset()
        student.ask.close()
        assert not page.problems
    saved = (server.folder / "home" / "00-start.ipynb").read_text()
    assert "splitlab" in json.dumps(json.loads(saved)["cells"][2]["outputs"])
    assert len(saved) < SAVED_LIMIT


def test_a_stakeholder_sees_what_a_toggle_did_in_voila_of_the_same_server(chromium, server):
    theme(server, dark=True)
    with opened(chromium, dark=True) as page:
        page.goto(server.url("voila/render/dashboards/split-learning.ipynb?theme=dark"))
        person = Student(page, server, "voila-dark")
        person.shoot("idle")
        person.start()
        person.wait("lab.comparison.points[0]['accuracy']", 60)
        person.toggle_codec()
        person.wait("lab.comparison.sentence", 60)
        sentence = page.locator(".splitlab-comparison").get_by_role("status").inner_text()
        assert "8-bit floats cut traffic to a quarter" in sentence
        person.shoot("toggled")
        person.toggle_link()
        person.pause_and_resume()
        person.stop_and_reset()
        person.ask.close()
        assert not page.problems


def test_voila_by_itself_shows_the_dashboard_on_a_phone(chromium, tmp_path):
    with voila(tmp_path, DASHBOARD) as server, opened(chromium, width=390, height=844) as page:
        page.goto(server.url(""))
        person = Student(page, server, "phone-light")
        person.shoot("idle")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "the page scrolls sideways"
        person.cut_after("pool2")
        person.start()
        person.toggle_codec()
        person.shoot("toggled")
        person.stop_and_reset()
        person.ask.close()
        assert not page.problems
