"""Whatever a driver was doing when it died, the next ones finish the study: nothing is lost, nothing counted twice."""

from typing import Any

import optuna
import pytest
from faults.crashing_storage import CrashingStorage, Died
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from optuna.trial import TrialState
from search_tests.simulation import CHOICES, FACTS, MACHINE, OBJECTIVES, drive, make_chains, make_runner, table

from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.starting_points import starting_points
from search.study.attributes import MEASUREMENT
from search.study.study import StudySettings, make_study, records

pytestmark = pytest.mark.faults("driver killed")

TRIALS = 8
SETTINGS = StudySettings("table", CHOICES, ("accuracy", "speedup"), (), 0, MACHINE.device, "f" * 64)


class Driven(RuleBasedStateMachine):
    """A study that several drivers work on, one after the other; any of them may die at any write."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = CrashingStorage()
        self.finished: dict[int, tuple[Any, Any]] = {}
        self.chains = make_chains()

    def open_study(self) -> optuna.Study:
        """The study as the next driver finds it."""
        study = make_study(self.storage, "table", OBJECTIVES, SETTINGS, MACHINE, FACTS)
        tried = {record.configuration.canonical() for record in records(study) if record.configuration}
        inner = optuna.samplers.RandomSampler(seed=len(tried))
        study.sampler = DistinctSampler(inner, self.chains.space, tried, starting_points(self.chains.space), seed=0)
        return study

    def drive(self, trials: int, workers: int) -> None:
        """Run a driver; a write at which it dies ends it."""
        try:
            drive(self.open_study(), make_runner(workers), self.chains, trials)
        except Died:
            pass
        finally:
            self.storage.dies_at(None)

    @initialize()
    def begin(self) -> None:
        self.drive(trials=1, workers=1)

    @rule(
        write=st.integers(0, 60), kept=st.booleans(), trials=st.integers(1, TRIALS), workers=st.sampled_from([1, 2, 3])
    )
    def a_driver_dies(self, write: int, kept: bool, trials: int, workers: int) -> None:
        self.storage.dies_at(write, kept=kept)
        self.drive(trials, workers)

    @rule(trials=st.integers(1, TRIALS), workers=st.sampled_from([1, 2]))
    def a_driver_ends(self, trials: int, workers: int) -> None:
        before = len(self.trials())
        self.drive(trials, workers)
        assert len(self.trials()) == max(before, trials)
        assert all(trial.state.is_finished() for trial in self.trials())

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials of the study, none where it is not made yet."""
        names = optuna.get_all_study_names(self.storage)
        return optuna.load_study(study_name="table", storage=self.storage).get_trials() if names else []

    @invariant()
    def what_is_finished_stays_as_it_is(self) -> None:
        trials = self.trials()
        assert [trial.number for trial in trials] == list(range(len(trials)))
        known = {
            trial.number: (trial.state, trial.user_attrs.get(MEASUREMENT))
            for trial in trials
            if trial.state.is_finished()
        }
        assert {number: known[number] for number in self.finished} == self.finished
        self.finished = known

    @invariant()
    def no_candidate_counts_twice_and_each_figure_is_its_own(self) -> None:
        study = [trial for trial in self.trials() if trial.state.is_finished()]
        found = [record for record in records(_Holding(study)) if record.configuration is not None]
        names = [record.configuration.canonical() for record in found if record.configuration]
        assert len(names) == len(set(names))
        for record in found:
            if record.state == "complete":
                assert record.measurement is not None, "a trial that is told has all of its attributes"
                assert record.configuration is not None
                assert record.measurement["speedup"] == table(record.configuration)["speedup"]

    def teardown(self) -> None:
        """A last driver, which nothing disturbs, finishes the study."""
        self.drive(TRIALS, workers=2)
        states = [trial.state for trial in self.trials()]
        assert len(states) == TRIALS
        assert TrialState.RUNNING not in states


class _Holding:
    """Some trials, in the place of a study."""

    def __init__(self, trials: list[optuna.trial.FrozenTrial]) -> None:
        self._trials = trials

    def get_trials(self, deepcopy: bool = True) -> list[optuna.trial.FrozenTrial]:
        return self._trials


def test_a_study_survives_the_death_of_its_driver_at_any_write() -> None:
    run_state_machine_as_test(
        Driven,
        settings=settings(
            max_examples=8,
            stateful_step_count=5,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("kept", [True, False])
def test_a_study_that_dies_while_it_is_made_is_completed_by_the_same_search(kept: bool) -> None:
    """Every write of its making is tried; the settings are the last."""
    for write in range(12):
        storage = CrashingStorage()
        storage.dies_at(write, kept=kept)
        died = False
        try:
            make_study(storage, "table", OBJECTIVES, SETTINGS, MACHINE, FACTS)
        except Died:
            died = True
        storage.dies_at(None)
        study = make_study(storage, "table", OBJECTIVES, SETTINGS, MACHINE, FACTS)
        assert study.user_attrs["settings"] == SETTINGS.to_json()
        assert optuna.get_all_study_names(storage) == ["table"]
        if not died:
            break
    assert write > 3
