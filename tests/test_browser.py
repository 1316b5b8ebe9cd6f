"""Journeys in a real browser: what a student does in JupyterLab, and a stakeholder in Voila, both ways."""

import re

import pytest
from browsing import (
    HOUSE,
    TOKEN,
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


def steps(ask):
    return ask("len(lab.run.history.select('step')) if lab.run else 0")


def kilobytes(ask, count=8):
    """Bytes on the wire of the newest steps, per sample."""
    return ask(f"[row.value / 32 for row in lab.run.history.select('bytes_up')[-{count}:]]")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True).first


def journey(page, ask, name, reload):
    """Click a cut, Start, float8, link, Pause, Resume, Stop, Reset; `reload` brings the lab back on a fresh page."""
    picker = page.locator(".splitlab-cut_picker, .splitlab-picker").first
    picker.wait_for()
    shoot(page, f"{name}-idle")
    picker.get_by_role("button", name=re.compile("relu1")).first.click()
    until(lambda: ask("lab.picker.cut") == "relu1", "the cut in the kernel")
    button(page, "Start").click()
    until(lambda: steps(ask) > 20, "the first steps", 60)
    shoot(page, f"{name}-training")
    before = kilobytes(ask)[-1]
    page.get_by_role("radio", name=re.compile("float8_e4m3fn|8-bit")).first.check(force=True)
    until(lambda: kilobytes(ask)[-1] < before / 3.5, "a quarter of the bytes")
    assert kilobytes(ask)[-1] > before / 4.5
    page.get_by_label(re.compile("^Link")).first.select_option("4g")
    until(lambda: ask("lab.run.plan.link") == "4g", "the link")
    until(lambda: ask("lab.run.history.select('up')[-1].value") > 0.04, "the latency of the link in the rows")
    shoot(page, f"{name}-toggled")
    button(page, "Pause").click()
    until(lambda: ask("lab.run.state") == "paused", "the pause")
    shoot(page, f"{name}-paused")
    button(page, "Resume").click()
    done = steps(ask)
    until(lambda: steps(ask) > done, "steps after the pause")
    reload()
    page.locator(".splitlab-live_charts canvas").first.wait_for()
    shoot(page, f"{name}-reloaded")
    button(page, "Stop").click()
    until(lambda: ask("lab.run.state") == "stopped", "the stop")
    shoot(page, f"{name}-stopped")
    processes = ask("[job.process_id for job in lab.run.jobs.values()]")
    assert processes == [None] * len(processes)
    button(page, "Reset").click()
    until(lambda: ask("lab.run is None and not lab.charts.runs"), "the reset")
    shoot(page, f"{name}-reset")


def test_a_student_clicks_a_cut_and_watches_in_jupyterlab(chromium, server):
    with opened(chromium) as page:
        open_notebook(page, server, "00-start.ipynb")
        page.locator(".splitlab-controls").first.wait_for(timeout=60_000)
        ask = Asked(server.kernels()[-1])

        def reload():
            page.reload()
            page.locator(".splitlab-controls").first.wait_for(timeout=60_000)

        journey(page, ask, "lab-light", reload)
        ask.close()
        assert not page.problems
