"""A study in a real MLflow database."""

import json
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
from dashboards_tests.small_study import make_document, make_trials
from sqlalchemy import make_url

from dashboards.tracking import tracker
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.spool import read_run_ids
from dashboards.tracking.sqlite_url import sqlite_url
from dashboards.tracking.tracker import Tracker, TrialResult

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "seed": 0,
    "constraints": ["latency_p90_ms<=5", "size_mib<=2"],
    "space": {"runtime": ["eager", "openvino"]},
    "budgets": {"trials": 6, "timeout": None},
}
ABOUT = {
    "command": "frontrunner search study.yaml",
    "study_file": "workload: digits\n",
    "environment": {"python": "3.11.2"},
    "data": {"name": "digits", "fingerprint": "a" * 64, "source": "digits", "examples": {"train": 90, "test": 10}},
}
FAILURE = "the artifact could not be lowered"
STOPPED = {"stopped": "others did better", "accuracies": {1: 0.5, 3: 0.7}, "losses": {1: 2.3, 2: 1.9, 3: 1.6}}
NAMES = {
    0: "0: baseline, 1.00x",
    2: "2: width 0.5, 2.00x",
    4: "4: openvino, 4.00x",
    9: "9: width 0.25, int8, openvino, 32.0x",
    17: "17: int8, openvino, 14.2x",
    20: "20: openvino, failed",
    21: "21: as the baseline, stopped after 3 epochs",
}


def _tracker(home, study="digits-1"):
    location = RunLocation(study, "digits", f"sqlite:///{home / 'mlflow.db'}", str(home / "mlartifacts"))
    return Tracker(location, home / "spool" / study)


def _tell_all(tracker, document, trials):
    tracker.study_started(SETTINGS, ABOUT)
    for number, trial in enumerate(trials):
        found = trial["trial"], trial["configuration"], trial["measurement"]
        tracker.trial_finished(TrialResult(*found, hypervolume=0.1 * number, seconds=2.5, front_size=number))
    tracker.trial_finished(TrialResult(20, {"runtime": "openvino"}, failure=FAILURE, seconds=1.0))
    tracker.trial_finished(TrialResult(21, {"runtime": "eager"}, seconds=1.0, **STOPPED))
    tracker.front_changed(document, trials)
    tracker.study_ended("finished")


@pytest.fixture(scope="module")
def asked(tmp_path_factory, empty_database):
    """A client and the experiment of a study that was sent once, for tests that only read."""
    import mlflow

    home, told = tmp_path_factory.mktemp("asked"), make_document()
    shutil.copy(empty_database, home / "mlflow.db")
    tracker = _tracker(home)
    _tell_all(tracker, told, make_trials(told))
    assert tracker.close(60)
    client = mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}", f"sqlite:///{home / 'mlflow.db'}")
    return client, client.get_experiment_by_name("digits")


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
    assert set(found) == {"digits-1", *NAMES.values()}
    study = found.pop("digits-1")
    assert study.info.status == "FINISHED"
    assert study.data.params == {"seed": "0", "constraints": "latency_p90_ms<=5, size_mib<=2"}
    tags = study.data.tags
    assert (tags["baseline"], tags["budget.trials"]) == ("PyTorch eager, fp32, 1 thread, 8 ms", "6")
    assert tags["command"] == ABOUT["command"]
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {study.info.run_id}
    assert [tag.value for one in study.inputs.dataset_inputs for tag in one.tags] == ["train", "test"]
    ids = {number: found[name].info.run_id for number, name in NAMES.items()}
    assert tracker.run_ids() == read_run_ids(home / "spool" / "digits-1") == ids
    _check_trials(found)
    curve = client.get_metric_history(ids[21], "training/accuracy_validation_at_rungs")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (3, 0.7)]
    losses = client.get_metric_history(ids[21], "training/loss_train")
    assert [(point.step, point.value) for point in losses] == [(1, 2.3), (2, 1.9), (3, 1.6)]


def _check_trials(found):
    measured, failed, stopped = (found[NAMES[number]] for number in (17, 20, 21))
    _check_measured(measured)
    assert (failed.info.status, failed.data.tags["failed_reason"]) == ("FAILED", FAILURE)
    assert (stopped.info.status, stopped.data.tags["stopped_at_rung"]) == ("KILLED", "3")
    assert [run.inputs.dataset_inputs[0].dataset.name for run in (measured, failed)] == ["digits", "digits"]


