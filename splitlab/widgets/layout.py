"""Puts widgets beside each other where there is room, and below each other where there is not."""

from __future__ import annotations

from collections.abc import Mapping

from ipywidgets import Box, Layout, Tab, VBox, Widget, jslink

WIDE = "1 1 460px"  # grows, and goes to a line of its own below this width


class Column(VBox):
    """Widgets below each other. A saved notebook and a terminal show `text` instead."""

    def __init__(self, widgets: list[Widget], text: str) -> None:
        super().__init__(widgets, layout=Layout(width="100%", grid_gap="12px"))
        self._text = text

    def __repr__(self) -> str:
        return self._text


def column(*widgets: Widget, text: str) -> Column:
    """Below each other, with a text for where no widget can be shown."""
    return Column(list(widgets), text)


def row(*widgets: Widget) -> Box:
    """Beside each other, as long as each has room."""
    for widget in widgets:
        widget.layout.flex = WIDE
        widget.layout.min_width = "0"
    return Box(list(widgets), layout=Layout(display="flex", flex_flow="row wrap", grid_gap="16px", width="100%"))


def tabs(pages: Mapping[str, Widget]) -> Tab:
    """One at a time, by its title."""
    return Tab(list(pages.values()), titles=list(pages), layout=Layout(width="100%"))


def linked(name: str, one: Widget, other: Widget) -> None:
    """Keep a trait that is only for the eye the same in both, in the page."""
    jslink((one, name), (other, name))
