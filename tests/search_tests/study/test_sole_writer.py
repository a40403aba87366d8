"""The storage of the one process that writes a study gives what the database has, and reads little of it again."""

import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import Trial, create_trial

from search.study.sole_writer import SoleWriterStorage
from search.study.storage import open_storage


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


def change(study: optuna.Study, running: list[Trial], draws: random.Random) -> None:
    """Do something at random that drivers do with a study."""
    done = draws.choice(["ask", "ask", "attribute", "system", "report", "tell", "fail", "add"])
    trial = draws.choice(running) if running else None
    if done == "ask" or trial is None:
        running.append(study.ask())
        running[-1].suggest_categorical("kind", [1, 2, 3])
    elif done == "attribute":
        trial.set_user_attr(draws.choice("ab"), draws.random())
    elif done == "system":
        study._storage.set_trial_system_attr(trial._trial_id, "s", draws.random())
    elif done == "report":
        study._storage.set_trial_intermediate_value(trial._trial_id, 1, draws.random())
    elif done == "add":
        study.add_trial(create_trial(value=1.0))
    else:
        running.remove(trial)
        state, value = (optuna.trial.TrialState.FAIL, None) if done == "fail" else (None, draws.random())
        study.tell(trial, value, state=state)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_it_gives_what_the_database_has(url: str, seed: int) -> None:
    draws = random.Random(seed)
    earlier = optuna.create_study(storage=RDBStorage(url), study_name="one")
    earlier.ask()
    storage = open_storage(url, sole_writer=True)
    studies: list[tuple[optuna.Study, list[Trial]]] = [
        (optuna.load_study(study_name="one", storage=storage), []),
        (optuna.create_study(study_name="other", storage=storage), []),
    ]
    for step in range(40):
        study, running = draws.choice(studies)
        change(study, running, draws)
        if step % 8 == 7:
            for study, _ in studies:
                assert study.trials == optuna.load_study(study_name=study.study_name, storage=RDBStorage(url)).trials


def test_of_many_trials_under_way_only_those_that_were_written_to_are_read_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(url, sole_writer=True)
    assert isinstance(storage, SoleWriterStorage)
    study = optuna.create_study(storage=storage, study_name="one")
    running = [study.ask() for _ in range(6)]
    study.get_trials(deepcopy=False)
    read: list[Any] = []
    get, get_all = storage._backend.get_trial, storage._backend._get_trials
    monkeypatch.setattr(storage._backend, "get_trial", lambda number: read.append(number) or get(number))
    monkeypatch.setattr(storage._backend, "_get_trials", lambda *given, **named: read.append("all") or get_all(*given))
    assert [trial.user_attrs for trial in study.get_trials(deepcopy=False)] == [{}] * 6
    assert read == []
    running[2].set_user_attr("a", 1)
    read.clear()  # the write itself may look at its trial
    assert study.get_trials(deepcopy=False)[2].user_attrs == {"a": 1}
    assert read == [running[2]._trial_id]
    study.get_trials(deepcopy=False)
    assert len(read) == 1
