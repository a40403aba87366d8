"""The report of a study: every section is there, whatever the study is like."""

import json
import re

import pytest

from dashboards.report.picture import FIGURES, drawn
from dashboards.report.report_html import report_html

SECTIONS = ["front", "winners", "measured", "choices", "explained", "course", "trials", "reproduce"]


def sections(page):
    return re.findall(r'<section id="([^"]*)"', page)


def figures(page):
    return json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])


def text(page):
    """What stands between the tags, without scripts and style."""
    plain = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", " ", plain)


def test_a_report_has_every_section_and_the_place_of_each_figure(report):
    page = report_html(report)
    assert sections(page) == SECTIONS
    assert set(re.findall(r'class="figure" id="([^"]*)"', page)) == set(figures(page))
    assert "frontrunner search study.yaml" in page
    assert "Fastest within one accuracy point of the baseline: trial 17" in text(page)
    assert "stopped: others did better" in text(page)
    assert "&lt;b&gt;no&lt;/b&gt;" in page


def test_three_objectives_have_a_matrix_of_trade_offs(report):
    report["objectives"] += [{"name": "size_mib", "direction": "minimize", "unit": "MiB"}]
    assert sections(report_html(report))[3] == "trade-offs"
    panels = drawn(report, "trade-offs").data
    assert {trace.name for trace in panels} == {"other trials", "front", "baseline"}
    assert len({trace.xaxis for trace in panels}) == 3


def feasible_by_none(report):
    report.update(front=[], knee=None, constraints=["speedup>=99"])


def one_trial(report):
    report.update(front=[], knee=None, all=report["all"][:1], trials=1, course=report["course"][:1])
    report["history"]["trials"] = report["history"]["trials"][:1]
    report["importance"] = {"speed": {"choices": {}, "trials": 1, "doubt": "nothing differs"}}


def all_failed(report):
    failed = [{**one, "measurement": None, "state": "failed", "failure": "no"} for one in report["all"]]
    report.update(front=[], knee=None, baseline=None, all=failed, course=[], hypervolume=0.0, importance={})
    for one in report["history"]["trials"]:
        one.update(state="failed", stages={}, accuracies={}, times=[])
    report["history"]["shared_times"] = []


def equal_points(report):
    same = {**report["baseline"]["measurement"]}
    for one in (*report["all"], *report["front"]):
        one["measurement"] = one["measurement"] and same


def one_objective(report):
    report["objectives"] = report["objectives"][1:]


def a_front_alone(report):
    for name in ("history", "course", "importance", "explanations", "commands", "off", "begun", "ended", "knee"):
        del report[name]


@pytest.mark.parametrize(
    "change", [feasible_by_none, one_trial, all_failed, equal_points, one_objective, a_front_alone]
)
def test_a_study_of_any_kind_has_a_report_and_every_figure(report, change):
    change(report)
    assert sections(report_html(report)) == SECTIONS
    for name in FIGURES:
        json.loads(drawn(report, name).to_json())


def test_a_name_of_any_kind_is_text_in_a_report(report):
    report["study"] = report["workload"] = "<script>alert(1)</script> 'it' \U0001f680"
    page = report_html(report)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert all("<script" not in drawn(report, name).layout.title.text for name in FIGURES)


def test_what_an_explanation_found_is_drawn(report, document):
    effect = {"ratio": 2.0, "ci95": [1.8, 2.2], "unstable": "", "significant": True}
    choices = [
        {"choice": name, "text": name, "same_artifact": False, "speed": effect, "accuracy": None, "figures": {}}
        for name in ("runtime", "student_width")
    ]
    pair = {"choices": ["runtime", "student_width"], "kinds": ["x", "x"], "synergy": effect, "reason": None}
    one = {"trial": 9, "text": "narrow", "together": effect, "remainder": 0.5, "choices": choices, "pairs": [pair]}
    report["explanations"] = [one]
    assert {"waterfall-9", "synergy-9"} <= set(figures(report_html(report)))
    report["explanations"] = [{**one, "pairs": []}]
    assert "synergy-9" not in figures(report_html(report))
