"""The report of a study in its run in MLflow."""

from pathlib import Path
from typing import Any

import pytest
from dashboards_tests.small_study import make_document, make_report, make_trials

from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.report_file import log_report
from dashboards.tracking.tracker import Tracker, import_mlflow
from spaces.errors import RequestError


def location(home: Path, study: str) -> RunLocation:
    return RunLocation(study, "digits", f"sqlite:///{home / 'mlflow.db'}", str(home / "mlartifacts"))


@pytest.fixture
def where(tmp_path: Path, empty_database: Path) -> RunLocation:
    """The place of a study that MLflow knows."""
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    found = location(tmp_path, "known")
    tracker = Tracker(found, tmp_path / "spool")
    tracker.study_started({"seed": 0, "workload": make_document()["workload"]})
    assert tracker.close(60)
    return found


@pytest.fixture
def report() -> dict[str, Any]:
    document = make_document()
    return make_report(document, make_trials(document))


def read_page(where: RunLocation, run: str, tmp_path: Path) -> str:
    client = import_mlflow().MlflowClient(tracking_uri=where.tracking_uri)
    return Path(client.download_artifacts(run, "report.html", str(tmp_path))).read_text()


def send(where: RunLocation, tmp_path: Path, document: dict[str, Any]) -> None:
    """Send the report as a search does at its end."""
    tracker = Tracker(where, tmp_path / "spool")
    tracker.report_made(document)
    assert tracker.close(60)


def test_a_later_page_takes_the_place_of_an_earlier_one(
    where: RunLocation, report: dict[str, Any], tmp_path: Path
) -> None:
    assert log_report(where, "<p>first</p>", report) == log_report(where, "<p>second</p>", report)
    assert read_page(where, log_report(where, "<p>second</p>", report), tmp_path) == "<p>second</p>"


def test_a_study_that_is_resumed_keeps_a_whole_page_until_it_has_other_trials(
    where: RunLocation, report: dict[str, Any], tmp_path: Path
) -> None:
    run = log_report(where, "<p>whole</p>", report)
    less = {name: value for name, value in report.items() if name != "importance"}
    send(where, tmp_path, less)
    assert read_page(where, run, tmp_path) == "<p>whole</p>"
    send(where, tmp_path, less | {"all": report["all"][:-1]})
    assert "frontrunner search study.yaml" in read_page(where, run, tmp_path)


def test_a_study_that_mlflow_does_not_know_is_named(tmp_path: Path, empty_database: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    with pytest.raises(RequestError, match="MLflow has no run of unknown yet"):
        log_report(location(tmp_path, "unknown"), "<p></p>", {"all": []})
