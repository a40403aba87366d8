"""One HTML page that holds everything it shows: text, figures and the script that draws them; it needs no network.

A Content-Security-Policy lets only the page's own scripts run, which it names by their hashes, and nothing be loaded.
"""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HERE = files("dashboards.report")
NARROW_PX = 560
"""Windows narrower than this get the layout for phones: smaller margins and figures of their own height."""


def page(title: str, body: str, figures: Mapping[str, "Figure"]) -> str:
    """The page called ``title``.

    Args:
        title: What the browser shows as its title; any text.
        body: HTML, in which `placeholder` stands where a figure is.
        figures: The figures by their names.
    """
    drawn = json.dumps({name: _compact(figure) for name, figure in figures.items()}, allow_nan=False)
    scripts = [_plotly(), _text("drawing.js")] if figures else []
    policy = (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
        f"script-src {' '.join(map(_hash, scripts)) or chr(39) + 'none' + chr(39)}"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_text('page.css')}</style></head>\n<body><main>\n{body}\n</main>\n"
        f'<script type="application/json" id="figures">{_in_script(drawn)}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in scripts)
        + "</body></html>\n"
    )


def placeholder(name: str, figure: "Figure", label: str) -> str:
    """The place of a figure in the page.

    Args:
        name: The name of the figure: a word.
        figure: Gives its height, so that nothing moves when it is drawn.
        label: What it shows, for those who cannot see it.
    """
    height = int(figure.layout.height or 450)
    return (
        f'<div class="figure" id="{name}" role="img" aria-label="{escaped(label)}" style="min-height:{height}px"></div>'
    )


def escaped(text: str) -> str:
    """``text`` as HTML shows it, in attributes too."""
    return html.escape(text, quote=True)


def _compact(figure: "Figure") -> Any:
    """The figure as plain JSON types; what is not a number is null."""
    return json.loads(figure.to_json())


def _in_script(text: str) -> str:
    """JSON so that no text in it can end the script that it stands in."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _plotly() -> str:
    """Plotly's script without what would end the element that it stands in."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
