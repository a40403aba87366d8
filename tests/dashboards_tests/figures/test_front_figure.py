"""The table behind the figure of the front, and the figure itself."""

import json
import math
from dataclasses import replace

import pytest

from dashboards.figures.axes import Axis
from dashboards.figures.bounds import Bound
from dashboards.figures.front_figure import draw
from dashboards.figures.front_points import FrontPoints, Point, front_points
from dashboards.figures.label_places import label_places

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
    choices = "student_width=1, channel_pruning=0, numeric_precision=fp32, runtime=openvino"
    whole = Point(4, "front", 4.0, 3.6, 4.5, 0.986, 0.986 - 0.01, 0.986 + 0.01, True, "openvino", choices=choices)
    assert shown.points[2] == whole


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
    assert "front" in named(draw(shown))


def named(figure):
    """The traces of a figure by their names."""
    return {trace.name: trace for trace in figure.data}


def test_the_drawing_shows_the_table(document, trials):
    figure = draw(front_points(document, trials))
    shown = named(figure)
    dots, line, front, baseline = (shown[n] for n in ("other trials (1)", "line of the front", "front", "baseline"))
    assert (list(dots.x), list(dots.y)) == ([2.0], [0.95])
    assert (list(line.x), list(line.y)) == ([4.0, 14.2, 32.0], [0.986, 0.981, 0.94])
    assert list(front.x) == [4.0, 32.0, 14.2]
    bars = shown["intervals of the front"]
    assert [round(bar, 6) for bar in bars.error_x.arrayminus] == [0.4, 0.4, 0.4]
    assert [round(bar, 6) for bar in bars.error_x.array] == [0.5, 0.5, 0.5]
    assert (list(baseline.x), list(baseline.y)) == ([1.0], [0.986])
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.type != "log"
    assert "openvino" in front.hovertext[0]


def test_the_line_bounds_what_is_dominated_whichever_way_is_better(document, trials):
    assert named(draw(front_points(document, trials)))["line of the front"].line.shape == "vh"
    document["objectives"] = [ACCURACY, LATENCY]
    assert named(draw(front_points(document, trials)))["line of the front"].line.shape == "hv"


def test_an_axis_with_a_zero_is_not_logarithmic(document, trials):
    shown = front_points(document, trials)
    points = (replace(shown.points[0], x=0.0), *shown.points[1:])
    assert draw(replace(shown, points=points)).layout.xaxis.type != "log"


def test_markup_in_a_choice_is_escaped(document, trials):
    trials[1]["configuration"]["runtime"] = "<b>mine</b>"
    hover = named(draw(front_points(document, trials)))["other trials (1)"].hovertext[0]
    assert "&lt;b&gt;mine&lt;/b&gt;" in hover
    assert "<b>mine" not in hover


def test_a_study_without_trials_can_be_drawn(document):
    assert "front" in named(draw(front_points({**document, "front": [], "baseline": None, "knee": None}, [])))


def test_a_member_that_ties_with_a_better_one_is_open_and_off_the_line(document, trials, member):
    document["front"].append({**member(5, 0.98, 14.0), "ties": [17]})
    shown = named(draw(front_points(document, trials)))
    tied = shown["front, tied with a better one"]
    assert (list(tied.x), tied.marker.symbol, shown["front"].marker.symbol) == ([14.0], "circle-open", None)
    assert "cannot be told apart from 17" in tied.hovertext[0]


def test_what_cannot_be_trusted_has_a_cross_and_the_headlines_trial_a_ring(document, trials, member):
    document["front"][0] = member(4, 0.986, 4.0, unstable="the machine was busy", runtime="openvino")
    document["knee"] = 17
    shown = named(draw(front_points(document, trials)))
    assert list(shown["timing not to be trusted"].x) == [4.0]
    assert list(shown["named in the headline"].x) == list(shown["knee"].x) == [14.2]
    symbols = [trace.marker.symbol for trace in shown.values() if trace.name in ("knee", "named in the headline")]
    assert len(set(symbols)) == 2


