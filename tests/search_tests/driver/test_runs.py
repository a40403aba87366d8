"""What follows when a stage of a screening or of a trial ends."""

from typing import Any

import optuna
import pytest
from search_tests.simulation import CHOICES, MACHINE, OBJECTIVES, measurement

from runners.chains.chain import Chains
from runners.runner import FailureKind, StageOutcome, WorkloadFacts
from search.driver.early_stopping import EarlyStopping
from search.driver.runs import (
    TRAINING,
    Failed,
    Finished,
    NextStage,
    Run,
    ScreeningRun,
    Stopped,
    TrialRun,
    Unscreened,
)
from search.driver.successive_halving import levels_of
from search.objectives.constraint import Constraint
from search.objectives.trial_targets import TrialTargets
from spaces.configuration import Configuration
from spaces.space_document import make_space

CHAINS = Chains(
    make_space(CHOICES, MACHINE), WorkloadFacts("table", "f" * 64, training={"epochs": 3}), "table", 0, levels_of
)
NARROW = Configuration({**CHAINS.space.baseline(), "student_width": 0.5})
DONE = StageOutcome({}, seconds=1.0)
SCREENING = ["teacher", "transforming", "settling", "lowering", "measuring"]
TRAINED = ["teacher", "transforming", TRAINING, TRAINING, TRAINING, "lowering", "measuring"]


def stopping_with(*constraints: str) -> EarlyStopping:
    targets = TrialTargets(OBJECTIVES, [Constraint.parse(text) for text in constraints])
    targets.add_complete(0, measurement(0.98, 1.0), {})
    return EarlyStopping(targets)


def trial_run(*, screened: bool) -> TrialRun:
    study = optuna.create_study(directions=["maximize", "maximize"])
    return TrialRun(study.ask(), NARROW, CHAINS, screened=screened)


def timed(speedup: float, unstable: str = "") -> StageOutcome:
    """The outcome of a measurement without accuracy."""
    figures = {n: f for n, f in measurement(0.9, speedup, unstable=unstable).items() if not n.startswith("accuracy")}
    return StageOutcome(figures, seconds=1.0)


def follow(run: Run, outcome: StageOutcome, stopping: EarlyStopping | None = None) -> Any:
    return run.follow(outcome) if isinstance(run, ScreeningRun) else run.follow(outcome, stopping or stopping_with())


def to_the_end(run: Run, speedup: float = 2.0) -> tuple[list[str], Any]:
    """The stages of ``run``, none of which fails, and its last step."""
    stages = []
    while True:
        stages.append(run.task.stage)
        step = follow(run, timed(speedup) if run.task.stage == "measuring" else level_or_done(run))
        if not isinstance(step, NextStage):
            return stages, step


def level_or_done(run: Run) -> StageOutcome:
    if run.task.stage != TRAINING:
        return DONE
    return StageOutcome({"epochs": run.task.settings["to_epoch"], "accuracy": 0.9}, seconds=2.0)


def to_the_last_stage_of_its_screening(run: Run) -> None:
    while run.task.stage != "measuring":
        assert follow(run, DONE) == NextStage()


def test_a_screening_ends_with_its_figures_and_its_seconds() -> None:
    run = ScreeningRun(NARROW, CHAINS.screening(NARROW))
    assert run.number is None
    stages, step = to_the_end(run, 3.0)
    assert stages == SCREENING
    assert isinstance(step, Finished)
    assert step.result["speedup"] == 3.0
    assert run.seconds == dict.fromkeys(SCREENING, 1.0)


def test_what_came_from_the_store_took_no_time() -> None:
    run = ScreeningRun(NARROW, CHAINS.screening(NARROW))
    follow(run, StageOutcome({}, seconds=1.0, from_store=True))
    follow(run, DONE)
    assert run.seconds == {"transforming": 1.0}


@pytest.mark.parametrize("screened", [False, True])
def test_a_stage_that_fails_ends_a_screening_and_a_trial(screened: bool) -> None:
    run = ScreeningRun(NARROW, CHAINS.screening(NARROW)) if screened else trial_run(screened=False)
    follow(run, DONE)
    assert follow(run, StageOutcome({}, failure="transforming: refused")) == Failed("transforming: refused")


