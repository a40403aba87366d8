"""The storage of studies: what was told is in the database and outlives the driver, and no message shows a password."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from search_tests.simulation import OBJECTIVES, drive, make_chains, make_runner, open_table_study, table

from search.driver.stage_costs import StageCosts
from search.study.storage import database_message, open_storage
from search.study.study import find_study, records
from spaces.errors import RequestError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


def test_it_is_optunas_own_storage_with_its_cache(url: str) -> None:
    assert type(open_storage(url)) is type(optuna.storages.get_storage(url))
    assert optuna.create_study(storage=(storage := open_storage(url)))._storage is storage


def test_a_result_is_in_the_file_with_all_of_its_attributes_when_tell_returns(tmp_path: Path, url: str) -> None:
    study = optuna.create_study(storage=open_storage(url), study_name="one", directions=["minimize", "maximize"])
    trial = study.ask()
    trial.suggest_categorical("kind", ["a", "b"])
    trial.set_user_attr("measurement", {"accuracy": 0.9})
    study.tell(trial, [1.0, 2.0])
    with closing(sqlite3.connect(tmp_path / "studies.db")) as file:
        assert file.execute("SELECT state FROM trials").fetchall() == [("COMPLETE",)]
        assert file.execute("SELECT value FROM trial_values ORDER BY objective").fetchall() == [(1.0,), (2.0,)]
        assert file.execute("SELECT value_json FROM trial_user_attributes").fetchall() == [('{"accuracy": 0.9}',)]
    assert optuna.load_study(study_name="one", storage=RDBStorage(url)).trials == study.trials
    assert [file.name for file in tmp_path.iterdir()] == ["studies.db"], "the database is one file, which can be copied"


@pytest.mark.faults("two drivers")
def test_two_processes_that_make_one_database_at_once_can_both_use_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.storages._rdb.models import BaseModel

    make, calls = BaseModel.metadata.create_all, []

    def make_after_another(engine: object) -> None:
        """The first time, another process makes the tables after this one saw that they are missing."""
        calls.append(engine)
        make(engine)
        if len(calls) == 1:
            make(engine, checkfirst=False)

    monkeypatch.setattr(BaseModel.metadata, "create_all", make_after_another)
    study = optuna.create_study(storage=open_storage(url), study_name="one")
    study.tell(study.ask(), 1.0)
    assert [trial.value for trial in study.trials] == [1.0]
    assert len(calls) == 2


def test_what_another_process_has_told_is_seen(url: str) -> None:
    here = optuna.create_study(storage=open_storage(url), study_name="one")
    there = optuna.load_study(study_name="one", storage=open_storage(url))
    assert [study.ask().number for study in (here, there, there, here)] == [0, 1, 2, 3]
    there.tell(1, 1.0)
    assert [trial.state.name for trial in here.trials] == ["RUNNING", "COMPLETE", "RUNNING", "RUNNING"]


@pytest.mark.parametrize("secret", ["secret", "se%40cret", "se/cret", "se:cret"])
@pytest.mark.parametrize("end", ["@127.0.0.1:1/db", "@127.0.0.1:port/db", "@127.0.0.1:1/db?sslpassword=cret"])
def test_a_database_that_cannot_be_opened_is_refused_without_the_password(secret: str, end: str) -> None:
    with pytest.raises(RequestError, match=r"--storage postgresql.*cannot be opened") as refused:
        open_storage(f"postgresql+psycopg://me:{secret}{end}")
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("secret", ["se@cret", "se@c/re:t@cret"])
def test_a_password_that_has_to_be_escaped_is_refused_with_advice_and_without_it(secret: str) -> None:
    with pytest.raises(RequestError, match=r"postgresql://me:\*\*\*@host/db: .*an @ .* %40") as refused:
        open_storage(f"postgresql://me:{secret}@host/db")
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["oracle+nothing", "nothing", "mysql+mysqlconnector"])
def test_a_database_without_a_driver_is_refused_without_the_password(scheme: str) -> None:
    with pytest.raises(RequestError, match="--storage") as refused:
        open_storage(f"{scheme}://me:secret@127.0.0.1:1/db")
    assert "secret" not in str(refused.value)


def test_a_study_opened_with_a_password_never_prints_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    storage = open_storage(f"sqlite:///file:{tmp_path}/studies.db?uri=true&password=secret")
    study = optuna.create_study(storage=storage, study_name="one", directions=["maximize"] * len(OBJECTIVES))
    study.tell(study.ask(), [1.0] * len(OBJECTIVES))
    with pytest.raises(RequestError) as missing:
        find_study(storage, "two")
    with pytest.raises(optuna.exceptions.DuplicatedStudyError) as duplicate:
        optuna.create_study(storage=storage, study_name="one")
    shown = [*capfd.readouterr(), caplog.text, str(missing.value), str(duplicate.value), repr(study), repr(storage)]
    assert not [text for text in shown if "secret" in text]


def test_a_message_of_the_database_is_one_short_line() -> None:
    class Wrapped(Exception):
        orig = ValueError("connection\n  refused " + "x" * 300)

    assert database_message(Wrapped("outer")).startswith("connection refused xxx")
    assert len(database_message(Wrapped("outer"))) == 200
    assert database_message(ValueError("plain")) == "plain"


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
