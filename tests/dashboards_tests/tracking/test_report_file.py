"""The report of a study in its run in MLflow."""

from pathlib import Path

import pytest
from dashboards_tests.small_study import make_document

from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.report_file import log_report
from dashboards.tracking.tracker import Tracker, import_mlflow
from spaces.errors import RequestError


def location(home: Path, study: str) -> RunLocation:
    return RunLocation(study, "digits", f"sqlite:///{home / 'mlflow.db'}", str(home / "mlartifacts"))


def test_a_later_page_takes_the_place_of_an_earlier_one(tmp_path: Path, empty_database: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    where = location(tmp_path, "known")
    tracker = Tracker(where, tmp_path / "spool")
    tracker.study_started({"seed": 0, "workload": make_document()["workload"]})
    assert tracker.close(60)
    assert log_report(where, "<p>first</p>") == log_report(where, "<p>second</p>")
    run = log_report(where, "<p>second</p>")
    client = import_mlflow().MlflowClient(tracking_uri=where.tracking_uri)
    found = client.download_artifacts(run, "report.html", str(tmp_path))
    assert Path(found).read_text() == "<p>second</p>"


def test_a_study_that_mlflow_does_not_know_is_named(tmp_path: Path, empty_database: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    with pytest.raises(RequestError, match="MLflow has no run of unknown yet"):
        log_report(location(tmp_path, "unknown"), "<p></p>")
