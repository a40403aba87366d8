"""The figures that a candidate's stages hand on."""

import json
from dataclasses import replace

from runners.measuring.candidate_figures import CandidateFigures

TEACHER = CandidateFigures(macs=7, parameters=3, train_seconds=0.0, teacher_seconds=2.5)


def test_what_is_not_known_yet_is_left_out_and_what_is_known_comes_back() -> None:
    assert TEACHER.to_json() == {"macs": 7, "parameters": 3, "train_seconds": 0.0, "teacher_seconds": 2.5}
    lowered = replace(TEACHER, accuracy_ci95=[0.8, 0.9], runtime="eager")
    assert CandidateFigures.from_json(json.loads(json.dumps(lowered.to_json()))) == lowered


def test_figures_that_are_of_no_use_to_a_stage_are_no_error() -> None:
    assert CandidateFigures.from_json({**TEACHER.to_json(), "seen": 1}) == TEACHER
