"""The figure of an explanation: what each choice of a trial gives, and what two give together.

`draw_explanation` is a pure function from the document that ``frontrunner explain --json`` prints.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.explanation_table import gained, headline, letters
from dashboards.figures.style import BLUE, FONT, GREY, INK, RED, finish, safe
from dashboards.formatting import interval_text, times
from dashboards.report.picture_file import ENDINGS, check_picture_file, write_picture_file
from runners.metric import QualityMetric
from spaces.errors import RequestError

if TYPE_CHECKING:  # plotly takes a moment to import, and only drawing needs it
    from plotly.graph_objects import Bar, Figure, Heatmap

Document = Mapping[str, Any]
_WIDTH_PX, _ROW_PX, _ABOVE_PX, _BELOW_PX = 1100, 44, 115, 80

READING = "above 1 they gain from each other, below 1 each has less left to gain;<br>blank: one leaves with the other"


def draw_explanation(document: Document) -> "Figure":
    """A waterfall of the choices from the baseline to the trial, and the matrix of pairs beside it.

    The waterfall has a logarithmic axis, so that bars of equal length are equal factors. A bar is what its choice gives
    where all others stay; the bar of the interactions is what is missing from the product.
    """
    from plotly.subplots import make_subplots

    names = letters(document)
    has_pairs = any(pair["synergy"] for pair in document["pairs"])
    pairs = f"two choices together, over each alone<br><sup>{READING}</sup>" if has_pairs else ""
    titles = ("speed, from the baseline to the trial", pairs)
    figure = make_subplots(
        1, 2, column_widths=(0.58, 0.42), horizontal_spacing=0.07, subplot_titles=titles if has_pairs else titles[:1]
    )
    bars = _steps(document)
    figure.add_trace(_waterfall(bars), row=1, col=1)
    figure.update_xaxes(_speed_axis(bars), row=1, col=1)
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    if has_pairs:
        figure.add_trace(_matrix(document, names), row=1, col=2)
        figure.update_yaxes(autorange="reversed", row=1, col=2)
    rows = len(bars)
    heading = "<br>".join(_wrapped(headline(document)))
    figure.update_layout(
        title={
            "text": f"<b>{heading}</b>",
            "x": 0.02,
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 18},
            "font": {"size": 15},
        },
        template="plotly_white",
        font={"family": FONT, "size": 14, "color": INK},
        showlegend=False,
        width=_WIDTH_PX,
        height=_ABOVE_PX + _BELOW_PX + max(6, rows) * _ROW_PX,
        margin={"l": 40, "r": 30, "t": _ABOVE_PX, "b": _BELOW_PX},
    )
    figure.update_yaxes(automargin=True, ticklabelstandoff=6)
    return figure


def waterfall_figure(document: Document) -> "Figure":
    """The waterfall of `draw_explanation` alone."""
    import plotly.graph_objects as go

    bars = _steps(document)
    names = {"autorange": "reversed", "ticklabelstandoff": 6}
    figure = go.Figure(_waterfall(bars))
    return finish(figure, 110 + 40 * len(bars), xaxis=_speed_axis(bars), yaxis=names, showlegend=False)


def synergy_figure(document: Document) -> "Figure | None":
    """The matrix of `draw_explanation` alone; None where no two choices were timed together."""
    import plotly.graph_objects as go

    if not any(pair["synergy"] for pair in document["pairs"]):
        return None
    names = letters(document)
    matrix = _matrix(document, names)
    texts = {one["choice"]: one["text"] for one in document["choices"]}
    told = {letter: f"{letter}  {safe(texts.get(name, name))}" for name, letter in names.items()}
    matrix.y = [told[letter] for letter in matrix.y]
    size = len(matrix.y)
    axes = {"xaxis": {"side": "top", "showgrid": False}, "yaxis": {"autorange": "reversed", "showgrid": False}}
    return finish(go.Figure(matrix), 70 + 58 * size, **axes, margin={"t": 40, "b": 10})


def check_figure_file(to: Path) -> None:
    """Raise `RequestError` where a figure cannot be written into ``to``, before anything is measured for it."""
    if to.suffix != ".html":
        check_picture_file(to, f"--figure {to}: a figure ends in .html, {', '.join(ENDINGS)}")
    if not to.absolute().parent.is_dir():
        raise RequestError(f"--figure {to}: there is no folder {to.absolute().parent}; make it or name another")


def write_explanation(document: Document, to: Path) -> None:
    """Write the figure into the file ``to``; its ending says the format.

    Raises:
        RequestError: The file cannot be written, or what makes pictures is not installed.
    """
    figure = draw_explanation(document)
    if to.suffix != ".html":
        return write_picture_file(figure, to)
    try:
        to.write_text(figure.to_html(include_plotlyjs=True, config={"displaylogo": False}), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{to} cannot be written ({error.strerror}); name another file") from error


Step = tuple[str, float, float, str, str]
"""Label, where the bar begins and ends, its text, and its colour."""


def _steps(document: Document) -> list[Step]:
    """The bars of the waterfall, from the baseline at 1 to the trial."""
    names, reached, steps = letters(document), 1.0, list[Step]()
    for one in document["choices"]:
        doubt = "! " if one["speed"] and one["speed"]["unstable"] else ""
        label = f"{doubt}{names[one['choice']]}  {one['text']}, {gained(one, QualityMetric.of_front(document))}"
        if one["speed"] is None:
            steps.append((label, reached, reached, "not timed", GREY))
            continue
        ratio = one["speed"]["ratio"]
        text = "same file" if one["same_artifact"] else f"{times(ratio)}x ({interval_text(*one['speed']['ci95'])})"
        steps.append((label, reached, reached * ratio, text, BLUE if ratio >= 1 else RED))
        reached *= ratio
    if document["remainder"]:
        rest = document["remainder"]
        steps.append(("interactions", reached, reached * rest, f"{times(rest)}x", GREY))
    if document["together"]:
        total = document["together"]
        text = f"{times(total['ratio'])}x ({interval_text(*total['ci95'])})"
        steps.append(("together", 1.0, total["ratio"], text, INK))
    return steps


def _speed_axis(bars: list[Step]) -> dict[str, Any]:
    """A logarithmic axis with room for the text behind each bar."""
    ends = [end for one in bars for end in one[1:3]]
    low, high = min(ends), max(ends)
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low / 2 <= tick <= high * 2]
    return {
        "type": "log",
        "tickvals": ticks,
        "ticktext": [f"{tick:g}x" for tick in ticks],
        "range": [math.log10(low) - 0.08, math.log10(high) + 0.45 * math.log10(high / low) + 0.1],
        "title": "times as fast as the baseline",
    }


def _waterfall(steps: list[Step]) -> "Bar":
    import plotly.graph_objects as go

    return go.Bar(
        orientation="h",
        y=[safe(label) for label, *_ in steps],
        base=[min(begin, end) for _, begin, end, _, _ in steps],
        x=[abs(end - begin) for _, begin, end, _, _ in steps],
        marker={
            "color": [colour for *_, colour in steps],
            "pattern": {"shape": ["/" if colour == RED else "" for *_, colour in steps], "fgcolor": "white"},
        },
        text=[text for _, _, _, text, _ in steps],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )


def _matrix(document: Document, names: Mapping[str, str]) -> "Heatmap":
    """The factors of all pairs; the colour is their logarithm, white is none."""
    import plotly.graph_objects as go

    known = {frozenset(pair["choices"]): pair["synergy"] for pair in document["pairs"] if pair["synergy"]}
    shown = [name for name in names if any(name in pair for pair in known)]
    cells = [[known.get(frozenset((row, column))) for column in shown] for row in shown]
    widest = max((abs(math.log(one["ratio"])) for one in known.values()), default=0.0) or 1.0
    labels = [names[name] for name in shown]
    return go.Heatmap(
        x=labels,
        y=labels,
        z=[[None if one is None else math.log(one["ratio"]) for one in row] for row in cells],
        text=[["" if one is None else _cell(one) for one in row] for row in cells],
        texttemplate="%{text}",
        zmin=-widest,
        zmax=widest,
        colorscale=[(0, RED), (0.5, "white"), (1, BLUE)],
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )


def _cell(effect: Mapping[str, Any]) -> str:
    star = "*" if effect["significant"] else ""
    return f"{times(effect['ratio'])}x{star}<br>{interval_text(*effect['ci95'])}"


def _wrapped(text: str) -> list[str]:
    import textwrap

    return [safe(line) for line in textwrap.wrap(text.replace(" %", "\u00a0%"), 100)]
