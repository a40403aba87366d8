"""How all figures look: colours that colour-blind readers can tell apart, shapes that survive print in grey, one font.

The colours are those of Okabe and Ito (Color Universal Design, 2008). Nothing is told by its colour alone: what
differs in colour differs in shape, dash or text too.
"""

import html
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # plotly takes a moment to import, and only drawing needs it
    from plotly.graph_objects import Figure

INK, GREY, FAINT, GRID = "#23272e", "#8b929c", "#c3c8d0", "#eceff3"
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colours of things side by side, in this order."""
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
PATTERNS = ("", "/", ".", "x", "\\", "-", "+", "|")
FONT = "Inter, Segoe UI, Helvetica, Arial, sans-serif"
HALO = ", ".join(f"{x}px {y}px 1px white" for x in (-2, 0, 2) for y in (-2, 0, 2))
"""Keeps text readable on a bar or a line."""
HEIGHT_PX = 460
_HOVER_WIDTH = 64


def finish(figure: "Figure", height: int = HEIGHT_PX, **layout: Any) -> "Figure":
    """``figure`` with the style of all figures: as wide as its place, the legend below, no heading of its own."""
    figure.update_layout(
        template="plotly_white",
        font={"family": FONT, "size": 14, "color": INK},
        colorway=SERIES,
        showlegend=True,
        height=height,
        margin={"l": 70, "r": 24, "t": 24, "b": 60},
        hoverlabel={"bgcolor": "white", "font": {"size": 13, "color": INK}, "align": "left"},
        legend={
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "x": 0,
            "xanchor": "left",
            "font": {"size": 13},
        },
    )
    figure.update_xaxes(**AXIS)
    figure.update_yaxes(**AXIS)
    figure.update_layout(**layout)
    return figure


AXIS: dict[str, Any] = {
    "showline": True,
    "linecolor": FAINT,
    "gridcolor": GRID,
    "ticks": "outside",
    "tickcolor": FAINT,
    "zeroline": False,
    "automargin": True,
}


def empty(sentence: str) -> "Figure":
    """A figure that says in ``sentence`` why there is nothing to draw."""
    import plotly.graph_objects as go

    figure = finish(go.Figure(), 140)
    hidden = {"visible": False}
    text = "<br>".join(safe(line) for line in textwrap.wrap(sentence, 50))
    note = {"text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    return figure.update_layout(xaxis=hidden, yaxis=hidden, annotations=[note])


def with_heading(figure: "Figure", title: str, lines: Iterable[str] = (), width: int = 800) -> "Figure":
    """``figure`` at a fixed ``width`` with a heading of its own, as a picture needs it that stands alone.

    Args:
        figure: A figure that `finish` made; it is changed.
        title: What comes first, in bold.
        lines: Sentences below it; what is long takes several lines.
        width: Pixels.
    """
    small = [part for line in lines for part in textwrap.wrap(line.replace(" %", "\u00a0%"), width // 8)]
    bold = textwrap.wrap(title.replace(" %", "\u00a0%"), width // 10)
    text = "<br>".join(f"<b>{safe(line)}</b>" for line in bold)
    text += "".join(f'<br><span style="font-size:13px">{safe(line)}</span>' for line in small)
    above = 32 + 22 * len(bold) + 20 * len(small)
    height, margin = figure.layout.height, figure.layout.margin
    heading = {"text": text, "x": 0.02, "y": 1, "yanchor": "top", "pad": {"t": 20}, "font": {"size": 17}}
    return figure.update_layout(
        title=heading,
        width=width,
        height=(height or HEIGHT_PX) + above - (margin.t or 24) + 10,
        margin={**margin.to_plotly_json(), "t": above + 10},
    )


def safe(text: str) -> str:
    """The text with the characters escaped that Plotly reads as markup."""
    return html.escape(text, quote=False)


def hover_lines(title: str, figures: Iterable[str], choices: str, notes: Iterable[str] = ()) -> str:
    """What is shown where somebody points at a trial: its title, figures, all its choices, and notes in italics."""
    folded = [safe(line) for line in textwrap.wrap(choices, _HOVER_WIDTH)]
    remarks = [f"<i>{safe(line)}</i>" for note in notes for line in textwrap.wrap(note, _HOVER_WIDTH)]
    return "<br>".join([f"<b>{safe(title)}</b>", *map(safe, figures), *folded, *remarks])


def translucent(colour: str, alpha: float) -> str:
    """``colour``, written as ``#rrggbb``, so transparent that ``alpha`` of it is seen."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