@pytest.mark.parametrize(
    ("constraint", "bound"),
    [
        ("speedup>=2", Bound("x", 2.0, False, "speedup>=2")),
        ("accuracy_drop<=0.01", Bound("y", 0.976, False, "accuracy_drop<=0.01")),
        ("size_mib<=4", None),
    ],
)
def test_what_a_constraint_does_not_allow_is_shaded(document, trials, constraint, bound):
    document["constraints"] = [constraint]
    points = front_points(document, trials)
    assert points.bounds == (() if bound is None else (replace(bound, at=pytest.approx(bound.at)),))
    shapes = draw(points).layout.shapes
    assert len(shapes) == (0 if bound is None else 2)
    if bound and bound.axis == "x":
        assert (shapes[0].x0, shapes[0].x1 < 1) == (2.0, True)


def test_the_axes_have_room_for_everything(document, trials, member):
    document["front"].append(member(8, 0.90, 100.0))
    figure = draw(front_points(document, trials))
    assert figure.layout.xaxis.range[0] < 0 < math.log10(100.5) < figure.layout.xaxis.range[1]
    assert figure.layout.yaxis.range[0] < 0.89


def test_trials_that_are_far_from_the_front_are_left_out_and_counted(document, trials, member):
    trials.append(member(30, 0.985, 0.02))
    trials.append(member(31, 0.10, 5.0))
    figure = draw(front_points(document, trials))
    assert 10 ** figure.layout.xaxis.range[0] > 0.05
    assert figure.layout.yaxis.range[0] > 0.85
    assert [note.text for note in figure.layout.annotations] == ["2 other trials outside of the picture"]
    assert len(named(figure)["other trials (3)"].x) == 3, "zooming out shows them"
    assert not draw(front_points(document, trials[:-2])).layout.annotations


def test_no_trial_is_left_out_where_there_is_no_front(document, trials, member):
    document.update(front=[], knee=None)
    figure = draw(front_points(document, [*trials, member(31, 0.10, 5.0)]))
    assert figure.layout.yaxis.range[0] < 0.1
    assert not figure.layout.annotations


def test_labels_avoid_each_other_and_other_dots_and_are_left_out_where_there_is_no_room():
    sides = ("top right", "bottom left")
    assert label_places({1: "1", 2: "2"}, {1: (0, 0), 2: (100, 0)}, sides) == {1: "top right", 2: "top right"}
    near = {1: (0.0, 0.0), 2: (1.0, 0.0), 3: (2.0, 0.0)}
    assert label_places(dict.fromkeys(near, "10"), near, sides) == {1: "top right", 2: "bottom left"}
    assert label_places({1: "1"}, {1: (0, 0), 2: (12, 14)}, sides) == {1: "bottom left"}


def test_equal_points_can_be_drawn(document, trials, member):
    document["front"] = [member(n, 0.986, 1.0) for n in (1, 2, 3, 4, 5, 6)]
    figure = draw(front_points(document, [document["baseline"]]))
    assert figure.layout.xaxis.range[0] < figure.layout.xaxis.range[1]
    assert figure.layout.yaxis.range[0] < figure.layout.yaxis.range[1]


def test_what_the_runtime_alone_gives_has_a_mark_of_its_own_and_a_line(document, trials, member):
    assert front_points(document, trials).runtime_alone is None
    document["runtime_alone"] = {**document["front"][0], "searched": {}}
    shown = front_points(document, trials)
    assert FrontPoints.from_json(json.loads(json.dumps(shown.to_json()))) == shown
    star = named(draw(shown))["runtime alone"]
    assert (list(star.x), list(star.y)) == ([4.0], [0.986])
    assert shown.runtime_alone_text.startswith("runtime alone: 4.00x")


def test_a_trial_off_the_front_is_marked_where_it_was_timed_with_the_front(document, trials, member):
    document["runtime_alone"] = {**member(2, 0.986, 2.5, runtime="onnxruntime"), "searched": {}}
    shown = front_points(document, trials)
    assert [(point.kind, point.x) for point in shown.points if point.trial == shown.runtime_alone] == [("trial", 2.5)]


def test_a_table_that_an_older_version_wrote_can_be_drawn(document, trials):
    old = front_points(document, trials).to_json()
    for name in ("runtime_alone", "runtime_alone_text", "best", "knee", "bounds"):
        del old[name]
    for point in old["points"]:
        del point["choices"], point["ties"]
    assert draw(FrontPoints.from_json(old)).data
