"""Trials under training compete at rungs: who leaves, who does not, and what is left of those who did."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
import pytest
from search_tests.simulation import (
    CHOICES,
    MACHINE,
    OBJECTIVES,
    Log,
    Recording,
    drive,
    make_chains,
    measurement,
    open_table_study,
    table,
)

from runners.chains.chain import Chains
from runners.runner import StageOutcome, StageTask, WorkloadFacts
from search.driver.early_stopping import EarlyStopping, TrainingProgress
from search.driver.runs import TRAINING, training_of
from search.driver.successive_halving import levels_of
from search.front.front_document import front_document
from search.objectives.constraint import Constraint
from search.objectives.trial_targets import TrialTargets
from search.study.study import records
from spaces.configuration import Configuration
from spaces.space_document import make_space

FACTS = WorkloadFacts("table", "f" * 64, training={"epochs": 9})
LEVELS = (1, 2, 3, 4, 6, 9)
MANY = {**CHOICES, "student_width": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]}


def curve(configuration: Configuration, epochs: int) -> float:
    """Rises to the table's accuracy, from far below, and faster for none."""
    return float(table(configuration)["accuracy"]) - 0.3 * (1 / epochs - 1 / 9)


def chains_of(choices: Mapping[str, object] = MANY) -> Chains:
    return Chains(make_space(choices, MACHINE), FACTS, "table", 0, levels_of)


def runner_of(kind: type[Recording] = Recording, **settings: Any) -> Recording:
    """Each of the six levels of a training takes as long as timing a candidate."""
    return kind(MACHINE, FACTS, table, seconds=_seconds, curve=curve, **settings)


def _seconds(task: StageTask) -> float:
    return 0.5 if task.stage == TRAINING else 0.1


def pruned(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.PRUNED])


@pytest.fixture(scope="module")
def stopped_early() -> tuple[optuna.Study, Log, Recording]:
    """A study of 90 random trials of which some were stopped."""
    chains, runner = chains_of(), runner_of()
    study = open_table_study(None, chains.space, inner=optuna.samplers.RandomSampler(seed=1))
    return study, drive(study, runner, chains, 90), runner


def test_hopeless_trials_are_stopped_and_say_where_and_why(stopped_early: tuple[optuna.Study, Log, Recording]) -> None:
    study, log, _ = stopped_early
    assert 2 <= len(pruned(study)) <= 80
    for trial in pruned(study):
        last = max(trial.user_attrs["rungs"], key=int)
        reached = trial.user_attrs["rungs"][last]
        expected = f"others did better after {last} of 9 epochs of training ({100 * reached:.1f} % there)"
        assert trial.user_attrs["stopped"] == expected
    told = {trial.number: trial for trial in log.ended}
    assert all(told[trial.number].state == "stopped" for trial in pruned(study))
    assert sorted(told) == list(range(90))


def test_a_stopped_trial_is_neither_trained_to_the_end_nor_on_the_front(
    stopped_early: tuple[optuna.Study, Log, Recording],
) -> None:
    study, _, runner = stopped_early
    stopped = {trial.number for trial in pruned(study)}
    assert not stopped & {member["trial"] for member in front_document(study)["front"]}
    measured = {task.configuration for task in runner.submitted if task.inputs.get("speed")}
    assert not measured & {trial.user_attrs["configuration"] for trial in pruned(study)}


def test_a_stopped_trial_teaches_the_sampler(stopped_early: tuple[optuna.Study, Log, Recording]) -> None:
    study, _, _ = stopped_early
    targets = TrialTargets(OBJECTIVES, [])
    targets.add_trials(study.get_trials(deepcopy=False))
    timed = [trial for trial in pruned(study) if trial.user_attrs["speed"]]
    assert timed
    for trial in timed:
        columns = targets.of_trial(trial)
        assert columns is not None
        assert np.isfinite(columns).all()
        foreseen = targets.extrapolate(
            trial.user_attrs["speed"], {int(e): a for e, a in trial.user_attrs["rungs"].items()}
        )
        truth = table(Configuration.from_json(trial.user_attrs["configuration"]))["accuracy"]
        assert foreseen["accuracy"] == pytest.approx(truth, abs=0.005), "all gain alike, but for int8"


