"""One HTML file with the table and the charts of a run, which opens without a network, on a screen and on a phone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from . import charts
from .errors import PlanError
from .summary import Summary, Table

if TYPE_CHECKING:
    from .history import History

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
  :root { --ink: #1b1f24; --soft: #59636e; --rule: #d1d9e0; --ground: #fff; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --rule: #3d444d; --ground: #15191f; } }
  body { color: var(--ink); background: var(--ground); font: 16px/1.5 system-ui, sans-serif;
         max-width: 1160px; margin: 0 auto; padding: 1.5rem 1rem; }
  h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
  p { color: var(--soft); margin: 0 0 1.25rem; max-width: 46rem; }
  .table { overflow-x: auto; margin-bottom: 1.5rem; }
  table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
  th, td { padding: .15rem .6rem; white-space: nowrap; }
  thead th, tbody tr:hover { border-bottom: 1px solid var(--rule); }
  main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
  figure { margin: 0; min-width: 0; }
  figure > div { width: 100%; }
  figure:last-child { grid-column: 1 / -1; }
  @media (max-width: 500px) { table { font-size: .8rem; } th, td { padding: .15rem .3rem; white-space: normal; } }
</style>
<h1>$title</h1>
<p>$note</p>
<div class="table">$table</div>
<main>$figures</main>
<script>$scripts</script>
<script>
  const charts = $charts;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function draw() {
    const theme = dark.matches ? "dark" : undefined;
    const config = { background: "transparent", axis: { gridOpacity: 0.4 } };
    const options = { theme, config, renderer: "svg", actions: false };
    for (const [name, chart] of Object.entries(charts)) vegaEmbed(document.getElementById(name), chart, options);
  }
  dark.addEventListener("change", draw);
  draw();
</script>
</html>
""")


def page(history: History, summaries: Sequence[Summary], title: str, note: str, path: Path | str) -> None:
    """Write the page to `path`: a title, a note in words, the summaries as a table, and every chart."""
    drawn = {name: chart(history) for name, chart in charts.CHARTS.items()} | {"time": charts.bars(summaries)}
    specs = {name: _fluid(chart.to_dict()) for name, chart in drawn.items()}
    text = PAGE.substitute(
        title=escape(title),
        note=escape(note),
        table=Table(summaries)._repr_html_(),
        figures="".join(f'<figure><div id="{name}"></div></figure>' for name in specs),
        scripts=_scripts(),
        charts=json.dumps(specs).replace("</", "<\\/"),
    )
    Path(path).write_text(text, encoding="utf-8")


def _fluid(spec: dict[str, object]) -> dict[str, object]:
    """The chart as wide as what it stands in."""
    return spec | {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}


def _scripts() -> str:
    """Vega, Vega-Lite and their embedding, bundled."""
    try:
        import vl_convert
    except ImportError:
        raise PlanError("a page of charts needs vl-convert: pip install 'splitlab[lab]'") from None
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace("</script", "<\\/script")
