"""A search keeps what each trial answered, and tells the drop in accuracy and the ties from the paired differences."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from search_tests.simulation import OBJECTIVES, Log, drive, make_chains, make_runner, open_table_study, table

from runners.quality.answers import Answers
from runners.quality.paired_difference import difference_ci95
from search.driver.accuracy_drop import drop_figures
from search.driver.final_measurement import measure_front
from search.driver.search_context import SearchContext
from search.front import front_document as front_document_module
from search.front.front_document import front_document
from search.study.study import final_answers_of, records
from spaces.configuration import Configuration

HARD = {split: np.random.default_rng(seed).random(400) for seed, split in enumerate(("validation", "test"))}


def answering(configuration: Configuration) -> Mapping[str, Any]:
    """The table, with vague speeds, and answers of its accuracy: what is hard for one candidate is hard for all."""
    figures = dict(table(configuration))
    random = np.random.default_rng(int(1e6 * figures["speedup"]))
    correct = {
        split: hard + random.normal(0, 0.001, 400) < figures["accuracy"] - 0.01 * (split == "test")
        for split, hard in HARD.items()
    }
    accuracy, test = (float(correct[split].mean()) for split in ("validation", "test"))
    return {
        **figures,
        "speedup_ci95": [figures["speedup"] / 1.5, 1.5 * figures["speedup"]],
        "accuracy": accuracy,
        "accuracy_ci95": [accuracy - 0.02, min(1.0, accuracy + 0.02)],
        "accuracy_test": test,
        "accuracy_test_ci95": [test - 0.02, min(1.0, test + 0.02)],
        "answers": {split: Answers.of_correct(one).to_json() for split, one in correct.items()},
    }


def searched(folder: Path | None = None, trials: int = 20, of: Any = answering) -> SearchContext:
    chains = make_chains()
    study, runner = open_table_study(folder, chains.space), make_runner(of=of)
    drive(study, runner, chains, trials)
    return SearchContext(study, runner, chains, OBJECTIVES, (), Log())


def front_without_answers(study: optuna.Study) -> list[dict[str, Any]]:
    """The front as it would be had the study kept no answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(front_document_module, "answers_of", lambda trial: None)
        patch.setattr(front_document_module, "final_answers_of", lambda attributes, split="validation": {})
        front: list[dict[str, Any]] = front_document(study)["front"]
        return front


def test_each_trial_has_its_answers_and_the_interval_of_its_drop() -> None:
    baseline, *others = records(searched().study)
    assert baseline.answers is not None
    assert baseline.measurement is not None
    assert (baseline.measurement["accuracy_drop"], baseline.measurement["accuracy_drop_ci95"]) == (0.0, None)
    assert others
    for trial in others:
        assert trial.answers is not None
        assert trial.measurement is not None
        low, high = trial.measurement["accuracy_drop_ci95"]
        assert low <= trial.measurement["accuracy_drop"] <= high
        assert (low, high) == pytest.approx(difference_ci95(baseline.answers, trial.answers))
        assert "answers" not in trial.measurement


def test_a_driver_that_goes_on_compares_with_the_answers_of_the_baseline(tmp_path: Path) -> None:
    searched(tmp_path, trials=3)
    latest = records(searched(tmp_path, trials=8).study)[7]
    assert latest.measurement is not None
    assert latest.measurement["accuracy_drop_ci95"] is not None


def test_the_final_measurement_has_the_drop_on_both_splits() -> None:
    search = searched()
    measure_front(search)
    document = json.loads(json.dumps(front_document(search.study)))
    baseline, members = document["baseline"]["measurement"], document["front"]
    assert (baseline["accuracy_test_drop"], baseline["accuracy_test_drop_ci95"]) == (0.0, None)
    tested = final_answers_of(search.study.user_attrs, "test")
    assert tested.keys() >= {member["trial"] for member in members}
    for number, figures in ((member["trial"], member["measurement"]) for member in members if member["trial"]):
        assert figures["accuracy_test_drop"] == pytest.approx(baseline["accuracy_test"] - figures["accuracy_test"])
        assert figures["accuracy_test_drop_ci95"] == pytest.approx(difference_ci95(tested[0], tested[number]))
    assert "answers" not in json.dumps(document)


@pytest.mark.parametrize("ties", ["ties", "ties_test"])
def test_pairs_leave_fewer_ties_among_the_final_members(ties: str) -> None:
    search = searched()
    measure_front(search)
    paired, unpaired = front_document(search.study)["front"], front_without_answers(search.study)
    assert sum(len(member[ties]) for member in paired) < sum(len(member[ties]) for member in unpaired)


def test_a_study_that_kept_no_answers_has_drops_without_intervals() -> None:
    search = searched(of=table)
    measure_front(search)
    document = front_document(search.study)
    assert all(member["measurement"]["accuracy_drop_ci95"] is None for member in document["front"])
    assert all(member["ties_test"] is None for member in document["front"])


def test_what_only_one_of_the_two_has_is_not_compared() -> None:
    both, validation = {"accuracy": 0.9, "accuracy_test": 0.8}, {"accuracy": 0.95}
    assert drop_figures(both, validation, {}, {}) == {
        "accuracy_drop": pytest.approx(0.05),
        "accuracy_drop_share": pytest.approx(0.05 / 0.95),
        "accuracy_drop_ci95": None,
    }


def test_an_interval_holds_its_drop() -> None:
    values = np.random.default_rng(0).normal(0.9, 0.001, 400)
    ours, theirs = (Answers.of_resampled(values + shift, 10_000) for shift in (0.0, 0.001))
    found = drop_figures({"accuracy": 0.9}, {"accuracy": 0.91}, {"validation": ours}, {"validation": theirs})
    assert found["accuracy_drop_ci95"][1] == found["accuracy_drop"] == pytest.approx(0.01)