def test_only_trials_that_another_dominates_are_stopped(stopped_early: tuple[optuna.Study, Log, Recording]) -> None:
    study, _, _ = stopped_early
    places = [trial.user_attrs["competed"]["losses"] for trial in study.trials if "competed" in trial.user_attrs]
    for trial in pruned(study):
        losses = trial.user_attrs["competed"]["losses"]
        rung = len(losses) - 1
        others = np.array([other[rung] for other in places if len(other) > rung])
        assert ((others <= losses[rung]).all(axis=1) & (others < losses[rung]).any(axis=1)).any()


def test_trials_that_take_no_training_never_compete(stopped_early: tuple[optuna.Study, Log, Recording]) -> None:
    study, _, _ = stopped_early
    untouched = [
        trial
        for trial in study.trials
        if (c := Configuration.from_json(trial.user_attrs["configuration"]))["student_width"] == 1.0
        and c["channel_pruning"] == 0.0
    ]
    assert len(untouched) > 1
    assert {trial.state for trial in untouched} == {optuna.trial.TrialState.COMPLETE}
    assert not any({"competed", "rungs"} & set(trial.user_attrs) for trial in untouched)


def test_without_rungs_nobody_is_stopped() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, runner_of(), chains, 30)
    assert not pruned(study)


class Training(NamedTuple):
    """A trial under training, with the figures of its screening."""

    progress: TrainingProgress
    speed: Mapping[str, Any] | None


class Field:
    """Trials that compete, one after the other, without a driver."""

    def __init__(self, *constraints: str, told: Sequence[optuna.trial.FrozenTrial] = ()) -> None:
        self.chains = chains_of()
        self.study = optuna.create_study(directions=["maximize", "maximize"])
        self.targets = TrialTargets(OBJECTIVES, [Constraint.parse(text) for text in constraints])
        self.targets.add_complete(0, measurement(0.98, 1.0), {})
        self.stopping = EarlyStopping(self.targets, told)

    def start(self, speed: Mapping[str, Any] | None = None, **choices: Any) -> Training:
        """A trial at the beginning of its training; its speed is known where it is given."""
        chain = self.chains.chain(Configuration({**self.chains.space.baseline(), **choices}))
        keys = {task.settings["to_epoch"]: task.key for task in training_of(chain)}
        return Training(TrainingProgress(self.study.ask().number, keys), speed)

    def trained(self, trial: Training, accuracies: Sequence[float]) -> str | None:
        """Take a trial through its levels until it is stopped; why, or None."""
        progress = trial.progress
        for epochs, accuracy in list(zip(progress.levels, accuracies, strict=False))[len(progress.accuracies) :]:
            if reason := self.stopping.after_level(progress, {"epochs": epochs, "accuracy": accuracy}, trial.speed):
                return reason
        return None

    def strong(self) -> None:
        """Four trials that nearly everything falls short of."""
        for width in (0.9, 0.8, 0.7, 0.6):
            assert self.trained(self.start({"speedup": 10.0}, student_width=width), [0.7, 0.8, 0.85, 0.9, 0.95]) is None


def test_the_first_rung_stops_nobody_and_the_second_one_whom_others_dominate() -> None:
    field = Field()
    field.strong()
    hopeless = field.start({"speedup": 2.0}, student_width=0.5)
    assert field.trained(hopeless, [0.3]) is None
    assert field.trained(hopeless, [0.3, 0.35]) == "others did better after 2 of 9 epochs of training (35.0 % there)"
    assert hopeless.progress.accuracies == {1: 0.3, 2: 0.35}
    assert len(hopeless.progress.competed) == 2


