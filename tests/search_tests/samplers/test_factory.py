"""Whatever `--sampler` names proposes each configuration once, and ends with a word when all are tried."""

from pathlib import Path
from typing import get_args

import pytest
from search_tests.simulation import OBJECTIVES, Log, make_chains, make_runner, open_table_study

from search.driver.driver import Driver
from search.driver.search_context import SearchContext
from search.objectives.trial_targets import TrialTargets
from search.request.study_request import StudyRequest
from search.samplers.factory import SAMPLERS, make_sampler
from search.study.study import records
from spaces.configuration import Configuration

SMALL = {"student_width": [1.0, 0.5], "numeric_precision": "all", "runtime": "all"}
SIZE = 14


def search(name: str, trials: int, folder: Path | None = None, first: tuple[Configuration, ...] = ()) -> Log:
    chains, log, targets = make_chains(SMALL), Log(), TrialTargets(OBJECTIVES, ())
    study = open_table_study(folder, chains.space)
    study.sampler = make_sampler(name, study, chains.space, targets, 3, first)
    Driver(SearchContext(study, make_runner(workers=2), chains, OBJECTIVES, (), log), targets, trials).run()
    return log


def test_the_names_are_those_that_may_be_asked_for() -> None:
    assert set(SAMPLERS) == set(get_args(StudyRequest.model_fields["sampler"].annotation))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_space_is_tried_to_its_end_without_a_repeat_and_a_word_says_so(name: str) -> None:
    log = search(name, 100)
    assert len(log.ended) == SIZE
    assert {trial.configuration for trial in log.ended} == set(make_chains(SMALL).space.configurations())
    assert log.notes == [f"every configuration of the space has been tried, after {SIZE} trials"]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_study_that_goes_on_repeats_nothing(name: str, tmp_path: Path) -> None:
    for trials in (5, 9, SIZE):
        search(name, trials, tmp_path)
    trials_of = records(open_table_study(tmp_path, make_chains(SMALL).space))
    assert len({trial.configuration for trial in trials_of}) == len(trials_of) == SIZE


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_a_study_shall_begin_with_comes_after_the_baseline(name: str) -> None:
    space = make_chains(SMALL).space
    wanted = list(space.configurations())[-3:]
    log = search(name, 6, first=(wanted[0], space.baseline(), *wanted[1:]))
    chosen = [trial.configuration for trial in sorted(log.ended, key=lambda trial: trial.number)]
    assert chosen[:4] == [space.baseline(), *wanted]
    assert len(set(chosen)) == 6
