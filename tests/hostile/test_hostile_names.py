"""Names and reasons from anybody are shown as they are: none is taken for HTML, or for the colours of a terminal."""

from typing import Any

import pytest
from dashboards_tests.conftest import make_member
from rich.console import Console

from dashboards.front_html import front_html
from dashboards.front_table import render
from search.exit_codes import explain
from spaces.errors import RequestError

pytestmark = pytest.mark.faults("hostile file")

TAG = "<img src=x onerror=alert(1)>"
MARKUP = "[bold red]x[/bold red][link=http://outside.example]"


@pytest.fixture
def document() -> dict[str, Any]:
    """The front document of a study in which every text is a hostile one."""
    hostile = TAG + MARKUP
    return {
        "study": hostile,
        "status": "finished",
        "workload": hostile,
        "device": hostile,
        "trials": 2,
        "objectives": [
            {"name": "accuracy", "direction": "maximize", "unit": "fraction"},
            {"name": "speedup", "direction": "maximize", "unit": "x"},
        ],
        "hypervolume": 0.5,
        "baseline": make_member(0, 0.98, 1.0),
        "front": [make_member(1, 0.97, 2.0, unstable=hostile, runtime=hostile)],
    }


def test_a_front_in_html_has_no_tag_of_a_name(document: dict[str, Any]) -> None:
    shown = front_html(document)
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_a_front_on_a_terminal_shows_the_markup_of_a_name(document: dict[str, Any]) -> None:
    console = Console(width=400, color_system=None)
    with console.capture() as shown:
        console.print(render(document, width=400))
    assert MARKUP in shown.get()


def test_an_error_moves_no_cursor() -> None:
    code, sentence = explain(RequestError("no file \x1b]0;title\x07\x1b[2J\r\n\u202e"))
    assert code == 2
    assert sentence.isprintable()
