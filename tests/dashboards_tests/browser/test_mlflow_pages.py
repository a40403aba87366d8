"""What a person sees of a study in MLflow's pages."""

import re
from typing import Any

import pytest
from dashboards_tests.browser.conftest import ODD_NAME, Served

from dashboards.study_page import study_page, trials_page

expect = pytest.importorskip("playwright.sync_api").expect


def _rows(page: Any) -> list[str]:
    """The names of the runs in the table, from top to bottom."""
    names = page.locator("[col-id='attributes.`Run Name`'] a")
    expect(names.first).to_be_visible()
    return [text for text in names.all_inner_texts() if text]


def test_the_table_shows_every_trial_with_its_figures_the_fastest_first(page: Any, served: Served) -> None:
    page.goto(trials_page(served.study))
    expect(page.get_by_text("32.0x")).to_be_visible()
    assert _rows(page)[:3] == [
        "9: width 0.25, int8, openvino, 32.0x",
        "17: int8, openvino, 14.2x",
        "4: openvino, 4.00x",
    ]
    for heading in ("speedup", "accuracy", "latency_p50_ms", "size_mib", "pareto", "knee"):
        expect(page.locator(".ag-header-cell", has_text=heading).first).to_be_visible()
    expect(page.get_by_text("Searches for models of digits that are fast")).to_be_visible()
    expect(page.get_by_text("6 matching runs").or_(page.get_by_text("7 matching runs"))).to_be_visible()


def test_a_filter_by_a_tag_shows_the_front(page: Any, served: Served) -> None:
    page.goto(trials_page(served.study))
    expect(page.get_by_text("0: baseline, 1.00x")).to_be_visible()
    box = page.get_by_test_id("search-box")
    box.fill("tags.pareto = 'true'")
    box.press("Enter")
    expect(page.get_by_text("3 matching runs")).to_be_visible()
    assert sorted(name.split(":")[0] for name in _rows(page)) == ["17", "4", "9"]


def test_the_page_of_a_study_begins_with_the_sentence_that_matters(page: Any, served: Served) -> None:
    page.goto(served.study)
    sentence = (
        "Fastest within one accuracy point of the baseline: trial 17, 14.2x (95 % 13.8-14.7), 98.1 % against 98.6 %"
    )
    expect(page.get_by_text(sentence)).to_be_visible()
    picture = page.locator("img[src*='front.png']")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 600
    expect(page.get_by_text("17: int8, openvino, 14.2x")).to_be_visible()
    expect(page.get_by_text(re.compile("digits .aaaaaaaaaaaa-train"))).to_be_visible()


def test_the_figure_is_drawn_in_the_viewer_of_artifacts(page: Any, served: Served) -> None:
    address, _, query = served.study.partition("?")
    page.goto(f"{address}/artifacts?{query}")
    page.get_by_text("front.html", exact=True).click()
    figure = page.frame_locator("iframe")
    expect(figure.get_by_text("speedup, times the baseline (more is better)")).to_be_visible()
    expect(figure.locator("svg .scatterlayer .trace").first).to_be_visible()
    expect(figure.get_by_text("17", exact=True).first).to_be_visible()
    page.get_by_text("front_table.json", exact=True).click()
    expect(page.get_by_text("width=0.25, int8, openvino")).to_be_visible()


def test_the_report_is_drawn_in_the_viewer_of_artifacts(page: Any, served: Served) -> None:
    address, _, query = served.study.partition("?")
    page.goto(f"{address}/artifacts?{query}")
    page.get_by_text("report.html", exact=True).click()
    report = page.frame_locator("iframe")
    expect(report.get_by_text("frontrunner search study.yaml")).to_be_visible()
    expect(report.locator("#front svg .scatterlayer .trace").first).to_be_visible()


def test_the_page_of_a_trial_has_its_figures_and_its_curve(page: Any, served: Served) -> None:
    page.goto(served.study)
    page.get_by_text("17: int8, openvino, 14.2x").click()
    expect(page.get_by_text("14.2x as fast as the baseline (95 % 13.8-14.7)")).to_be_visible()
    expect(page.get_by_text("the knee of the Pareto front")).to_be_visible()
    expect(page.get_by_text("numeric_precision")).to_be_visible()
    page.get_by_role("tab", name="Model metrics").click()
    page.get_by_placeholder("Search metric charts").fill("accuracy_validation_at_rungs")
    chart = page.get_by_test_id("experiment-view-compare-runs-card").first
    expect(chart.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible()


def test_names_that_look_like_a_program_are_shown_and_not_run(page: Any, served: Served) -> None:
    page.goto(study_page(served.address, "study-of-1"))
    expect(page.get_by_text(ODD_NAME).first).to_be_visible()
    page.get_by_text("20: openvino, failed").click()
    expect(page.get_by_text("failed: <script>document.title='x'</script>")).to_be_visible()
    assert page.title() not in ("x", "run")
