"""The doctor's page: what this Jupyter server has, whether it is what was tested, and what to do where it is not."""

from __future__ import annotations

from html import escape
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from ..doctor import report

TITLE = "splitlab: is everything in order?"
STATES = {"tested": "✓ as tested", "differs": "≠ not what was tested", "missing": "✗ missing"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
th { font-weight: 600; }
.notice { border-left: 4px solid #d07800; padding: .3rem .8rem; background: #d0780018; }
.good { border-color: #1a7f4b; background: #1a7f4b18; }
"""


class DoctorHandler(JupyterHandler):
    """`doctor` for people, `doctor?format=json` for widgets, which ask whether this extension is there at all."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The report."""
        self.set_header("Cache-Control", "no-store")
        if self.get_argument("format", "html") == "json":
            self.finish(running())
            return
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(page(running()))


def running() -> dict[str, Any]:
    """The report of this server, in which the extension runs whatever its configuration says."""
    found = report()
    for part in found["parts"]:
        if part["name"] == "server extension":
            part.update(state=f"running, {found['splitlab']}", remedy="")
    return found


def page(found: dict[str, Any]) -> str:
    """The report as HTML, with what is to be done on top."""
    remedies = [*found["remedies"], *(f"{part['name']}: {part['remedy']}" for part in found["parts"] if part["remedy"])]
    differs = [item["name"] for item in found["packages"] if item["state"] == "differs"]
    if differs:
        remedies.append(f"Other versions than tested: {', '.join(differs)}. If something fails, try the tested ones.")
    notices = [f'<p class="notice">{escape(text)}</p>' for text in remedies]
    sections: list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]] = [
        ("What must fit together", ("Part", "State"), [(part["name"], part["state"]) for part in found["parts"]]),
        ("Packages", ("Package", "Here", "Tested", ""), [_row(item) for item in found["packages"]]),
        ("This server", ("Fact", "Value"), list(found["machine"].items())),
    ]
    body = "".join(notices) or '<p class="notice good">Everything is as it was tested.</p>'
    body += "".join(f"<h2>{title}</h2>{_table(head, rows)}" for title, head, rows in sections)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!DOCTYPE html><html lang="en"><head>{head}<title>{TITLE}</title><style>{STYLE}</style></head>'
        f"<body><h1>{TITLE}</h1>{body}</body></html>"
    )


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    return item["name"], item["here"] or "–", item["tested"], STATES[item["state"]]


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"
