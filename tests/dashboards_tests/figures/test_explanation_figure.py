"""The figure and the tables of an explanation, from its document alone."""

import io
import math
from typing import Any

import pytest
from rich.console import Console

from dashboards.explanation_table import headline, print_explanation
from dashboards.figures.explanation_figure import draw_explanation


def effect(ratio: float, significant: bool = True, unstable: str = "") -> dict[str, Any]:
    """A contrast as the document has it."""
    return {"ratio": ratio, "ci95": [ratio * 0.9, ratio * 1.1], "unstable": unstable, "significant": significant}


def choice(name: str, text: str, speed: dict[str, Any] | None, cost: float | None = 0.01) -> dict[str, Any]:
    """One choice of the document."""
    accuracy = (
        None if cost is None else {"with": 0.95, "without": 0.95 + cost, "cost": cost, "cost_ci95": [-0.01, 0.03]}
    )
    return {
        "choice": name,
        "text": text,
        "same_artifact": speed is not None and speed["ratio"] == 1.0,
        "speed": speed,
        "accuracy": accuracy,
        "why_unknown": None if accuracy else "not trained, as --cached-only asks",
        "figures": {"size_mib": {"with": 1.0, "without": 4.0}},
    }


@pytest.fixture
def explanation(document: dict[str, Any]) -> dict[str, Any]:
    """What explains a trial of three choices, one of which costs an unknown accuracy."""
    shares = {"runtime": {"share": 0.7, "range": [0.5, 0.8]}, "student_width": {"share": 0.3, "range": [0.1, 0.4]}}
    importance = {"trials": 18, "choices": shares, "doubt": "18 candidates for 7 choices tell little"}
    return {
        "study": "digits",
        "trial": 9,
        "text": "width=0.25, openvino",
        "measurement": document["front"][2]["measurement"],
        "baseline": document["baseline"],
        "together": effect(20.0),
        "remainder": 2.5,
        "choices": [
            choice("student_width", "width=0.25", effect(2.0)),
            choice("distillation_weight", "distilled=0.7", effect(1.0, significant=False), cost=None),
            choice("runtime", "openvino", effect(4.0)),
        ],
        "pairs": [
            {
                "choices": ["student_width", "runtime"],
                "kinds": ["algorithm", "software"],
                "synergy": effect(2.5),
                "reason": None,
            },
            {
                "choices": ["student_width", "distillation_weight"],
                "kinds": ["algorithm", "algorithm"],
                "synergy": None,
                "reason": "x",
            },
        ],
        "importance": {"speed": importance, "accuracy": importance},
        "trained": ["student_width"],
        "left_out": ["3 of 9 pairs of choices were not timed"],
        "seconds": 41.0,
    }


def shown(explanation: dict[str, Any]) -> str:
    out = io.StringIO()
    print_explanation(Console(file=out, width=80), explanation)
    return out.getvalue()


def line(text: str, word: str) -> list[str]:
    return next(one for one in text.splitlines() if word in one).split()


def test_the_bars_of_the_waterfall_follow_each_other_up_to_the_trial(explanation: dict[str, Any]) -> None:
    bars = draw_explanation(explanation).data[0]
    ends = [base + length for base, length in zip(bars.base, bars.x, strict=True)]
    assert list(bars.base) == [1.0, 2.0, 2.0, 8.0, 1.0]
    assert ends == [pytest.approx(end) for end in (2.0, 2.0, 8.0, 20.0, 20.0)]
    assert list(bars.y)[-2:] == ["interactions", "together"]


def test_the_axis_shows_the_whole_bar_of_a_trial_that_is_slower_than_the_baseline(explanation: dict[str, Any]) -> None:
    explanation |= {"choices": [choice("runtime", "eager", effect(0.25))], "pairs": [], "remainder": 1.0}
    explanation["together"] = effect(0.25)
    low, high = draw_explanation(explanation).layout.xaxis.range
    assert low < math.log10(0.25)
    assert high > math.log10(1.0)


def test_the_matrix_has_the_pairs_that_were_timed(explanation: dict[str, Any]) -> None:
    matrix = draw_explanation(explanation).data[1]
    assert list(matrix.x) == ["A", "C"]
    assert matrix.text[0][1].startswith("2.50x*")
    assert matrix.text[0][0] == ""
    explanation["pairs"][0]["synergy"] = None
    assert len(draw_explanation(explanation).data) == 1


def test_a_choice_that_was_not_timed_has_no_bar_and_says_so(explanation: dict[str, Any]) -> None:
    explanation["choices"][2]["speed"] = explanation["remainder"] = None
    bars = draw_explanation(explanation).data[0]
    assert (bars.x[2], bars.text[2]) == (0.0, "not timed")


def test_the_tables_say_what_each_choice_gives_and_costs_and_what_is_not_known(explanation: dict[str, Any]) -> None:
    text = shown(explanation)
    assert max(map(len, text.splitlines())) <= 80
    assert line(text, "(-1.0 to 3.0)")[:4] == ["A", "2.00x", "1.80-2.20", "4"]
    assert "same file" in text
    assert "distilled=0.7: not trained, as --cached-only asks" in text
    assert "A (algorithm) and C (software): 2.50x (95 % 2.25-2.75)" in text
    assert "70 % (50-80)" in text
    assert "accuracy: 18 candidates for 7 choices tell little" in text
    assert "trained now, to know the accuracy without it: student_width" in text
    assert "3 of 9 pairs of choices were not timed" in text


def test_an_unstable_timing_is_marked_and_told(explanation: dict[str, Any]) -> None:
    explanation["choices"][0]["speed"]["unstable"] = "the machine was busy"
    text = shown(explanation)
    assert "! 2.00x" in text
    assert "! the timing is unstable: the machine was busy" in text
    assert "unstable" not in headline(explanation)
    assert next(iter(draw_explanation(explanation).data[0].y)).startswith("! A  width=0.25")
    explanation["together"]["unstable"] = "the machine was busy"
    assert "(unstable: the machine was busy)" in headline(explanation)


def test_a_bar_says_what_its_choice_changes_the_accuracy_by(explanation: dict[str, Any]) -> None:
    labels = list(draw_explanation(explanation).data[0].y)
    assert labels[0] == "A  width=0.25, accuracy -1.0 points"
    assert labels[1] == "B  distilled=0.7, accuracy unknown"
    assert "accuracy 9" in headline(explanation)
