"""How a study went, from what a driver kept of it."""

import json
from pathlib import Path

import pytest
from search_tests.simulation import drive, make_chains, make_runner, open_table_study

from search.front.front_document import front_document
from search.front.history import history


@pytest.fixture(scope="module")
def study():
    chains = make_chains()
    made = open_table_study(None, chains.space)
    drive(made, make_runner(), chains, 7)
    return made


def test_every_trial_has_its_times_and_those_that_share_a_stage_have_its_key(study) -> None:
    document = json.loads(json.dumps(history(study), allow_nan=False))
    trials = document["trials"]
    assert [one["trial"] for one in trials] == list(range(7))
    assert all(one["state"] == "complete" and 0 <= one["began"] <= one["ended"] for one in trials)
    assert {stage for stage, _, _ in document["shared_times"]} == {"teacher", "calibrating"}
    assert len({one["stages"]["teacher"] for one in trials}) == 1, "all begin with one teacher"
    assert len({one["stages"]["measuring"] for one in trials}) == 7
    ran = {stage for one in trials for stage, _, _ in one["times"]}
    assert {"lowering", "measuring"} <= ran <= {*trials[0]["stages"], "transforming", "training", "quantising"}


def test_a_study_without_trials_has_a_history(tmp_path: Path) -> None:
    assert history(open_table_study(None, make_chains().space)) == {"trials": [], "screened": [], "shared_times": []}


def test_the_front_document_says_when_and_names_the_knee(study) -> None:
    document = front_document(study)
    assert document["begun"] <= document["ended"]
    assert document["knee"] in {member["trial"] for member in document["front"]}
