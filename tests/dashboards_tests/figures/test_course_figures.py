"""The figures of how a search went: what is shared, where the time went, and how the front advanced."""

import json

import pytest

from dashboards.figures.front_history import (
    MOST_STEPS,
    FrontHistory,
    draw_history,
    front_history,
    front_history_figure,
)
from dashboards.figures.hypervolume import hypervolume_figure
from dashboards.figures.stage_tree import stage_tree, summary
from dashboards.figures.timeline import PAUSE_S, timeline, timeline_figure


def history(*times, shared=()):
    trials = [{"trial": number, "times": list(ran)} for number, ran in enumerate(times)]
    return {"trials": trials, "screened": [], "shared_times": list(shared)}


def test_stages_side_by_side_have_a_lane_each_and_idle_time_stays_white():
    shown = timeline(history([["training", 0.0, 10.0]], [["training", 5.0, 10.0]], [["lowering", 20.0, 5.0]]))
    assert [(bar.began, bar.lane) for bar in shown.bars] == [(0.0, 0), (5.0, 1), (20.0, 0)]
    assert shown.summary() == (
        "25 s in all; at most 2 stages ran side by side, and 50 % of that room was used. "
        "Most time went into training 80 %, lowering 20 %."
    )


def test_a_pause_between_two_searches_is_cut_out_and_told():
    shown = timeline(history([["training", 0.0, 10.0]], [["training", 10.0 + 2 * PAUSE_S, 10.0]]))
    assert [bar.began for bar in shown.bars] == [0.0, 10.0]
    assert "pauses of 20 min 00 s in all are cut out" in shown.summary()


def test_very_many_stages_are_drawn_as_few_bars():
    many = [["lowering", 0.1 * n, 0.1] for n in range(5000)]
    assert sum(len(trace.x) for trace in timeline_figure(history(many)).data) < 50
    few = [["lowering", 0.1 * n, 0.1] for n in range(50)]
    assert sum(len(trace.x) for trace in timeline_figure(history(few)).data) == 50


def test_the_tree_counts_what_was_shared_and_what_that_saved():
    trials = [
        {"trial": 0, "stages": {"teacher": "t", "measuring": "m0", "training": "a"}, "seconds": {"training": 9.0}},
        {"trial": 1, "stages": {"teacher": "t", "training": "a", "measuring": "m1"}, "seconds": {"measuring": 2.0}},
        {"trial": 2, "stages": {"teacher": "t", "measuring": "m2"}, "seconds": {}},
    ]
    configurations = [{"trial": n, "configuration": {"student_width": w}} for n, w in enumerate((0.5, 0.5, 1.0))]
    document = {"history": {"trials": trials, "shared_times": [["teacher", 0, 4.0]]}, "all": configurations}
    tree = stage_tree(document)
    (teacher,) = tree.branches.values()
    training = next(node for node in teacher.branches.values() if node.stage == "training")
    assert (teacher.trials, training.trials, training.text) == ([0, 1, 2], [0, 1], "width=0.5")
    assert tree.saved_s == pytest.approx(2 * 4.0 + 9.0)
    assert summary(document) == (
        "The trials needed 8 stages; 5 were carried out, and 3 were shared, which would have taken 17 s more "
        "(8.0 s of it for the teacher)."
    )


def test_the_hypervolume_follows_the_order_in_which_trials_ended(document):
    document["course"] = [
        {"trial": n, "at": 2.0 * i, "hypervolume": v} for i, (n, v) in enumerate(((0, 0), (5, 0.5), (2, 0.7)))
    ]
    document["front"][0]["searched"] = {"speedup": 4.0}
    curve, final = hypervolume_figure(document, "trials").data
    assert (list(curve.x), list(curve.y)) == ([1, 2, 3], [0, 0.5, 0.7])
    assert (list(final.x), list(final.y), final.marker.symbol) == ([3], [0.87], "diamond")
    assert list(hypervolume_figure(document).data[0].x) == [0.0, 2.0, 4.0]


def test_the_slider_has_a_step_for_each_change_of_the_front_and_not_too_many(document, member):
    many = [{**member(n, 0.9 + n * 1e-4, 1.0 + n), "searched": None} for n in range(200)]
    course = [
        {"trial": n, "at": float(n), "hypervolume": 0.0, "front": [n] if n % 2 == 0 else None} for n in range(200)
    ]
    figure = front_history_figure({**document, "all": many, "course": course})
    steps = figure.layout.sliders[0].steps
    assert len(steps) == len(figure.frames) == MOST_STEPS
    assert list(figure.frames[0].data[1].x) == [1.0]
    assert list(figure.frames[-1].data[1].x) == [199.0]
    kept = json.loads(json.dumps(front_history(document, many, course).to_json()))
    assert draw_history(FrontHistory.from_json(kept)) == figure
    few = front_history_figure({**document, "all": many, "course": course[:5]})
    assert [step.label for step in few.layout.sliders[0].steps] == ["0.0 s", "2.0 s", "4.0 s"]
