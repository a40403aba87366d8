"""The commands that are printed after another one: pasted into a shell, they find the study again."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import make_runner, table

from search.cli import app
from search.commands.hints import after_export, after_search, resume_command
from search.commands.search import run_search
from search.request.locations import Locations
from search.request.read_request import merge
from spaces.configuration import Configuration


def search(of: Any = table, **settings: Any) -> dict[str, Any]:
    """The front document of a small simulated search."""
    choices = {"student_width": [1.0, 0.5], "runtime": "all", "numeric_precision": "all"}
    request = merge({}, {"study": "s", "workload": "digits", "trials": 5, "space": choices, **settings})
    return run_search(request, runner=make_runner(of=of))


def hints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines after ``next:``."""
    return [line.strip() for line in capsys.readouterr().out.partition("next:")[2].splitlines() if line.strip()]


def run(command: str) -> None:
    """Run a pasted command in this process."""
    program, *arguments = shlex.split(command)
    assert program == "frontrunner"
    app(arguments, standalone_mode=False)


def test_what_is_printed_after_a_search_finds_the_study_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, storage = tmp_path / "my home", f"sqlite:///{tmp_path / 'else where.db'}"
    search(home=str(home), storage=storage)
    ui, export, front = hints(capsys)
    monkeypatch.chdir(tmp_path)
    run(front)
    assert "trial" in capsys.readouterr().out
    assert shlex.split(ui) == ["frontrunner", "ui", "--home", str(home)]
    read: list[Any] = []
    monkeypatch.setattr("search.commands.export.export_trial", lambda *given, **named: read.extend(given))
    run(export)
    options, locations = read
    assert (options.study, options.pick, options.within) == ("s", "fastest", ["accuracy_drop<=0.01"])
    assert locations == Locations(home, shlex.split(export)[-1])
    assert not (tmp_path / "frontrunner-home").exists()


def test_a_search_that_is_interrupted_says_how_to_resume_it_with_its_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(configuration: Configuration) -> Any:
        if configuration["runtime"] != "eager":
            raise KeyboardInterrupt
        return table(configuration)

    with pytest.raises(KeyboardInterrupt):
        search(interrupted, home=str(tmp_path / "my home"))
    assert f"`frontrunner resume s --home '{tmp_path}/my home'` continues" in capsys.readouterr().err


def test_default_places_are_left_out_and_a_cluster_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resume_command("s", Locations()) == "frontrunner resume s"
    assert resume_command("s", Locations(address="a:1")) == "frontrunner resume s --address a:1"
    monkeypatch.setenv("FRONTRUNNER_HOME", "/data/h")
    assert resume_command("s", Locations()) == "frontrunner resume s --home /data/h"


def test_a_password_is_not_printed() -> None:
    locations = Locations("/h", "postgresql+psycopg://me:hidden@host/db", "http://me:hidden@host:5000")
    document = {"study": "s", "front": [], "objectives": []}
    assert "hidden" not in "".join([resume_command("s", locations), *after_search(document, locations)])


def member(number: int, speedup: float, accuracy: float, unstable: str = "") -> dict[str, Any]:
    """A member of a front."""
    measured = {"speedup": speedup, "speedup_ci95": [speedup - 0.05, speedup + 0.05], "accuracy": accuracy}
    return {"trial": number, "measurement": {**measured, "unstable": unstable}}


@pytest.mark.parametrize(
    ("others", "objectives", "expected"),
    [
        ([member(1, 3.0, 0.975), member(2, 4.0, 0.9)], ("accuracy", "speedup"), "--pick fastest --within"),
        ([member(1, 3.0, 0.95), member(2, 4.0, 0.9)], ("accuracy", "speedup"), "--pick 1"),
        ([member(1, 3.0, 0.975, "busy")], ("accuracy", "speedup"), "--pick 1"),
        ([member(1, 1.01, 0.98), member(2, 2.0, 0.9)], ("accuracy", "speedup"), "--pick 2"),
        ([member(1, 1.01, 0.98)], ("accuracy", "speedup"), "--pick 0"),
        ([], ("accuracy", "latency_p90_ms"), "--pick 0"),
        ([member(1, 1.01, 0.98)], ("accuracy", "size_mib"), "--pick knee"),
    ],
)
def test_the_baseline_is_offered_for_export_only_where_nothing_is_faster(
    others: list[dict[str, Any]], objectives: tuple[str, ...], expected: str
) -> None:
    baseline = member(0, 1.0, 0.98)
    names = [{"name": name} for name in objectives]
    document = {"study": "s", "baseline": baseline, "front": [baseline, *others], "objectives": names}
    assert expected in after_search(document, Locations())[1]


def test_after_an_export_the_folder_is_quoted() -> None:
    assert after_export(Path("a b"), Locations()) == ["python 'a b/predict.py'", "frontrunner verify 'a b'"]
    assert after_export(Path("out"), Locations("my home"))[1].endswith(
        f"verify out --home '{Path('my home').absolute()}'"
    )
