"""Two fronts against each other, within their intervals."""

import json

import pytest
from search_tests.simulation import OBJECTIVES

from search.front.comparison import Front, compare


def figures(speedup, accuracy, spread=0.02, accuracy_spread=0.001):
    return {
        "speedup": speedup,
        "speedup_ci95": [speedup * (1 - spread), speedup * (1 + spread)],
        "accuracy": accuracy,
        "accuracy_ci95": [accuracy - accuracy_spread, accuracy + accuracy_spread],
    }


BASELINE = figures(1.0, 0.98)


def front(name, **members):
    return Front(name, list(members), list(members.values()), BASELINE)


def test_a_member_is_beaten_where_another_is_certainly_better_and_nowhere_worse():
    a = front("a", fast=figures(20, 0.95), slow=figures(5, 0.97))
    b = front("b", faster=figures(30, 0.955), near=figures(5.05, 0.97))
    document = json.loads(json.dumps(compare(a, b, OBJECTIVES), allow_nan=False))
    (fast, slow), (faster, near) = (one["members"] for one in document["fronts"])
    assert (fast["beaten_by"], fast["tied"]) == (["faster"], [])
    assert (slow["beaten_by"], slow["tied"]) == ([], ["near"])
    assert faster["beaten_by"] == near["beaten_by"] == []
    assert document["fronts"][1]["hypervolume"] > document["fronts"][0]["hypervolume"]


def test_where_either_is_faster_is_told_only_where_the_intervals_are_apart():
    a = front("a", fast=figures(20, 0.95), slow=figures(5, 0.97))
    b = front("b", near=figures(5.05, 0.97), other=figures(10, 0.96))
    where = compare(a, b, OBJECTIVES)["where"]
    assert [(one["accuracy"], one["fastest"], one["faster"]) for one in where] == [
        (0.97, ["slow", "near"], None),
        (0.96, ["slow", "other"], "b"),
        (0.95, ["fast", "other"], "a"),
    ]


def test_a_coarse_resolution_makes_a_difference_insignificant():
    a, b = front("a", one=figures(5, 0.97, 0.001)), front("b", two=figures(5.2, 0.97, 0.001))
    assert compare(a, b, OBJECTIVES)["where"][0]["faster"] == "b"
    coarse = Front("b", b.members, b.measurements, BASELINE, resolution=0.1)
    assert compare(a, coarse, OBJECTIVES)["where"][0]["faster"] is None


def test_points_without_a_baseline_are_compared_too():
    a, b = (Front(n, [n], [figures(speed, 0.9)]) for n, speed in (("a", 2), ("b", 4)))
    document = compare(a, b, OBJECTIVES)
    assert document["fronts"][0]["members"][0]["beaten_by"] == ["b"]
    assert document["fronts"][0]["hypervolume"] == pytest.approx(0.5 * document["fronts"][1]["hypervolume"] / 0.75)
