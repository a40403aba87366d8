"""``frontrunner front --watch``: the front of a study that runs, shown again whenever a trial has ended."""

import threading
from pathlib import Path

import pytest
from search_tests.simulation import drive, make_chains, make_runner, open_table_study

from search.commands import front
from search.commands.front import FrontOptions, show_front
from search.request.locations import Home, Locations
from search.study.attributes import STATUS
from spaces.errors import RequestError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = Home(tmp_path / "home")
    home.make()
    return home.path


def test_it_is_shown_again_when_a_trial_has_ended_and_ends_with_the_study(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "WATCH_EVERY_S", 0.05)
    chains = make_chains()
    study = open_table_study(home, chains.space)
    study.set_user_attr(STATUS, "running")
    drive(study, make_runner(), chains, 3)

    def go_on() -> None:
        drive(study, make_runner(), chains, 8)
        study.set_user_attr(STATUS, "finished")

    later = threading.Timer(1.0, go_on)
    later.start()
    show_front("table", Locations(home), FrontOptions(watch=True))
    later.join()
    shown = capsys.readouterr().out
    assert shown.index("3 trials") < shown.index("8 trials")


def test_a_study_that_does_not_run_is_shown_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chains = make_chains()
    study = open_table_study(home, chains.space)
    drive(study, make_runner(), chains, 3)
    study.set_user_attr(STATUS, "interrupted")
    show_front("table", Locations(home), FrontOptions(watch=True))
    assert capsys.readouterr().out.count("3 trials") == 1


@pytest.mark.parametrize("other", ["as_csv", "as_json"])
def test_it_is_for_people(home: Path, other: str) -> None:
    with pytest.raises(RequestError, match="--watch shows tables that follow a study; leave out --csv and --json"):
        show_front("table", Locations(home), FrontOptions(watch=True, **{other: True}))
