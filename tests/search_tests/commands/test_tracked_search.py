"""A simulated search as MLflow has it, told while it ran."""

import json
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import make_runner

from dashboards.tracking.spool import Spool
from search.commands.search import run_search
from search.request.read_request import from_yaml, merge

SPACE = {"runtime": ["eager", "onnxruntime", "openvino"], "numeric_precision": ["fp32", "int8"]}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Any], Path]:
    """The front document, all records for MLflow in their order, and the home."""
    told: list[Any] = []
    append, home = Spool.append, tmp_path_factory.mktemp("tracked") / "home"
    request = {"study": "s", "workload": "synthetic", "trials": 8, "space": SPACE, "home": str(home)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "append", lambda spool, record: (told.append(record), append(spool, record))[1])
        return run_search(merge({}, request), runner=make_runner()), told, home


def test_mlflow_has_the_front_while_the_search_runs_and_at_its_end(
    searched: tuple[dict[str, Any], list[Any], Path], tmp_path: Path
) -> None:
    document, told, home = searched
    kinds = [record["kind"] for record in told]
    assert kinds[0] == "started"
    assert kinds[-3:] == ["front", "ended", "report"]
    live = [record for record in told if record["kind"] == "front" and record["live"]]
    assert live
    assert kinds.index("front") < max(place for place, kind in enumerate(kinds) if kind == "trial")
    _check_curve(home, document)
    _check_files(told[0]["about"], tmp_path)


def _check_curve(home: Path, document: dict[str, Any]) -> None:
    """The hypervolume never falls while trials end, and last is that of the front document."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(document["workload"])
    assert experiment is not None
    (study,) = client.search_runs([experiment.experiment_id], "tags.`frontrunner.kind` = 'study'")
    points = sorted(client.get_metric_history(study.info.run_id, "hypervolume"), key=lambda point: point.step)
    *during, last = [point.value for point in points]
    assert during == sorted(during)
    assert [point.step for point in points] == list(range(1, len(points) + 1))
    assert last == study.data.metrics["hypervolume"] == document["hypervolume"]
    members = client.search_runs([experiment.experiment_id], "tags.pareto = 'true'")
    numbers = {int(run.data.tags["frontrunner.trial"]) for run in members}
    assert numbers == {member["trial"] for member in document["front"]}
    files = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert {"front.html", "front_table.json", "study.yaml", "environment.json", "settings.json"} <= files


def _check_files(about: dict[str, Any], tmp_path: Path) -> None:
    """The study file asks for the same search, and the versions are told."""
    file = tmp_path / "again.yaml"
    file.write_text(about["study_file"])
    again = from_yaml(file)
    assert {name: again[name] for name in ("study", "workload", "trials")} == {
        "study": "s",
        "workload": "synthetic",
        "trials": 8,
    }
    assert {name: again["space"][name] for name in SPACE} == SPACE
    assert {"torch", "mlflow", "optuna"} <= set(about["environment"]["packages"])
    assert json.loads(json.dumps(about)) == about


def test_mlflow_has_the_report_of_a_search_without_what_takes_seconds_to_find(
    searched: tuple[dict[str, Any], list[Any], Path], tmp_path: Path
) -> None:
    document, told, home = searched
    (record,) = [record for record in told if record["kind"] == "report"]
    assert "importance" not in record["document"]
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(document["workload"])
    assert experiment is not None
    (study,) = client.search_runs([experiment.experiment_id], "tags.`frontrunner.kind` = 'study'")
    page = Path(client.download_artifacts(study.info.run_id, "report.html", str(tmp_path))).read_text()
    assert "frontrunner report s --to report.html --log" in page
    assert 'id="history-figure"' in page
    front = Path(client.download_artifacts(study.info.run_id, "front.html", str(tmp_path))).read_text()
    assert 'id="history"' in front


def test_a_report_that_cannot_be_made_is_a_note_and_the_search_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no course")

    monkeypatch.setattr("search.commands.tracking.report_page.study_report", broken)
    request = {"study": "s", "workload": "synthetic", "trials": 3, "space": SPACE, "home": str(tmp_path)}
    assert run_search(merge({}, request), runner=make_runner())["status"] == "finished"
    said = capsys.readouterr().err
    assert "MLflow gets no report of the study (RuntimeError: no course); `frontrunner report s --to" in said
