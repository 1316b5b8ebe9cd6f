"""Puts widgets beside each other where there is room, and below each other where there is not."""

from __future__ import annotations

from collections.abc import Mapping

from ipywidgets import Box, Layout, Tab, VBox, Widget, jslink

WIDE = "1 1 460px"  # grows, and goes to a line of its own below this width


def column(*widgets: Widget) -> VBox:
    """Below each other."""
    return VBox(list(widgets), layout=Layout(width="100%", grid_gap="12px"))


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
