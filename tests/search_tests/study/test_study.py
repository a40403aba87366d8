"""Studies that were not made to their end, and those of somebody else."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from search_tests.simulation import CHOICES, FACTS, MACHINE, OBJECTIVES

from search.study.attributes import BEGUN
from search.study.storage import open_storage
from search.study.study import StudySettings, find_study, make_study
from spaces.errors import RequestError

SETTINGS = StudySettings("table", CHOICES, ("accuracy", "speedup"), (), 0, MACHINE.device, "f" * 64)
BUDGETS, PLACES = {"trials": 3}, {"tracking": "http://host"}


class Killed(BaseException):
    """Stands for the end of the process."""


def make(storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study ``s``."""
    return make_study(storage, "s", OBJECTIVES, SETTINGS, MACHINE, FACTS, BUDGETS, PLACES)


def test_whichever_write_was_the_last_the_same_search_completes_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def but_when(study: optuna.Study) -> dict[str, Any]:
        return {**study.user_attrs, BEGUN: None}

    whole = but_when(make(open_storage(f"sqlite:///{tmp_path}/whole.db")))
    write = optuna.Study.set_user_attr
    for last in range(len(whole)):
        left = last

        def killed(study: optuna.Study, key: str, value: Any) -> None:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            write(study, key, value)

        url = f"sqlite:///{tmp_path}/{last}.db"
        with monkeypatch.context() as patch:
            patch.setattr(optuna.Study, "set_user_attr", killed)
            with pytest.raises(Killed):
                make(open_storage(url))
        with pytest.raises(RequestError, match="the same `frontrunner search` command again"):
            find_study(open_storage(url), "s")
        assert but_when(make(open_storage(url))) == whole
        assert but_when(find_study(open_storage(url), "s")) == whole


def test_the_settings_are_there_only_when_all_else_is() -> None:
    written: list[str] = []
    storage = open_storage("sqlite:///:memory:")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optuna.Study, "set_user_attr", lambda study, key, value: written.append(key))
        make(storage)
    assert written[-1] == "settings"


@pytest.mark.parametrize("trace", ["a trial", "an attribute", "another direction"])
def test_a_study_of_somebody_else_is_left_alone(trace: str, tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db")
    directions = ["minimize", "minimize"] if trace == "another direction" else ["maximize", "maximize"]
    study = optuna.create_study(study_name="s", storage=storage, directions=directions)
    if trace == "a trial":
        study.ask()
    if trace == "an attribute":
        study.set_user_attr("mine", 1)
    before = study.user_attrs
    with pytest.raises(RequestError, match="was not made by frontrunner"):
        make(storage)
    assert optuna.load_study(study_name="s", storage=storage).user_attrs == before
