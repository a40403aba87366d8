"""The figure of the front as a picture for a paper or a slide, PNG, SVG or PDF, from what ``frontrunner front`` prints.

``python -m dashboards.front_picture front.json front.png`` makes one.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.figures.front_figure import draw
from dashboards.figures.front_points import FrontPoints, Point, front_points
from dashboards.figures.style import safe, with_heading
from dashboards.picture_file import ENDINGS, check_picture_file, write_picture_file
from spaces.errors import RequestError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDTH_PX = 800
AXIS_PX, LEGEND_PX, LINE_PX = 60, 66, 20
MOST_LINES = 12
"""Members whose configuration is told."""


def read_front(file: Path) -> FrontPoints:
    """The table of the figure, from what ``frontrunner front NAME --all --json`` printed into ``file``.

    Raises:
        RequestError: The file cannot be read, or holds something else.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return front_points(document, [trial for trial in document["all"] if trial["state"] == "complete"])
    except OSError as error:
        raise RequestError(f"{file} cannot be read ({error.strerror}); give a file that holds a front") from error
    except (ValueError, KeyError, TypeError) as error:
        wanted = "`frontrunner front NAME --all --json > FILE` writes one"
        raise RequestError(f"{file} holds no front with all its trials; {wanted}") from error


def picture(points: FrontPoints) -> "Figure":
    """The figure at a fixed size, with the configurations of the front's members in lines below it.

    The heading leaves out why a timing is unstable: each member says in its line that it is.
    """
    named = points.subtitle.partition("; unstable: ")[0].replace("; the baseline is ", "\nbaseline: ").split("\n")
    members = sorted((point for point in points.points if point.kind == "front"), key=lambda point: -point.x)
    lines = [_line(point) for point in members[:MOST_LINES]]
    lines += [f"and {len(members) - MOST_LINES} more"] if len(members) > MOST_LINES else []
    figure = with_heading(draw(points), points.title, [*named, points.runtime_alone_text], WIDTH_PX)
    below = LINE_PX * (len(lines) + 1) + 10
    legend_px = LEGEND_PX + below
    margin = {**figure.layout.margin.to_plotly_json(), "b": AXIS_PX + legend_px}
    height = figure.layout.height + below
    figure.update_layout(height=height, margin=margin, legend={"y": (below + 12) / height})
    figure.add_annotation(
        text="<br>".join(["<b>Members of the front, by trial. Bars: 95 % intervals.</b>", *lines]),
        font={"size": 13},
        align="left",
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        xanchor="left",
        yanchor="top",
        yshift=10 - AXIS_PX - LEGEND_PX,
    )
    return figure


def write_picture(points: FrontPoints, to: Path) -> None:
    """Write `picture` into the file ``to``; its ending says the format.

    Raises:
        RequestError: The ending is unknown, the file cannot be written, or what makes pictures is not installed.
    """
    check_picture_file(to, f"{to}: a picture ends in {', '.join(ENDINGS)}; front.html in MLflow is the interactive one")
    write_picture_file(picture(points), to)


def _line(point: Point) -> str:
    return f"{point.trial}: {safe(point.text)}{' (unstable)' if point.unstable else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``python -m dashboards.front_picture``; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.front_picture", description=_first_line())
    parser.add_argument("front", type=Path, help="what `frontrunner front NAME --all --json` printed")
    parser.add_argument("picture", type=Path, help=f"file to write, ending in {', '.join(ENDINGS)}")
    chosen: Any = parser.parse_args(arguments)
    try:
        write_picture(read_front(chosen.front), chosen.picture)
    except RequestError as error:
        print(f"front_picture: {error}", file=sys.stderr)
        return 2
    return 0


def _first_line() -> str:
    return str(__doc__).splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
