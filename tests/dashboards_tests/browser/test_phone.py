"""The report on a phone."""

from pathlib import Path
from typing import Any

from dashboards_tests.small_study import make_document, make_member, make_report, make_trials

from dashboards.report.report_html import report_html

BOXES = """() => Array.from(document.querySelectorAll("#front-figure .textpoint text"))
    .filter((one) => one.style.visibility !== "hidden").map((one) => one.getBoundingClientRect().toJSON())"""
WIDE_PX = 375


def test_nothing_is_wider_than_a_phone_and_no_number_covers_another(page: Any, tmp_path: Path) -> None:
    document = make_document()
    near = [(0.98 - 0.004 * (step // 4), 15.0 + 0.8 * (step % 4)) for step in range(11)]
    document["front"] += [make_member(30 + step, *place, runtime="openvino") for step, place in enumerate(near)]
    (tmp_path / "report.html").write_text(report_html(make_report(document, make_trials(document))))
    page.set_viewport_size({"width": WIDE_PX, "height": 800})
    page.goto((tmp_path / "report.html").as_uri())
    page.locator("#front-figure .textpoint text").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == WIDE_PX
    boxes = page.evaluate(BOXES)
    assert 3 <= len(boxes) < len(document["front"])
    covered = [
        (one, other)
        for index, one in enumerate(boxes)
        for other in boxes[:index]
        if one["left"] < other["right"] and other["left"] < one["right"]
        if one["top"] < other["bottom"] and other["top"] < one["bottom"]
    ]
    assert not covered
