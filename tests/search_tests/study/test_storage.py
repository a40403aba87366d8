"""The storage of studies: Optuna's own contract, what others see of it, and that nothing told is lost."""

import gc
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.testing.pytest_storages import StorageTestCase
from optuna.trial import FrozenTrial, TrialState
from search_tests.simulation import drive, make_chains, make_runner, open_table_study, table
from sqlalchemy import Connection

import search.study.sqlite_log
import search.study.storage
import search.study.transactions
from search.driver.stage_costs import StageCosts
from search.study.storage import open_storage, together
from search.study.study import records
from search.study.study_storage import StudyStorage


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture
def storage(url: str) -> BaseStorage:
    opened = open_storage(url)
    assert isinstance(opened, StudyStorage)
    return opened


class TestOptunasContract(StorageTestCase):
    """Every test that Optuna has for its own storages."""


def everything(storage: BaseStorage, study: str = "one") -> list[FrozenTrial]:
    return optuna.load_study(study_name=study, storage=storage, sampler=optuna.samplers.RandomSampler()).trials


def one(storage: BaseStorage) -> optuna.Study:
    return optuna.create_study(
        storage=storage,
        study_name="one",
        directions=["minimize", "maximize"],
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=0),
    )


def mixed(study: optuna.Study) -> None:
    """Trials of every kind."""
    for number in range(4):
        trial = study.ask()
        with together(study._storage):
            trial.suggest_categorical("kind", ["a", "b", 1, None])
            trial.suggest_float("share", 0.0, 1.0)
            trial.set_user_attr("text", {"nested": [1, (2, 3)]})
            trial.set_user_attr("text", {"nested": [number, (2, 3)]})
            trial.set_constraint("bound", -1.0)
            study.tell(trial, [float("inf") if number == 2 else number / 3, -1e-300])
    failed, running = study.ask(), study.ask()
    failed.set_user_attr("failure", "it broke")
    study.tell(failed, state=TrialState.FAIL)
    running.suggest_int("count", 1, 9)
    study.enqueue_trial({"share": 0.25})
    study.add_trial(optuna.trial.create_trial(values=[1.0, 2.0], user_attrs={"from": "elsewhere"}))


def test_optuna_reads_exactly_what_was_written(storage: BaseStorage, url: str) -> None:
    mixed(one(storage))
    kept = everything(storage)
    assert [trial.state.name for trial in kept] == ["COMPLETE"] * 4 + ["FAIL", "RUNNING", "WAITING", "COMPLETE"]
    assert kept == everything(RDBStorage(url))
    assert kept == everything(open_storage(url))


def test_every_storage_gives_the_same_trials(storage: BaseStorage) -> None:
    mixed(one(storage))
    mixed(one(in_memory := InMemoryStorage()))
    for ours, theirs in zip(everything(storage), everything(in_memory), strict=True):
        assert (ours.number, ours.state, ours.params, ours.distributions) == (
            (theirs.number, theirs.state, theirs.params, theirs.distributions)
        )
        assert ours.values == theirs.values
        assert json.dumps(ours.user_attrs) == json.dumps(theirs.user_attrs)
        assert ours.system_attrs == theirs.system_attrs


def test_a_block_is_written_at_its_end_whatever_ends_it(storage: BaseStorage, url: str) -> None:
    trial = one(storage).ask()

    def block() -> None:
        with together(storage):
            trial.set_user_attr("first", 1)
            assert storage.get_trial(trial._trial_id).user_attrs == {"first": 1}
            assert everything(RDBStorage(url))[0].user_attrs == {}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert everything(RDBStorage(url))[0].user_attrs == {"first": 1}