def _check_measured(measured):
    assert measured.info.status == "FINISHED"
    assert measured.info.end_time - measured.info.start_time == 2500
    assert measured.data.params["numeric_precision"] == "int8"
    metrics = measured.data.metrics
    assert (metrics["speedup"], metrics["accuracy_test"], metrics["trial_seconds"]) == (14.2, 0.978, 2.5)
    assert (metrics["ci95/speedup_low"], metrics["ci95/speedup_high"]) == (13.8, 14.7)
    assert not {"unstable", "batch", "final_speedup"} & set(metrics)
    assert measured.data.tags["mlflow.note.content"].startswith("**14.2x** as fast as the baseline (95 % 13.8-14.7)")


def test_the_hypervolume_grows_in_the_order_of_completion_and_ends_with_that_of_the_front(
    home, document, trials, client, runs
):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    assert tracker.close(60)
    history = client.get_metric_history(runs()["digits-1"].info.run_id, "hypervolume")
    points = [(point.step, round(point.value, 6)) for point in history]
    assert points == [(1, 0), (2, 0.1), (3, 0.2), (4, 0.3), (5, 0.4), (8, document["hypervolume"])]


QUERIES = {
    "tags.pareto = 'true'": {4, 9, 17},
    "tags.knee = 'true'": {17},
    "tags.baseline = 'true'": {0},
    "params.numeric_precision = 'int8' and metrics.accuracy > 0.95": {17},
    "metrics.speedup > 3 and metrics.`ci95/accuracy_low` > 0.97": {4, 17},
    "metrics.latency_p50_ms < 0.6": {9, 17},
    "tags.failed_reason LIKE '%lowered%'": {20},
    "tags.stopped_at_rung = '3'": {21},
    "attributes.status = 'FAILED'": {20},
    "attributes.run_name LIKE '%openvino%' and tags.measured = 'final'": {4, 9, 17},
    "dataset.name = 'digits' and metrics.speedup >= 32": {9},
}


@pytest.mark.parametrize("query", QUERIES)
def test_what_a_person_would_type_finds_the_runs(asked, query):
    client, experiment = asked
    found = client.search_runs([experiment.experiment_id], query)
    assert {int(run.data.tags["frontrunner.trial"]) for run in found} == QUERIES[query]


def test_the_guide_has_the_queries_that_are_tried_here():
    guide = (ROOT / "dashboards" / "README.md").read_text()
    assert [query for query in QUERIES if query not in guide] == []


def test_the_experiment_says_what_it_is_and_has_views_of_its_runs(asked):
    _, experiment = asked
    assert "Searches for models of **digits**" in experiment.tags["mlflow.note.content"]
    views = {name: json.loads(text) for name, text in experiment.tags.items() if "sharedViewState" in name}
    assert {view["name"] for view in views.values()} == {"Trials, fastest first", "Pareto front"}
    for view in views.values():
        assert "metrics.`speedup`" in json.loads(view["state"])["selectedColumns"]


def test_the_final_measurement_takes_the_place_of_that_of_the_search(home, document, trials, runs, member):
    tracker = _tracker(home)
    unstable = member(4, 0.99, 3.0, unstable="the machine was busy", runtime="openvino")
    left = {**trials[1], "searched": {"speedup": 3.0}, "measurement": {**trials[1]["measurement"], "speedup": 1.5}}
    tracker.trial_finished(TrialResult(4, unstable["configuration"], unstable["measurement"], hypervolume=0.1))
    tracker.trial_finished(TrialResult(2, trials[1]["configuration"], trials[1]["measurement"], hypervolume=0.1))
    assert tracker.flush(60)
    assert runs()["4: openvino, 3.00x"].data.tags["unstable"] == "the machine was busy"
    tracker.front_changed(document, [left])
    assert tracker.close(60)
    final = runs()["4: openvino, 4.00x"]
    assert (final.data.metrics["speedup"], final.data.tags["measured"]) == (4.0, "final")
    assert "unstable" not in final.data.tags
    assert final.data.tags["pareto"] == "true"
    gone = runs()["2: width 0.5, 1.50x"]
    assert (gone.data.metrics["speedup"], gone.data.tags["pareto"]) == (1.5, "false")


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
    assert study.data.tags["runtime_alone"] == "runtime alone: 4.00x (95 % 3.60-4.50), openvino, 1 thread (trial 4)"
    assert study.data.metrics["runtime_alone_speedup"] == 4.0


