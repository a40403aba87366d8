"""A study in a real MLflow database."""

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import make_url

from dashboards.tracking import tracker
from dashboards.tracking.mlflow_runs import RunLocation
from dashboards.tracking.spool import read_run_ids
from dashboards.tracking.sqlite_url import sqlite_url
from dashboards.tracking.tracker import Tracker, TrialResult

SETTINGS = {"trials": 6, "seed": 0, "constraints": ["latency_p90_ms<=5"]}


def _tracker(home, study="digits-1"):
    location = RunLocation(study, "digits", f"sqlite:///{home / 'mlflow.db'}", str(home / "mlartifacts"))
    return Tracker(location, home / "spool" / study)


def _tell_all(tracker, document, trials):
    tracker.study_started(SETTINGS)
    for number, trial in enumerate(trials):
        found = trial["trial"], trial["configuration"], trial["measurement"]
        tracker.trial_finished(TrialResult(*found, hypervolume=0.1 * number, seconds=2.5))
    failure = "the artifact could not be lowered"
    tracker.trial_finished(TrialResult(20, {"runtime": "openvino"}, failure=failure, seconds=1.0))
    tracker.trial_finished(TrialResult(21, {"runtime": "eager"}, seconds=1.0))
    tracker.front_changed(document, trials)
    tracker.study_ended("finished")


@pytest.fixture
def client(home):
    import mlflow

    uri = f"sqlite:///{home / 'mlflow.db'}"
    return mlflow.MlflowClient(uri, uri)


@pytest.fixture
def runs(client):
    """Returns all runs of the experiment by name at each call; a name that occurs twice fails."""

    def ask():
        found = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
        named = {run.info.run_name: run for run in found}
        assert len(named) == len(found)
        return named

    return ask


def test_a_study_is_a_run_with_a_run_below_it_for_each_trial(home, document, trials, client, runs):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    assert tracker.close(60)
    found = runs()
    assert set(found) == {"digits-1", *(f"trial {number}" for number in (0, 2, 4, 9, 17, 20, 21))}
    study = found.pop("digits-1")
    assert study.info.status == "FINISHED"
    settings = {"trials": "6", "seed": "0", "constraints": '["latency_p90_ms<=5"]'}
    assert study.data.params == {**settings, "baseline_threads": "1"}
    assert study.data.tags["baseline"] == "PyTorch eager, fp32, 1 thread, 8 ms"
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {study.info.run_id}
    history = client.get_metric_history(study.info.run_id, "hypervolume")
    grown = {point.step: round(point.value, 6) for point in history}
    assert grown == {0: 0, 2: 0.1, 4: 0.2, 17: 0.3, 9: 0.4}
    _check_a_trial(found["trial 17"])
    assert (found["trial 20"].info.status, found["trial 20"].data.tags["failure"]) == (
        ("FAILED", "the artifact could not be lowered")
    )
    assert found["trial 21"].info.status == "KILLED"
    ids = {int(name.split()[1]): run.info.run_id for name, run in found.items()}
    assert tracker.run_ids() == read_run_ids(home / "spool" / "digits-1") == ids


def test_a_baseline_that_changed_and_what_the_runtime_alone_gives_are_tags_of_the_study(
    home, document, trials, runs, member
):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    document["baseline"]["configuration"]["threads"] = 2
    document["runtime_alone"] = {**member(4, 0.986, 4.0, runtime="openvino"), "searched": {"speedup": 4.1}}
    tracker.front_changed(document, trials)
    assert tracker.close(60)
    study = runs()["digits-1"]
    assert study.data.tags["baseline"] == "PyTorch eager, fp32, 2 threads, 8 ms"
    assert study.data.params["baseline_threads"] == "1", "MLflow keeps the first value of a parameter"
    assert study.data.tags["runtime_alone"] == "runtime alone: 4.00x (95 % 3.60-4.50), openvino, 1 thread (trial 4)"
    assert study.data.metrics["runtime_alone_speedup"] == 4.0


def _check_a_trial(run):
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 2500
    assert run.data.params["numeric_precision"] == "int8"
    assert run.data.metrics["speedup"] == 14.2
    assert (run.data.metrics["speedup_low"], run.data.metrics["speedup_high"]) == (14.2 - 0.4, 14.2 + 0.5)
    assert run.data.metrics["accuracy_test"] == 0.978
    assert run.data.metrics["final_speedup"] == 14.2
    assert run.data.tags["pareto"] == "true"
    assert "unstable" not in run.data.metrics


def test_the_front_is_a_table_a_page_and_a_document(home, document, trials, client, runs):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    tracker.front_changed(document, trials)
    assert tracker.close(60)
    study = runs()["digits-1"]
    files = {file.path: file.file_size for file in client.list_artifacts(study.info.run_id)}
    assert set(files) == {"front.csv", "front.html", "front.json", "front_table.json", "settings.json"}
    folder = home / "mlartifacts" / "digits" / study.info.run_id / "artifacts"
    assert json.loads((folder / "front.json").read_text()) == document
    assert list(_load_table(client, study)["trial"]) == [0, 9, 17, 4]
    assert study.data.tags["mlflow.note.content"].startswith("fastest within one accuracy point")


