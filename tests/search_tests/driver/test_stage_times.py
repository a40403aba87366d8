"""When stages ran is kept: with the trial, with the candidate that was timed untrained, and with the study."""

import time

import pytest
from search_tests.driver.test_screening import LARGE, kept, recording, training_takes
from search_tests.simulation import drive, make_chains, open_table_study

from search.study.attributes import SECONDS, STUDY_TIMES, TIMES


def test_every_stage_that_ran_has_its_time_once() -> None:
    chains = make_chains(LARGE)
    study = open_table_study(None, chains.space)
    before = time.time()
    drive(study, recording(training_takes(10.0)), chains, 6)
    for trial in study.get_trials():
        took: dict[str, float] = {}
        for stage, began, seconds in trial.user_attrs[TIMES]:
            took[stage] = took.get(stage, 0.0) + seconds
            assert before - 11 < began + seconds < time.time() + 1
        assert took == pytest.approx(trial.user_attrs[SECONDS])
    assert all(sum(s for _, _, s in one["times"]) == pytest.approx(one["seconds"]) for one in kept(study).values())
    assert {stage for stage, _, _ in study.user_attrs[STUDY_TIMES]} == {"teacher", "calibrating"}
