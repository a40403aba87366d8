"""A metric of which less is better, in a unit of its own, through a whole simulated search and what is shown of it."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from rich.console import Console
from search_tests.simulation import FACTS, MACHINE, Log, measurement

from dashboards.figures.front_figure import draw
from dashboards.figures.front_points import front_points
from dashboards.front_table import render
from dashboards.headline import headline
from runners.chains.chain import Chains
from runners.executors.simulated import SimulatedRunner
from runners.metric import ACCURACY, QualityMetric
from runners.quality.answers import Answers
from search.commands.export import pick_trial
from search.commands.hints import after_search
from search.driver.baseline import time_baseline
from search.driver.driver import Driver
from search.driver.final_measurement import measure_front
from search.driver.search_context import SearchContext
from search.front.front_document import front_document, trial_documents
from search.objectives.constraint import Constraint
from search.objectives.dominance import certainly_better, dominates
from search.objectives.loss_table import TOLERATED_DROP, loss_table, losses
from search.objectives.objective import find_objectives
from search.objectives.trial_targets import TrialTargets
from search.request.locations import Locations
from search.request.read_request import merge
from search.samplers.factory import make_sampler
from search.study.study import StudySettings, make_study
from spaces.configuration import Configuration
from spaces.space_document import make_space

RMSE = QualityMetric("rmse", higher_is_better=False, unit="K")
KELVIN = replace(FACTS, metric="rmse", higher_is_better=False, metric_unit="K")
OBJECTIVES = find_objectives(["accuracy", "speedup"], RMSE)
BASELINE = measurement(2.0, 1.0)


def errors(configuration: Configuration) -> Mapping[str, Any]:
    """The teacher has 1.9 K; half the width is 0.1 % worse and twice as fast, a quarter 40 % worse and five times."""
    width = float(configuration["student_width"])
    error, speedup = {1.0: (1.9, 1.0), 0.5: (1.902, 2.0), 0.25: (2.66, 5.0)}[width]
    ends = {"accuracy_ci95": (error - 0.0005, error + 0.0005)}
    return measurement(error, speedup * (2.0 if configuration["runtime"] == "onnxruntime" else 1.0), **ends)


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    """A finished search among the six configurations."""
    space = make_space({"student_width": [1.0, 0.5, 0.25], "runtime": ["eager", "onnxruntime"]}, MACHINE)
    settings = StudySettings("table", {}, ("accuracy", "speedup"), (), 0, MACHINE.device, "f" * 64)
    made = make_study(optuna.storages.InMemoryStorage(), "s", OBJECTIVES, settings, MACHINE, KELVIN)
    log, targets = Log(), TrialTargets(OBJECTIVES, (), RMSE)
    chains = Chains(space, KELVIN, "table", 0)
    search = SearchContext(made, SimulatedRunner(MACHINE, KELVIN, errors), chains, OBJECTIVES, (), log)
    time_baseline(search, (1,))
    made.sampler = make_sampler("gain", made, space, targets, 0)
    Driver(search, targets, 6).run()
    measure_front(search)
    return made


@pytest.fixture(scope="module")
def searched(study: optuna.Study) -> dict[str, Any]:
    """Its front document."""
    return front_document(study)


def test_a_document_says_what_the_metric_is_and_the_objective_how_it_is_better(
    searched: dict[str, Any],
) -> None:
    assert RMSE.to_json().items() <= searched.items()
    assert searched["objectives"][0] == {"name": "accuracy", "direction": "minimize", "unit": "K"}
    assert find_objectives(["accuracy_drop"], RMSE)[0].to_json() == {
        "name": "accuracy_drop",
        "direction": "minimize",
        "unit": "K",
    }


def test_a_search_finds_the_fast_and_the_accurate_ones(searched: dict[str, Any], study: optuna.Study) -> None:
    found = [(m["measurement"]["accuracy"], m["measurement"]["speedup"]) for m in searched["front"]]
    assert found == [(2.66, 10.0), (1.902, 4.0), (1.9, 2.0)]
    drops = [m["measurement"]["accuracy_drop"] for m in searched["front"]]
    assert drops == pytest.approx([0.76, 0.002, 0.0]), "positive is worse"
    assert searched["front"][0]["measurement"]["accuracy_drop_share"] == pytest.approx(0.4)
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]


def test_what_is_picked_for_export_and_proposed_after_a_search(searched: dict[str, Any], study: optuna.Study) -> None:
    def picked(pick: str, *within: str) -> float:
        bounds = [Constraint.parse(text) for text in within]
        accuracy: float = pick_trial(searched, trial_documents(study), pick, bounds)["measurement"]["accuracy"]
        return accuracy

    assert (picked("fastest"), picked("most-accurate"), picked("knee")) == (2.66, 1.9, 1.902)
    assert picked("fastest", "accuracy_drop<=0.05") == picked("fastest", "accuracy_drop_share<=0.01") == 1.902
    assert picked("fastest", "accuracy<=1.901") == 1.9
    assert "--pick fastest --within 'accuracy_drop_share<=0.01'" in after_search(searched, Locations())[1]


def test_what_is_printed_has_the_name_and_the_unit_and_no_percent(searched: dict[str, Any]) -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(render(searched, 160))
    shown = out.getvalue()
    assert " rmse " in shown
    assert "1.902 K" in shown
    assert "190" not in shown
    assert headline(searched).startswith("fastest within 1 % of the baseline's rmse: trial ")
    assert "1.902 K against 1.9 K" in headline(searched)


def test_the_figure_says_that_less_is_better_and_its_line_passes_through_the_front(searched: dict[str, Any]) -> None:
    points = front_points(searched, searched["front"])
    assert (points.x.name, points.y.name, points.y.direction) == ("speedup", "accuracy", "minimize")
    assert {point.y for point in points.points if point.line} == {2.66, 1.902, 1.9}
    layout = draw(points).layout
    assert layout.yaxis.title.text == "rmse, K (less is better)"
    assert layout.yaxis.type is None, "differences count, not ratios"


def test_a_time_budget_alone_bounds_it_by_a_share_of_the_baselines_value() -> None:
    def bounds(**asked: Any) -> list[str]:
        return [str(bound) for bound in merge({}, {"time_budget": "5m", **asked}).for_metric(RMSE).constraints]

    assert bounds() == ["accuracy_drop_share<=0.01"]
    assert bounds(constraints=["macs<=9"]) == ["macs<=9", "accuracy_drop_share<=0.01"]
    assert bounds(constraints=["accuracy_drop<=0.01"]) == ["accuracy_drop<=0.01"], "in K, as it was asked for"
    assert str(merge({}, {"time_budget": "5m"}).for_metric(ACCURACY).constraints[0]) == "accuracy_drop<=0.01"


def test_the_loss_is_0_at_the_baselines_value_and_1_at_the_tolerated_drop_beyond() -> None:
    def loss(value: float) -> float:
        return float(losses(OBJECTIVES, measurement(value, 1.0), BASELINE)[0])

    assert loss(2.0) == 0
    assert loss(2.0 * (1 + TOLERATED_DROP)) == pytest.approx(1.0)
    assert loss(1.9) < 0 < loss(2.1) < 1
    rate = find_objectives(["accuracy"], QualityMetric("error_rate", higher_is_better=False))
    assert losses(rate, measurement(0.0, 1.0), measurement(0.1, 1.0)) == [0.0]
    assert losses(rate, measurement(0.2, 1.0), measurement(0.1, 1.0)) == pytest.approx([1.0])


def test_dominance_and_ties_use_pairs_in_the_direction_of_the_metric() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 400)
    answers = [Answers.of_resampled(value + noise, 500, "measured") for value in (2.0, 1.95, 1.951)]
    wide = {"accuracy_ci95": (1.0, 3.0)}
    rows = [measurement(value, 1.0, **wide) for value in (2.0, 1.95, 1.951)]
    table = loss_table(OBJECTIVES, rows, BASELINE, 0.0, answers)
    assert certainly_better(table, 1, 0)[0].tolist() == [True, False], "1.95 K is certainly better than 2 K"
    assert not certainly_better(table, 0, 1).any()
    assert dominates(table, 1, 0)[0]
    assert not certainly_better(table, 1, 2).any(), "one thousandth cannot be told"


def test_a_trial_that_was_stopped_is_expected_to_improve_downwards() -> None:
    targets = TrialTargets(OBJECTIVES, (), RMSE)
    targets.add_complete(0, BASELINE, {})
    targets.add_complete(1, measurement(1.8, 2.0), {1: 3.0, 4: 1.8})
    targets.add_complete(2, measurement(1.9, 2.0), {1: 2.5, 4: 1.9})
    found = targets.extrapolate({"speedup": 3.0}, {1: 2.8})
    assert found["accuracy"] == pytest.approx(2.8 - 0.6), "the smallest improvement that any trial made"
    assert found["accuracy_drop"] == pytest.approx(0.2)
    assert found["accuracy_drop_share"] == pytest.approx(0.1)