def test_a_trial_that_is_not_screened_is_trained_and_then_measured() -> None:
    run = trial_run(screened=False)
    stages, step = to_the_end(run)
    assert stages == TRAINED
    assert isinstance(step, Finished)
    assert run.speed is None
    assert run.training.accuracies == {1: 0.9, 2: 0.9, 3: 0.9}
    assert run.seconds[TRAINING] == 6.0
    assert run.keys == {task.stage: task.key for task in CHAINS.chain(NARROW)}


def test_a_trial_that_is_screened_is_timed_then_trained_and_then_evaluated() -> None:
    run = trial_run(screened=True)
    stages, step = to_the_end(run)
    assert stages == [*SCREENING, *TRAINED]
    assert isinstance(step, Finished)
    assert (run.speed or {})["speedup"] == 2.0
    assert run.keys["measuring"] == CHAINS.chain(NARROW, screened=True)[-1].key


def test_a_trial_is_stopped_where_its_screening_misses_a_constraint() -> None:
    run = trial_run(screened=True)
    to_the_last_stage_of_its_screening(run)
    assert follow(run, timed(2.0), stopping_with("speedup>=3")) == Stopped("not trained: it misses speedup>=3 with 2")


def test_a_trial_whose_screening_fails_goes_on_as_one_that_is_not_screened() -> None:
    run = trial_run(screened=True)
    to_the_last_stage_of_its_screening(run)
    assert follow(run, StageOutcome({}, failure="an operator is missing")) == Unscreened("an operator is missing")
    stages, step = to_the_end(run)
    assert stages == TRAINED
    assert isinstance(step, Finished)
    assert run.speed is None
    assert run.training.accuracies == {1: 0.9, 2: 0.9, 3: 0.9}
    assert run.keys == {task.stage: task.key for task in CHAINS.chain(NARROW)}


@pytest.mark.parametrize(
    ("stage", "kind", "trained"),
    [
        ("transforming", "candidate", False),
        ("transforming", "process", True),
        ("settling", "candidate", True),
        ("quantising", "candidate", False),
        ("quantising", "weights", True),
        ("lowering", "candidate", False),
        ("measuring", "candidate", True),
    ],
)
def test_a_failure_of_a_screening_that_training_cannot_mend_ends_the_trial(
    stage: str, kind: FailureKind, trained: bool
) -> None:
    study = optuna.create_study(directions=["maximize", "maximize"])
    int8 = Configuration({**NARROW, "runtime": "onnxruntime", "numeric_precision": "int8"})
    run = TrialRun(study.ask(), int8, CHAINS, screened=True)
    while run.task.stage != stage:
        assert follow(run, DONE) == NextStage()
    step = follow(run, StageOutcome({}, failure="refused", failure_kind=kind))
    assert step == (Unscreened("refused") if trained else Failed("refused"))


def test_a_constraint_that_an_unstable_timing_misses_is_judged_after_the_training() -> None:
    run = trial_run(screened=True)
    to_the_last_stage_of_its_screening(run)
    step = follow(run, timed(2.0, unstable="the machine was busy"), stopping_with("speedup>=3"))
    assert step == Unscreened("the machine was busy")
    assert run.task.stage == "teacher"
    assert run.speed is None, "nothing that is not to be trusted competes"


def test_a_trial_that_others_dominate_is_stopped_at_the_second_rung() -> None:
    stopping, study = stopping_with(), optuna.create_study(directions=["maximize", "maximize"])
    reason = "others did better after 2 of 3 epochs of training (35.0 % there)"
    for width, speedup, accuracies, last in (
        (0.5, 10.0, (0.7, 0.8), NextStage()),
        (0.5, 9.0, (0.7, 0.8), NextStage()),
        (0.25, 2.0, (0.3, 0.35), Stopped(reason)),
    ):
        run = TrialRun(study.ask(), Configuration({**NARROW, "student_width": width}), CHAINS, screened=True)
        to_the_last_stage_of_its_screening(run)
        follow(run, timed(speedup), stopping)
        while run.task.stage != TRAINING:
            follow(run, DONE, stopping)
        levels = [StageOutcome({"epochs": n, "accuracy": accuracy}) for n, accuracy in enumerate(accuracies, 1)]
        assert [follow(run, level, stopping) for level in levels] == [NextStage(), last]