@pytest.mark.parametrize(("speed", "accuracies"), [(11.0, [0.3, 0.35]), (2.0, [0.75, 0.86])])
def test_what_nothing_dominates_goes_on(speed: float, accuracies: list[float]) -> None:
    field = Field()
    field.strong()
    assert field.trained(field.start({"speedup": speed}, student_width=0.5), accuracies) is None


def test_a_trial_that_shares_its_next_level_with_one_that_went_on_goes_on_too() -> None:
    field = Field()
    field.strong()
    kept = field.start({"speedup": 12.0}, student_width=0.5, runtime="openvino")
    assert field.trained(kept, [0.3, 0.35]) is None
    sharing = field.start({"speedup": 2.0}, student_width=0.5)
    assert field.trained(sharing, [0.3, 0.35]) is None
    other = field.start({"speedup": 2.0}, student_width=0.4)
    assert field.trained(other, [0.3, 0.35])


def test_a_trial_whose_speed_is_not_known_does_not_compete() -> None:
    field = Field()
    field.strong()
    unknown = field.start(None, student_width=0.5)
    assert field.trained(unknown, [0.3, 0.35, 0.36, 0.37, 0.38, 0.39]) is None
    assert unknown.progress.competed == []
    assert unknown.progress.accuracies == dict(zip(LEVELS, [0.3, 0.35, 0.36, 0.37, 0.38, 0.39], strict=True))


def test_a_bound_that_training_decides_competes_and_one_not_known_yet_is_not_missed() -> None:
    field = Field("accuracy>=0.9", "train_seconds<=10")
    early = field.start({"speedup": 10.0}, student_width=0.9)
    field.trained(early, [0.81])
    assert early.progress.competed[0][2:] == pytest.approx([0.1, 0.0])
    later = field.start({"speedup": 10.0, "train_seconds": 15.0}, student_width=0.8)
    field.trained(later, [0.95])
    assert later.progress.competed[0][2:] == pytest.approx([0.0, 0.5])


def told(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def test_the_places_at_the_rungs_are_recalled() -> None:
    earlier = Field()
    losses = [[0.3, 0.1], [0.2, 0.1], [0.15, 0.1], [0.1, 0.1], [0.05, 0.1]]
    for _ in range(4):
        trial = earlier.study.ask()
        trial.set_user_attr("competed", {"levels": LEVELS, "losses": losses})
        earlier.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    empty, again = Field(), Field(told=told(earlier.study))
    again.study = earlier.study  # so that numbers go on
    for field, stopped in ((empty, False), (again, True)):
        candidate = field.start({"speedup": 2.0}, student_width=0.5)
        assert bool(field.trained(candidate, [0.3, 0.35])) is stopped


class Interrupted(Recording):
    """Stands for a driver that is stopped in the middle of a training."""

    left = 250

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        self.left -= 1
        if self.left < 0 and any(task.stage == "training" for _, _, task, _ in self._under_way):
            raise KeyboardInterrupt
        return super().wait(timeout_s)


def test_an_interrupted_study_goes_on_with_its_places_and_repeats_no_trial(tmp_path: Path) -> None:
    chains = chains_of()
    study = open_table_study(tmp_path, chains.space, inner=optuna.samplers.RandomSampler(seed=1))
    with pytest.raises(KeyboardInterrupt):
        drive(study, runner_of(Interrupted, workers=2), chains, 40)
    before = {trial.number: trial.user_attrs for trial in told(study)}
    assert any("competed" in known for known in before.values())
    assert any(not trial.state.is_finished() for trial in study.trials)
    again = open_table_study(tmp_path, chains.space, inner=optuna.samplers.RandomSampler(seed=2))
    drive(again, runner_of(workers=2), chains, 40)
    after = {trial.number: trial for trial in again.get_trials(deepcopy=False)}
    assert sorted(after) == list(range(40))
    assert {trial.state for trial in records(again)} == {"complete", "stopped"}
    assert len({trial.configuration for trial in records(again)}) == 40
    assert {number: after[number].user_attrs for number in before} == before
    for trial in after.values():
        if "competed" in trial.user_attrs:
            assert trial.user_attrs["competed"]["levels"] == list(LEVELS)