def test_the_front_is_a_table_a_page_and_a_document(home, document, trials, client, runs):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    tracker.front_changed(document, trials)
    assert tracker.close(60)
    study = runs()["digits-1"]
    files = {file.path: file.file_size for file in client.list_artifacts(study.info.run_id)}
    assert set(files) == {
        *("front.csv", "front.html", "front.json", "front.png", "front_table.json"),
        *("settings.json", "study.yaml", "environment.json"),
    }
    folder = home / "mlartifacts" / "digits" / study.info.run_id / "artifacts"
    assert json.loads((folder / "front.json").read_text()) == document
    table = _load_table(client, study)
    assert list(table["trial"]) == [0, 9, 17, 4]
    assert list(table.columns[:4]) == ["trial", "configuration", "speedup x", "speedup 95 %"]
    assert list(table["note"]) == ["", "", "knee", ""]
    note = study.data.tags["mlflow.note.content"]
    assert note.startswith("**Fastest within one accuracy point")
    assert f"![the front](get-artifact?path=front.png&run_uuid={study.info.run_id})" in note


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
    assert (marks[NAMES[9]], marks[NAMES[17]], marks[NAMES[2]]) == ("false", "true", None)


def test_sending_everything_again_changes_nothing(home, document, trials, client, runs):
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    assert tracker.close(60)
    before = {name: (run.info.run_id, run.data.to_dictionary()) for name, run in runs().items()}
    (home / "spool" / "digits-1" / "sent.json").unlink()
    assert _tracker(home).close(60)
    assert {name: (run.info.run_id, run.data.to_dictionary()) for name, run in runs().items()} == before
    assert len(client.get_metric_history(before["digits-1"][0], "hypervolume")) == 6


def test_a_study_that_is_continued_is_the_same_run(home, document, trials, runs):
    first = _tracker(home)
    first.study_started(SETTINGS)
    first.study_ended("interrupted")
    assert first.close(60)
    assert runs()["digits-1"].info.status == "KILLED"
    second = _tracker(home)
    second.study_started({**SETTINGS, "budgets": {"trials": 12, "timeout": 60.0}, "metric": "accuracy"})
    assert second.flush(60)
    study = runs()["digits-1"]
    assert study.info.status == "RUNNING"
    assert (study.data.params["seed"], study.data.params["metric"]) == ("0", "accuracy")
    assert (study.data.tags["budget.trials"], study.data.tags["budget.timeout"]) == ("12", "60.0")
    assert second.close(60)


@pytest.mark.faults("mlflow away")
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
    names = [run.info.run_name for run in found]
    assert sorted(names) == ["1: as the baseline, not measured"] * 2 + ['o\'brien "x"', "plain"]


def test_a_record_that_mlflow_rejects_does_not_hold_up_the_rest(home, runs):
    tracker = _tracker(home)
    tracker.trial_finished(TrialResult(1, {"not/a//name": "x"}))
    tracker.trial_finished(TrialResult(2, {"runtime": "eager"}))
    assert tracker.close(60)
    assert runs()["2: as the baseline, not measured"].data.params == {"runtime": "eager"}
    assert "not/a//name" in (home / "spool" / "digits-1" / "refused.jsonl").read_text()


@pytest.mark.faults("mlflow away")
def test_an_older_server_that_knows_no_datasets_gets_all_else(home, document, trials, monkeypatch, runs):
    import mlflow

    def unknown(*_: object) -> None:
        raise mlflow.exceptions.RestException({"error_code": "ENDPOINT_NOT_FOUND", "message": "no such page"})

    monkeypatch.setattr(mlflow.MlflowClient, "log_inputs", unknown)
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    tracker.front_changed(document, trials)
    assert tracker.close(60)
    found = runs()
    _check_measured(found[NAMES[17]])
    assert found["digits-1"].data.tags["command"] == ABOUT["command"]


def test_a_front_that_cannot_be_drawn_is_there_without_a_picture(home, document, trials, client, monkeypatch, runs):
    def broken(_: object) -> bytes:
        raise RuntimeError("no fonts")

    monkeypatch.setattr("dashboards.tracking.front_files.front_png", broken)
    tracker = _tracker(home)
    _tell_all(tracker, document, trials)
    tracker.front_changed(document, trials)
    assert tracker.close(60)
    study = runs()["digits-1"]
    assert "front.png" not in {file.path for file in client.list_artifacts(study.info.run_id)}
    assert "![" not in study.data.tags["mlflow.note.content"]


def test_a_server_that_is_away_does_not_keep_the_search_or_the_exit_waiting(tmp_path):
    program = """
import sys
from pathlib import Path
from dashboards.tracking.mlflow_store import RunLocation
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


@pytest.mark.faults("torn write")
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
from dashboards.tracking.mlflow_store import RunLocation
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
