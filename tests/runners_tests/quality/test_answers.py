"""Answers come back from JSON as they were, stay small, and are refused where they are damaged."""

import json
from typing import Any

import numpy as np
import pytest

from runners.quality.answers import RESAMPLES, Answers, answers_of_stage
from runners.quality.quality import MOST_ANSWERS

CORRECT = Answers.of_correct(np.random.default_rng(0).random(361) < 0.9)
RESAMPLED = Answers.of_resampled(np.linspace(0.8, 0.9, RESAMPLES), 361)


@pytest.mark.parametrize("answers", [CORRECT, RESAMPLED], ids=["correct", "resampled"])
def test_they_come_back_from_json(answers: Answers) -> None:
    assert Answers.from_json(json.loads(json.dumps(answers.to_json()))) == answers
    assert answers_of_stage({"answers": {"test": answers.to_json()}}) == {"test": answers}


def test_a_stage_that_kept_none_has_none() -> None:
    assert answers_of_stage({"accuracy": 0.9}) == {}


def test_the_most_answers_that_are_kept_of_two_splits_fit_into_a_text_of_mysql() -> None:
    many = Answers.of_correct(np.random.default_rng(0).random(MOST_ANSWERS) < 0.8).to_json()
    assert len(json.dumps({"validation": many, "test": many})) < 2**16
    assert len(json.dumps(RESAMPLED.to_json())) < 2**16 / 2


def test_the_bits_are_those_of_the_examples_in_their_order() -> None:
    correct = np.array([True, False, True, True, False, False, False, False, True])
    assert np.unpackbits(Answers.of_correct(correct).array, count=9).astype(bool).tolist() == correct.tolist()


def test_resamples_that_were_not_drawn_or_gave_no_number_are_nan() -> None:
    values = Answers.of_resampled(np.array([0.5, np.inf, np.nan]), 9).array
    assert len(values) == RESAMPLES
    assert np.flatnonzero(np.isfinite(values)).tolist() == [0]


def test_only_answers_of_one_kind_to_as_many_examples_are_paired() -> None:
    assert CORRECT.can_be_paired_with(Answers.of_correct(np.ones(361, dtype=bool)))
    assert not CORRECT.can_be_paired_with(RESAMPLED)
    assert not CORRECT.can_be_paired_with(Answers.of_correct(np.ones(362, dtype=bool)))


@pytest.mark.parametrize(
    "wrong",
    [{"examples": 400}, {"kind": "guessed"}, {"data": "not base 64!"}, {"data": None}, {"kind": "resampled"}],
    ids=str,
)
def test_damaged_answers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Answers.from_json({**CORRECT.to_json(), **wrong})
