"""The table behind the figure of the front, and the figure itself."""

import json
import re
from dataclasses import replace

from dashboards.figures.front_figure import draw, figure_html
from dashboards.figures.front_points import Axis, FrontPoints, Point, front_points

LATENCY = {"name": "latency_p90_ms", "direction": "minimize", "unit": "ms"}
ACCURACY = {"name": "accuracy", "direction": "maximize", "unit": "fraction"}


def test_the_table_holds_every_complete_trial_once(document, trials):
    shown = front_points(document, trials)
    assert (shown.x, shown.y) == (Axis("speedup", "maximize", "x"), Axis("accuracy", "maximize", "fraction"))
    assert [(p.trial, p.kind, p.x, p.y, p.line, p.text) for p in shown.points] == [
        (0, "baseline", 1.0, 0.986, False, "baseline"),
        (2, "trial", 2.0, 0.95, False, "width=0.5"),
        (4, "front", 4.0, 0.986, True, "openvino"),
        (9, "front", 32.0, 0.94, True, "width=0.25, int8, openvino"),
        (17, "front", 14.2, 0.981, True, "int8, openvino"),
    ]
    assert shown.points[2] == Point(4, "front", 4.0, 3.6, 4.5, 0.986, 0.986 - 0.01, 0.986 + 0.01, True, "openvino")


def test_the_final_measurement_of_a_member_is_preferred(document, trials, member):
    stale = [member(17, 0.99, 15.0) if trial["trial"] == 17 else trial for trial in trials]
    assert front_points(document, stale) == front_points(document, trials)


def test_the_table_survives_json(document, trials):
    shown = front_points(document, trials)
    assert FrontPoints.from_json(json.loads(json.dumps(shown.to_json()))) == shown


def test_the_axes_are_the_first_two_objectives_with_the_fraction_on_y(document, trials):
    document["objectives"] = [LATENCY, ACCURACY]
    shown = front_points(document, trials)
    assert (shown.x.name, shown.y.name) == ("latency_p90_ms", "accuracy")
    assert [point.trial for point in shown.points if point.line] == [4, 9, 17]


def test_a_single_objective_gets_a_default_beside_it(document, trials):
    for objective, axes in ((ACCURACY, ("speedup", "accuracy")), (LATENCY, ("latency_p90_ms", "accuracy"))):
        shown = front_points({**document, "objectives": [objective]}, trials)
        assert (shown.x.name, shown.y.name) == axes


def test_a_member_that_another_dominates_on_both_axes_is_off_the_line(document, trials, member):
    document["front"].append(member(5, 0.97, 10.0))  # on the front for a third objective, say
    on_line = {point.trial: point.line for point in front_points(document, trials).points if point.kind == "front"}
    assert on_line == {4: True, 5: False, 9: True, 17: True}


def test_a_trial_without_a_value_on_an_axis_is_left_out(document, trials, member):
    document["objectives"] = [ACCURACY, {**LATENCY, "name": "latency_p99_ms"}]
    for number, known in enumerate(trials):
        known["measurement"]["latency_p99_ms"] = None if known["trial"] in (0, 2, 9) else 1.0 + number
    shown = front_points(document, trials)
    assert [(point.trial, point.kind) for point in shown.points] == [(4, "front"), (17, "front")]
    assert len(draw(shown).data) == 4


def test_the_drawing_shows_the_table(document, trials):
    figure = draw(front_points(document, trials))
    dots, line, front, baseline = figure.data
    assert (list(dots.x), list(dots.y)) == ([2.0], [0.95])
    assert (list(line.x), list(line.y)) == ([4.0, 14.2, 32.0], [0.986, 0.981, 0.94])
    assert list(front.x) == [4.0, 32.0, 14.2]
    assert [round(bar, 6) for bar in front.error_x.arrayminus] == [0.4, 0.4, 0.4]
    assert [round(bar, 6) for bar in front.error_x.array] == [0.5, 0.5, 0.5]
    assert (list(baseline.x), list(baseline.y)) == ([1.0], [0.986])
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.type != "log"
    assert "openvino" in front.hovertext[0]


def test_the_line_bounds_what_is_dominated_whichever_way_is_better(document, trials):
    assert draw(front_points(document, trials)).data[1].line.shape == "vh"
    document["objectives"] = [ACCURACY, LATENCY]
    assert draw(front_points(document, trials)).data[1].line.shape == "hv"


def test_an_axis_with_a_zero_is_not_logarithmic(document, trials):
    shown = front_points(document, trials)
    points = (replace(shown.points[0], x=0.0), *shown.points[1:])
    assert draw(replace(shown, points=points)).layout.xaxis.type != "log"


def test_markup_in_names_is_escaped(document, trials):
    document["study"] = "<b>mine</b>"
    assert "&lt;b&gt;mine&lt;/b&gt;" in draw(front_points(document, trials)).layout.title.text


def test_the_page_needs_no_network(document, trials):
    page = figure_html(front_points(document, trials))
    assert not re.search(r"<script[^>]* src=", page)
    assert page.count("<html") == 1


def test_a_study_without_trials_can_be_drawn(document):
    assert len(draw(front_points({**document, "front": [], "baseline": None}, [])).data) == 4


def test_what_the_runtime_alone_gives_has_a_mark_of_its_own_and_a_line(document, trials, member):
    assert front_points(document, trials).runtime_alone is None
    document["runtime_alone"] = {**document["front"][0], "searched": {}}
    shown = front_points(document, trials)
    assert FrontPoints.from_json(json.loads(json.dumps(shown.to_json()))) == shown
    figure = draw(shown)
    assert [trace.name for trace in figure.data][-1] == "runtime alone"
    assert (list(figure.data[-1].x), list(figure.data[-1].y)) == ([4.0], [0.986])
    assert "runtime alone: 4.00x" in figure.layout.title.text
    assert ">The baseline is PyTorch eager, fp32, 1 thread, 8 ms<" in figure.layout.title.text, "a line of its own"


def test_a_trial_off_the_front_is_marked_where_it_was_timed_with_the_front(document, trials, member):
    document["runtime_alone"] = {**member(2, 0.986, 2.5, runtime="onnxruntime"), "searched": {}}
    shown = front_points(document, trials)
    assert [(point.kind, point.x) for point in shown.points if point.trial == shown.runtime_alone] == [("trial", 2.5)]


def test_a_table_that_an_older_version_wrote_can_be_drawn(document, trials):
    old = front_points(document, trials).to_json()
    del old["runtime_alone"], old["runtime_alone_text"]
    assert FrontPoints.from_json(old) == front_points(document, trials)