def test_a_block_of_one_thread_does_not_hold_another_ones_writes_back(storage: BaseStorage, url: str) -> None:
    study = one(storage)
    mine, others = study.ask(), study.ask()
    with together(storage):
        mine.set_user_attr("mine", 1)
        writer = threading.Thread(target=others.set_user_attr, args=("others", 2))
        writer.start()
        writer.join()
        assert [trial.user_attrs for trial in everything(RDBStorage(url))] == [{}, {"others": 2}]


def test_a_block_changes_nothing_for_a_storage_of_another_kind() -> None:
    study = one(InMemoryStorage())
    trial = study.ask()
    with together(study._storage):
        trial.set_user_attr("first", 1)
        assert study.trials[0].user_attrs == {"first": 1}


def test_what_other_processes_do_is_seen(storage: BaseStorage, url: str) -> None:
    here, there = one(storage), one(open_storage(url))
    numbers = [study.ask().number for study in (here, there, there, here, there, here)]
    assert numbers == list(range(6))
    there.tell(1, [1.0, 2.0])
    there.trials  # noqa: B018 - it reads
    there._storage.set_trial_user_attr(here.trials[2]._trial_id, "note", "seen")
    assert [trial.state.name for trial in here.trials] == ["RUNNING", "COMPLETE"] + ["RUNNING"] * 4
    assert here.trials[2].user_attrs == {"note": "seen"}
    here.tell(0, [1.0, 2.0])
    assert here.trials == there.trials == everything(RDBStorage(url))


def test_a_trial_begun_after_those_of_others_leaves_none_of_them_out(storage: BaseStorage, url: str) -> None:
    here, there = one(storage), one(open_storage(url))
    assert here.trials == []
    there.ask()
    there.ask()
    storage.create_new_trial(here._study_id)
    assert [trial.number for trial in here.trials] == [0, 1, 2]


def test_a_result_waits_for_the_disk_and_nothing_else_does(
    storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bool] = []

    def noting(connection: Connection, *, flush: bool) -> None:
        search.study.sqlite_log.flush_at_commit(connection, flush=flush)
        flushed.append(flush)

    monkeypatch.setattr(search.study.transactions, "flush_at_commit", noting)
    study = one(storage)
    trial = study.ask()
    trial.set_user_attr("first", 1)
    study.tell(trial, [1.0, 2.0])
    study.set_user_attr("status", "finished")
    assert flushed == [False, False, True, False]


def test_a_trial_that_another_process_finished_first_keeps_its_result(storage: BaseStorage, url: str) -> None:
    study = one(storage)
    trial = study.ask()
    one(open_storage(url)).tell(0, [1.0, 2.0])
    with together(storage):
        trial.set_user_attr("late", True)
        with pytest.raises(UpdateFinishedTrialError):
            study.tell(trial, [3.0, 4.0])
    assert study.trials == everything(RDBStorage(url))
    assert (study.trials[0].values, study.trials[0].user_attrs) == ([1.0, 2.0], {})


def test_a_trial_that_was_left_running_can_be_gone_on_with(storage: BaseStorage, url: str) -> None:
    one(storage).ask().suggest_float("share", 0, 1)
    again = one(open_storage(url))
    trial = optuna.trial.Trial(again, again.trials[0]._trial_id)
    with together(again._storage):
        trial.set_user_attr("configuration", "{}")
        trial.set_constraint("bound", 1.0)
        again.tell(trial, [1.0, 2.0])
    (kept,) = again.trials
    assert (kept.values, kept.user_attrs, list(kept.params)) == ([1.0, 2.0], {"configuration": "{}"}, ["share"])
    assert again.trials == everything(RDBStorage(url))


