"""A figure as a picture in a file: PNG, SVG or PDF."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spaces.errors import RequestError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ENDINGS = (".png", ".svg", ".pdf")
SCALE = 2
"""Pixels of a PNG for each pixel of the layout, so that it is sharp in print."""


def check_picture_file(to: Path, allowed: str) -> None:
    """Raise `RequestError` where the ending of ``to`` is none of a picture, or what makes pictures is not installed.

    Args:
        to: The file.
        allowed: The sentence on a wrong ending.
    """
    if to.suffix not in ENDINGS:
        raise RequestError(allowed)
    if find_spec("kaleido") is None:
        raise RequestError("a picture needs `pip install 'frontrunner[figures]'`")


def write_picture_file(figure: "Figure", to: Path) -> None:
    """Write ``figure`` into the file ``to``; its ending says the format.

    Raises:
        RequestError: The file cannot be written, or there is no browser that draws it.
    """
    try:
        image: bytes = figure.to_image(format=to.suffix[1:], scale=SCALE)
    except RuntimeError as error:
        raise RequestError("a picture needs Chrome or Chromium, which was not found; install one") from error
    try:
        to.write_bytes(image)
    except OSError as error:
        raise RequestError(f"{to} cannot be written ({error.strerror}); name another file") from error
