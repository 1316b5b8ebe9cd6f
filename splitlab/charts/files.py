"""What can be saved of runs: their rows as a table, one of them as a recording, their charts as a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from ..errors import PlanError
from ..history import Row
from ..summary import Summary, Table
from .live import LIVE, compare

if TYPE_CHECKING:
    from ..history import History

STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 1160px; margin: 0 auto; padding: 1.5rem 1rem; }
main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
svg { max-width: 100%; height: auto; }
.table { overflow-x: auto; margin-bottom: 1.5rem; } td, th { padding: 0 .6rem; }"""


class File(NamedTuple):
    """A kind of file: its name, its type, and how it is written for runs by their labels."""

    name: str
    mime: str
    write: Callable[[Mapping[str, History]], bytes]


def table(histories: Mapping[str, History]) -> bytes:
    """All rows, with the run's label in front."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["run", *Row._fields])
    for label, history in histories.items():
        writer.writerows([label, *row] for row in history)
    return file.getvalue().encode()


def recording(histories: Mapping[str, History]) -> bytes:
    """The newest run, for `splitlab.Replay`; whole, where it was recorded, else what is still in the ring."""
    history = list(histories.values())[-1]
    if history.path and history.path.exists():
        return history.path.read_bytes()
    return "".join(history.lines()).encode()


def page(histories: Mapping[str, History]) -> bytes:
    """The table of figures and every chart as a picture: opens and prints anywhere, and holds no script."""
    try:
        from vl_convert import vegalite_to_svg
    except ImportError:
        raise PlanError("charts as a page need vl-convert: pip install 'splitlab[lab]'") from None
    title = escape(", ".join(histories))
    figures = [Summary.of(history, label) for label, history in histories.items()]
    pictures = [vegalite_to_svg(json.dumps(compare(histories, what).to_dict())) for what in LIVE]
    body = "".join(f"<figure style='margin:0'>{picture}</figure>" for picture in pictures)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f'<h1>{title}</h1><div class="table">{Table(figures)._repr_html_()}</div><main>{body}</main></html>'
    ).encode()


FILES = {
    "csv": File("splitlab.csv", "text/csv", table),
    "jsonl": File("splitlab.jsonl", "application/jsonl", recording),
    "html": File("splitlab.html", "text/html", page),
}