def test_a_database_that_refuses_leaves_no_trace_in_memory(
    storage: StudyStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = one(storage)
    trial = study.ask()
    monkeypatch.setattr(storage, "_set_user", storage._set_value)
    with pytest.raises(optuna.exceptions.StorageInternalError):
        trial.set_user_attr("first", 1)
    assert study.trials[0].user_attrs == {}


def test_tables_of_another_version_are_left_to_optuna(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.study.storage, "REVISION", "v9.9.9.z")
    opened = open_storage(url)
    assert not isinstance(opened, StudyStorage)
    mixed(one(opened))
    assert len(everything(opened)) == 8


def journal_mode(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "studies.db")) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_file_has_a_log_while_it_is_driven_and_is_one_piece_afterwards(tmp_path: Path, url: str) -> None:
    mixed(one(driving := open_storage(url)))
    kept = everything(driving)
    assert journal_mode(tmp_path) == "wal"
    del driving
    gc.collect()
    assert journal_mode(tmp_path) == "delete"
    assert [file.name for file in tmp_path.iterdir()] == ["studies.db"]
    assert everything(open_storage(url)) == kept
    assert journal_mode(tmp_path) == "delete", "who only reads changes nothing"


def test_a_file_that_other_machines_may_write_to_has_no_log(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert search.study.sqlite_log.on_this_machine(tmp_path)
    monkeypatch.setattr(search.study.sqlite_log, "LOCAL", set())
    assert not search.study.sqlite_log.on_this_machine(tmp_path)
    mixed(one(storage := open_storage(url)))
    assert journal_mode(tmp_path) == "delete"
    assert everything(storage) == everything(RDBStorage(url))


DRIVING = """\
import sys
from pathlib import Path
import optuna
from search_tests.simulation import Log, drive, make_chains, make_runner, open_table_study

class Telling(Log):
    def trial_ended(self, trial, front, hypervolume, seconds):
        print(trial.number, flush=True)

chains = make_chains()
study = open_table_study(Path(sys.argv[1]), chains.space, inner=optuna.samplers.RandomSampler(seed=0))
drive(study, make_runner(workers=3), chains, 42, log=Telling())
"""


@pytest.mark.parametrize("told", [1, 6, 17])
def test_no_trial_that_was_told_is_lost_when_the_driver_is_killed(tmp_path: Path, told: int) -> None:
    paths = [str(Path(__file__).parents[2]), str(Path(__file__).parents[3])]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVING, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert driver.stdout is not None
    heard = [int(line) for line in itertools.islice(driver.stdout, told)]
    driver.send_signal(signal.SIGKILL)
    heard += [int(line) for line in driver.stdout]  # told before the signal came
    assert driver.wait() == -signal.SIGKILL
    assert len(heard) >= told
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    found = {trial.number: trial for trial in records(study)}
    for number in heard:
        trial = found[number]
        assert trial.state == "complete"
        assert trial.configuration is not None
        assert trial.measurement is not None
        assert trial.measurement["speedup"] == table(trial.configuration)["speedup"]
    drive(study, make_runner(workers=3), chains, 42)
    assert [trial.state for trial in records(study)] == ["complete"] * 42
    assert len({trial.configuration for trial in records(study)}) == 42


def test_a_trial_whose_driver_died_before_it_told_is_told_once_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    tell = study.tell

    def die_before_the_fifth(trial: optuna.Trial, *what: object, **more: object) -> FrozenTrial:
        if trial.number == 4:
            raise KeyboardInterrupt
        return tell(trial, *what, **more)

    monkeypatch.setattr(study, "tell", die_before_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        drive(study, make_runner(), chains, 8)
    recalled: list[int] = []
    recall = StageCosts.recall

    def noting(costs: StageCosts, trials: list[FrozenTrial]) -> None:
        recalled.extend(trial.number for trial in trials)
        recall(costs, trials)

    monkeypatch.setattr(StageCosts, "recall", noting)
    again = open_table_study(tmp_path, chains.space)
    assert (again.trials[4].state, again.trials[4].values) == (TrialState.RUNNING, None)
    assert [trial.number for trial in drive(again, make_runner(), chains, 8).ended] == [4, 5, 6, 7]
    assert recalled == [0, 1, 2, 3]
    assert [trial.state for trial in records(again)] == ["complete"] * 8