def _load_table(client, study):
    """The table as MLflow reads it, from the tracking URI of the process."""
    import mlflow

    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        return client.load_table(study.info.experiment_id, "front_table.json", [study.info.run_id])
    finally:
        mlflow.set_tracking_uri(None)


def test_a_member_that_leaves_the_front_gets_another_tag(home, document, trials, runs):
    smaller = deepcopy(document)
    smaller["front"] = [member for member in document["front"] if member["trial"] != 9]
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    assert tracker.flush(60)
    tracker.front_changed(smaller, trials)
    assert tracker.close(60)
    marks = {name: run.data.tags.get("pareto") for name, run in runs().items()}
    assert (marks["trial 9"], marks["trial 17"], marks["trial 2"]) == ("false", "true", None)


def test_sending_everything_again_changes_nothing(home, document, trials, client, runs):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    assert tracker.close(60)
    before = {name: (run.info.run_id, run.data.to_dictionary()) for name, run in runs().items()}
    (home / "spool" / "digits-1" / "sent.json").unlink()
    assert _tracker(home).close(60)
    assert {name: (run.info.run_id, run.data.to_dictionary()) for name, run in runs().items()} == before
    assert len(client.get_metric_history(before["digits-1"][0], "hypervolume")) == 5


def test_a_study_that_is_continued_is_the_same_run(home, document, trials, runs):
    first = _tracker(home)
    first.study_started(SETTINGS)
    first.study_ended("interrupted")
    assert first.close(60)
    assert runs()["digits-1"].info.status == "KILLED"
    second = _tracker(home)
    second.study_started({**SETTINGS, "trials": 12, "timeout_s": 60})
    assert second.flush(60)
    study = runs()["digits-1"]
    assert study.info.status == "RUNNING"
    assert (study.data.params["trials"], study.data.params["timeout_s"]) == ("6", "60")
    assert second.close(60)


def test_a_database_that_was_lost_is_filled_again(home, document, trials, empty_database, runs):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    assert tracker.close(60)
    before = set(runs())
    (home / "mlflow.db").write_bytes(empty_database.read_bytes())
    again = _tracker(home)
    again.study_ended("finished")
    assert again.close(60)
    import mlflow

    fresh = mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}", f"sqlite:///{home / 'mlflow.db'}")
    experiment = fresh.get_experiment_by_name("digits")
    assert {run.info.run_name for run in fresh.search_runs([experiment.experiment_id])} == before


def test_studies_of_one_experiment_are_kept_apart_whatever_their_names(home, document, trials, client):
    for study in ("plain", 'o\'brien "x"'):
        tracker = _tracker(home, study)
        tracker.trial_finished(TrialResult(1, {}))
        assert tracker.close(60)
        (home / "spool" / study / "sent.json").unlink()
        assert _tracker(home, study).close(60)
    found = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert sorted(run.info.run_name for run in found) == ['o\'brien "x"', "plain", "trial 1", "trial 1"]


def test_a_record_that_mlflow_rejects_does_not_hold_up_the_rest(home, runs):
    tracker = _tracker(home)
    tracker.trial_finished(TrialResult(1, {"not/a//name": "x"}))
    tracker.trial_finished(TrialResult(2, {"runtime": "eager"}))
    assert tracker.close(60)
    assert runs()["trial 2"].data.params == {"runtime": "eager"}
    assert "not/a//name" in (home / "spool" / "digits-1" / "refused.jsonl").read_text()


def test_a_server_that_is_away_does_not_keep_the_search_or_the_exit_waiting(tmp_path):
    program = """
import sys
from pathlib import Path
from dashboards.tracking.mlflow_runs import RunLocation
from dashboards.tracking.tracker import Tracker
tracker = Tracker(RunLocation("s", "e", "http://127.0.0.1:9"), Path(sys.argv[1]))
tracker.study_started({"trials": 3})
assert "mlflow" not in sys.modules or not tracker.flush(0)
print(tracker.close(0.1), tracker.run_ids())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False {}\n"
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 1


def test_importing_the_tracking_imports_no_mlflow():
    program = "import sys, dashboards.tracking.tracker; sys.exit('mlflow' in sys.modules or 'plotly' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_database_is_made_whole_or_not_at_all(tmp_path):
    file = tmp_path / "mlflow.db"

    class Ended(BaseException):
        """As where the process is ended while MLflow makes its tables."""

    class Client:
        ends = True

        def __init__(self, tracking_uri):
            Path(make_url(tracking_uri).database).write_text("tables")

        def search_experiments(self):
            if Client.ends:
                raise Ended

    mlflow = SimpleNamespace(MlflowClient=Client)
    with pytest.raises(Ended):
        tracker._create_database(mlflow, sqlite_url(file))
    assert list(tmp_path.iterdir()) == []
    Client.ends = False
    tracker._create_database(mlflow, sqlite_url(file))
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_creating_a_database_prints_nothing_and_sends_no_telemetry(tmp_path):
    program = """
import os, sys
from pathlib import Path
from dashboards.tracking.mlflow_runs import RunLocation
from dashboards.tracking.tracker import Tracker, TrialResult
home = Path(sys.argv[1])
location = RunLocation("s", "e", f"sqlite:///{home / 'mlflow.db'}", str(home / "mlartifacts"))
tracker = Tracker(location, home / "spool")
tracker.trial_finished(TrialResult(1, {"runtime": "eager"}))
assert tracker.close(100)
assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "spool"]
