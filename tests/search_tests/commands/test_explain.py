"""``frontrunner explain`` on a study of a table: what it prints, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from search_tests.simulation import FACTS, MACHINE, drive, make_chains, make_runner, open_table_study, table

from runners.executors.simulated import SimulatedRunner
from search.commands.explain import ExplainOptions, explain_trial
from search.commands.studies import open_study
from search.driver.search_context import SearchContext
from search.driver.successive_halving import levels_of
from search.front.front_document import front_document, trial_documents
from search.request.locations import Locations
from search.study.attributes import ENVIRONMENT, SETTINGS, STATUS
from spaces.configuration import Configuration
from spaces.environment import Environment
from spaces.errors import RequestError


def failing(configuration: Configuration) -> Any:
    """The table, but for openvino in bf16."""
    if (configuration["runtime"], configuration["numeric_precision"]) == ("openvino", "bf16"):
        raise ValueError("no such kernel")
    return table(configuration)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a study of the table."""
    folder = tmp_path_factory.mktemp("home")
    chains = replace(make_chains(), rungs=levels_of)  # as a command makes them
    study = open_table_study(folder, chains.space, inner=optuna.samplers.RandomSampler(0))
    drive(study, make_runner(of=failing), chains, 30)
    study.set_user_attr(SETTINGS, {**study.user_attrs[SETTINGS], "workload": "synthetic"})  # one that there is
    study.set_user_attr(STATUS, "finished")
    return folder


@pytest.fixture(autouse=True)
def _without_importances(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"trials": 3, "choices": {}, "doubt": "few"}
    found = type("Found", (), {"to_json": lambda self: known})()
    monkeypatch.setattr("search.explain.explanation.importances", lambda *_: {"speed": found, "accuracy": found})


def study_in(home: Path) -> optuna.Study:
    return open_study("table", Locations(home))[0]


def trials(home: Path) -> list[dict[str, Any]]:
    return trial_documents(study_in(home))


def run(home: Path, trial: int | None = None, *, as_json: bool = False, **options: Any) -> dict[str, Any]:
    chosen = ExplainOptions("table", trial, **options)
    return explain_trial(chosen, Locations(home), as_json=as_json, runner=make_runner(of=failing))


def test_by_default_it_explains_what_export_would_pick(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from search.commands.export import pick_trial

    document = front_document(study_in(home))
    picked = pick_trial(document, trials(home), "knee", [])["trial"]
    assert run(home, as_json=True)["trial"] == picked
    printed = json.loads(capsys.readouterr().out)
    assert printed["trial"] == picked
    assert printed["choices"]


def test_the_tables_fit_into_eighty_characters(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    fastest = max(trials(home), key=lambda trial: trial["measurement"].get("speedup", 0.0))
    document = run(home, fastest["trial"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for one in document["choices"]:
        assert one["text"].split(" ")[0] in out
    assert "points lost" in out
    assert "what they give together" in out


def test_a_trial_that_is_not_on_the_front_is_explained_with_a_note(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    front = {member["trial"] for member in front_document(study_in(home))["front"]}
    dominated = next(t["trial"] for t in trials(home)[1:] if t["state"] == "complete" and t["trial"] not in front)
    assert not run(home, dominated)["on_front"]
    assert f"trial {dominated} is not on the front; on it are " in capsys.readouterr().err


def test_what_the_search_found_of_the_network_is_not_tried_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, asked, limits = study_in(home), [], []
    inspected = Environment.to_json(MACHINE)
    limit = {"choices": {"student_width": 0.1}, "reason": "too narrow"}
    study.set_user_attr(ENVIRONMENT, {**inspected, "model_limits": [limit]})

    class Watched(SimulatedRunner):
        def inspect(self, workload: Any, choices: Any = None) -> Any:
            asked.append(choices)
            return super().inspect(workload, choices)

    def explained(search: SearchContext, *_: Any) -> dict[str, Any]:
        limits.extend(search.chains.space.environment.model_limits)
        return {}

    monkeypatch.setattr("search.commands.explain.explain", explained)
    explain_trial(
        ExplainOptions("table"), Locations(home), as_json=True, runner=Watched(MACHINE, FACTS, failing, workers=1)
    )
    study.set_user_attr(ENVIRONMENT, inspected)
    assert asked == [{}]
    assert [one.reason for one in limits] == ["too narrow"]


def test_a_study_that_is_not_finished_is_explained_with_a_note(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_in(home)
    study.set_user_attr(STATUS, "interrupted")
    try:
        run(home)
    finally:
        study.set_user_attr(STATUS, "finished")
    assert "is not finished: the front may still change" in capsys.readouterr().err


def test_what_cannot_be_explained_gets_one_sentence(home: Path) -> None:
    failed = next(trial["trial"] for trial in trials(home) if trial["state"] == "failed")
    wrong = {
        0: "trial 0 is the baseline, of which no choice can be taken back; complete are ",
        999: "study 'table' has no trial 999; complete are ",
        failed: rf"trial {failed} failed \(.*no such kernel\), so there is nothing to explain; complete are ",
    }
    for number, sentence in wrong.items():
        with pytest.raises(RequestError, match=sentence):
            run(home, number)


def test_an_unknown_study_names_the_most_similar(home: Path) -> None:
    with pytest.raises(RequestError, match=r"no study is called 'tabel'; there are table \(did you mean 'table'\?\)"):
        explain_trial(ExplainOptions("tabel"), Locations(home), as_json=False)


def test_a_study_of_another_machine_is_refused(home: Path) -> None:
    elsewhere = SimulatedRunner(replace(MACHINE, device="a board"), FACTS, table)
    with pytest.raises(RequestError, match="was measured on a table and this is a board"):
        explain_trial(ExplainOptions("table"), Locations(home), as_json=False, runner=elsewhere)


def test_a_workload_that_changed_is_refused(home: Path) -> None:
    changed = SimulatedRunner(MACHINE, replace(FACTS, fingerprint="0" * 64), table)
    with pytest.raises(RequestError, match="the workload of study 'table' changed"):
        explain_trial(ExplainOptions("table"), Locations(home), as_json=False, runner=changed)


def test_a_study_that_is_being_searched_is_refused(home: Path) -> None:
    with Locations(home).folder.lock("table"), pytest.raises(RequestError, match="is being run by another process"):
        run(home)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"figure": Path("front.gif")}, r"--figure front.gif: a figure ends in .html, .png, .svg, .pdf"),
        ({"figure": Path("nowhere/front.html")}, "--figure nowhere/front.html: there is no folder "),
        ({"time_budget": "soon"}, "--time-budget soon: give seconds or a time"),
    ],
)
def test_a_wrong_option_is_told_before_anything_runs(home: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        run(home, **options)


def test_the_figure_is_one_page(home: Path, tmp_path: Path) -> None:
    run(home, figure=tmp_path / "table.html")
    assert "Plotly.newPlot" in (tmp_path / "table.html").read_text()
