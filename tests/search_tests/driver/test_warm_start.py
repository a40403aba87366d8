"""A new study makes use of an earlier one: its front first, and of its figures what holds here."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from search_tests.simulation import (
    CHOICES,
    FACTS,
    MACHINE,
    OBJECTIVES,
    Log,
    drive,
    make_chains,
    make_runner,
    open_table_study,
    table,
)

from search.driver.driver import Driver
from search.driver.search_context import SearchContext
from search.driver.warm_start import EarlierStudy, load_earlier_study
from search.front.front_document import front_document
from search.objectives.trial_targets import TrialTargets
from search.samplers.factory import make_sampler
from search.study.study import StudySettings, make_study, records
from spaces.configuration import Configuration
from spaces.errors import RequestError
from spaces.space_document import make_space

TRIALS = 20


@pytest.fixture
def before(tmp_path: Path) -> optuna.Study:
    """An earlier study of the table."""
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    drive(study, make_runner(), chains, TRIALS)
    return study


def earlier(before: optuna.Study, device: str = MACHINE.device, choices: Mapping[str, Any] = CHOICES) -> EarlierStudy:
    return load_earlier_study(before._storage, "table", make_chains(choices).space, device, FACTS.fingerprint)


def search_after(
    before: optuna.Study, known: EarlierStudy, trials: int, choices: Mapping[str, Any] = CHOICES
) -> tuple[optuna.Study, Log]:
    """A second study in the same storage that begins with what is known."""
    chains, log, targets = make_chains(choices), Log(), TrialTargets(OBJECTIVES, ())
    settings = StudySettings("table", choices, ("accuracy", "speedup"), (), 1, MACHINE.device, FACTS.fingerprint)
    study = make_study(before._storage, "second", OBJECTIVES, settings, MACHINE, FACTS)
    study.sampler = make_sampler("gain", study, chains.space, targets, 1, known.front)
    search = SearchContext(study, make_runner(), chains, OBJECTIVES, (), log)
    Driver(search, targets, trials, earlier=known).run()
    return study, log


def test_on_the_same_machine_all_figures_hold(before: optuna.Study) -> None:
    known = earlier(before)
    assert known.figures == {trial.configuration: trial.measurement for trial in records(before)}
    assert len(known.figures) == TRIALS


def test_the_front_comes_fastest_first(before: optuna.Study) -> None:
    front = [Configuration(member["configuration"]) for member in front_document(before)["front"]]
    assert list(earlier(before).front) == front
    speeds = [table(configuration)["speedup"] for configuration in front]
    assert speeds == sorted(speeds, reverse=True)
    assert len(front) > 2


def test_on_another_machine_accuracies_hold_and_speeds_do_not(before: optuna.Study) -> None:
    known = earlier(before, device="another table")
    assert known.front == earlier(before).front
    assert set(known.figures) == set(earlier(before).figures)
    timed = ("speedup", "latency_p50_ms", "latency_p90_ms", "throughput_per_s", "load_ms", "peak_memory_mib")
    for configuration, figures in known.figures.items():
        assert figures["accuracy"] == table(configuration)["accuracy"]
        assert figures["size_mib"] == table(configuration)["size_mib"]
        assert not set(timed) & set(figures)
    targets = TrialTargets(OBJECTIVES, ())
    targets.baseline = records(before)[0].measurement or {}
    columns = np.array([targets.of_measurement(figures) for figures in known.figures.values()])
    assert np.isfinite(columns[:, 0]).all()
    assert np.isnan(columns[:, 1]).all()


def test_speeds_beside_a_baseline_of_another_number_of_threads_do_not_hold(before: optuna.Study) -> None:
    choices = {**CHOICES, "threads": [1, 2]}
    space = make_space(choices, replace(MACHINE, baseline_threads=2))
    known = load_earlier_study(before._storage, "table", space, MACHINE.device, FACTS.fingerprint)
    assert set(known.figures) == set(earlier(before).figures)
    assert not any("speedup" in figures for figures in known.figures.values())
    before.set_user_attr("baseline", {"threads": 2, "by_threads": {}})
    known = load_earlier_study(before._storage, "table", space, MACHINE.device, FACTS.fingerprint)
    assert all("speedup" in figures for figures in known.figures.values())


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_the_new_space_does_not_offer_is_left_out(before: optuna.Study, runtime: str) -> None:
    known = earlier(before, choices={**CHOICES, "runtime": ["eager", runtime]})
    assert 0 < len(known.figures) < TRIALS
    assert {c["runtime"] for c in known.figures} == {"eager", runtime}
    assert set(known.front) <= set(known.figures)


def test_a_workload_with_other_data_is_refused_in_one_sentence(before: optuna.Study) -> None:
    with pytest.raises(RequestError, match=r"^--from table: its workload has other data or other code.*leave --from"):
        load_earlier_study(before._storage, "table", make_chains().space, MACHINE.device, "e" * 64)


def test_a_study_that_there_is_not_is_refused_with_those_that_there_are(before: optuna.Study) -> None:
    with pytest.raises(RequestError, match=r"^no study is called 'tabel'; there are table \(did you mean 'table'\?\)$"):
        load_earlier_study(before._storage, "tabel", make_chains().space, MACHINE.device, FACTS.fingerprint)


@pytest.mark.parametrize("device", [MACHINE.device, "another table"])
def test_a_new_study_tries_the_old_front_after_the_baseline(before: optuna.Study, device: str) -> None:
    known = earlier(before, device)
    baseline = make_chains().space.baseline()
    first = [configuration for configuration in known.front if configuration != baseline]
    study, log = search_after(before, known, 1 + len(first) + 6)
    assert [trial.configuration for trial in records(study)][: 1 + len(first)] == [baseline, *first]
    assert len({trial.configuration for trial in records(study)}) == 1 + len(first) + 6
    assert {trial.state for trial in log.ended} == {"complete"}
    assert log.volumes[len(first)] >= front_document(before)["hypervolume"] - 1e-9


def test_of_what_is_known_on_this_machine_the_best_is_tried_and_the_hopeless_is_not(before: optuna.Study) -> None:
    known = earlier(before)
    beaten = set(known.figures) - set(known.front)
    study, _ = search_after(before, EarlierStudy((), known.figures), 16)
    chosen = {trial.configuration for trial in records(study)[9:]}  # after those that begin every study
    assert len(chosen & beaten) <= 1
