"""Complete searches with real Ray, training and MLflow: what a person gets, and what a crash must not lose."""

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from search_tests.command import RunningSearch, document, eventually, frontrunner
from search_tests.whole_search import HOME, TRIALS, Searched

from runners.backends import all_backends
from runners.machine.device import usable_cores

BY_DEFAULT = {name for name, backend in all_backends().items() if backend.by_default}
FIGURES = """
    accuracy accuracy_ci95 accuracy_test speedup speedup_ci95 latency_p50_ms latency_p90_ms throughput_per_s
    size_mib macs parameters peak_memory_mib train_seconds lowering_seconds
"""


def test_the_front_is_one_document_as_documented(searched: Searched) -> None:
    front = searched.document
    assert (front["study"], front["status"], front["workload"]) == ("digits", "finished", "small-digits")
    assert (front["trials"], front["failed"]) == (TRIALS, 0)
    assert [objective["name"] for objective in front["objectives"]] == ["accuracy", "speedup"]
    assert all(set(objective) == {"name", "direction", "unit"} for objective in front["objectives"])
    assert front["hypervolume"] > 0
    assert front["front"]
    for member in [front["baseline"], *front["front"]]:
        assert set(FIGURES.split()) <= set(member["measurement"])
        assert set(member["configuration"]) >= {"student_width", "numeric_precision", "runtime"}
        assert re.fullmatch("[0-9a-f]{32}", member["run_id"])


def test_the_baseline_is_trial_0_and_as_fast_as_itself(searched: Searched) -> None:
    baseline = searched.document["baseline"]
    assert baseline["trial"] == 0
    assert baseline["measurement"]["speedup"] == pytest.approx(1.0, abs=0.1)
    assert baseline["measurement"]["accuracy_drop"] == 0
    assert baseline["configuration"]["numeric_precision"] == "fp32"
    assert baseline["configuration"]["runtime"] == "eager"


def test_the_front_is_evaluated_on_the_test_split_and_the_search_is_not(searched: Searched) -> None:
    for member in searched.document["front"]:
        assert 0 <= member["measurement"]["accuracy_test"] <= 1
        assert member["searched"].get("accuracy_test") is None


def test_no_member_of_the_front_dominates_another_for_certain(searched: Searched) -> None:
    members = [member["measurement"] for member in searched.document["front"]]
    margin = {"accuracy": 1.0, "speedup": 1 + searched.document["resolution"]}

    def dominates(a: dict[str, Any], b: dict[str, Any]) -> bool:
        certain = any(a[f"{name}_ci95"][0] > b[f"{name}_ci95"][1] * margin[name] for name in margin)
        return all(a[name] >= b[name] for name in margin) and certain

    assert not any(dominates(a, b) for a in members for b in members)


def test_mlflow_has_a_run_for_the_study_and_one_below_it_for_each_trial(searched: Searched) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{searched.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("small-digits")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.data.params["runtime"] for run in children} <= BY_DEFAULT
    assert {int(run.data.tags["frontrunner.trial"]) for run in children} == set(range(TRIALS))
    assert all({"speedup", "ci95/speedup_low", "ci95/speedup_high"} <= set(run.data.metrics) for run in children)
    on_front = {run.info.run_id for run in children if run.data.tags.get("pareto") == "true"}
    assert on_front == {member["run_id"] for member in searched.document["front"]}
    history = sorted(client.get_metric_history(parent.info.run_id, "hypervolume"), key=lambda m: m.timestamp)
    volumes = [metric.value for metric in history]
    assert len(volumes) == TRIALS + 1, "one for each trial, and one after the final measurement"
    assert volumes[:-1] == sorted(volumes[:-1])
    local = Path(client.download_artifacts(parent.info.run_id, "front.json"))
    kept = json.loads(local.read_text())
    assert [m["trial"] for m in kept["front"]] == [m["trial"] for m in searched.document["front"]]


def test_the_study_is_listed(searched: Searched) -> None:
    listed = document(frontrunner("studies", "--home", HOME, "--json", cwd=searched.folder))
    (study,) = [study for study in listed["studies"] if study["study"] == "digits"]
    assert (study["status"], study["trials"], study["front"]) == ("finished", TRIALS, len(searched.document["front"]))


def test_the_front_is_shown_again_as_json_csv_and_tables(searched: Searched) -> None:
    def show(*flags: str) -> Any:
        return frontrunner("front", "digits", "--home", HOME, *flags, cwd=searched.folder)

    assert document(show("--json")) == searched.document
    everything = document(show("--json", "--all"))["all"]
    assert [(trial["trial"], trial["state"]) for trial in everything] == [(n, "complete") for n in range(TRIALS)]
    rows = list(csv.DictReader(io.StringIO(show("--csv").stdout)))
    trials = {int(row["trial"]) for row in rows}
    assert trials == {0} | {member["trial"] for member in searched.document["front"]}
    assert all(math.isfinite(float(row["speedup"])) for row in rows)
    for flags in ((), ("--all",)):
        shown = show(*flags)
        assert shown.returncode == 0
        assert "accuracy" in shown.stdout


def test_an_exported_folder_runs_alone(exported: Path, tmp_path: Path) -> None:
    names = {file.name for file in exported.iterdir()}
    assert {"frontrunner.json", "README.md", "predict.py"} < names
    assert any(name.startswith("model.") for name in names)
    alone = [sys.executable, "-I", str(exported / "predict.py")]
    done = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow  # `test_guide_commands` verifies the folder, too, and reads the exit code
def test_the_claims_of_an_exported_folder_hold(exported: Path) -> None:
    checked = document(frontrunner("verify", exported, "--json", "--home", HOME, cwd=exported.parent))
    assert checked["holds"] is True
    assert {claim["name"] for claim in checked["claims"]} >= {"accuracy", "accuracy_test", "speedup"}


@pytest.mark.slow
def test_the_baseline_can_be_exported_and_says_on_how_many_threads_it_was_timed(searched: Searched) -> None:
    folder, threads = searched.folder / "as-it-was", searched.document["baseline"]["configuration"]["threads"]
    assert ("1" in searched.document["baseline_by_threads"]) is (usable_cores() > 1), "each number was timed"
    done = frontrunner("export", "digits", "--to", folder, "--pick", "0", "--home", HOME, cwd=searched.folder)
    assert done.returncode == 0, done.stderr
    written = json.loads((folder / "frontrunner.json").read_text())
    assert written["measured"]["baseline_threads"] == threads
    assert "The network as it was given" in (folder / "README.md").read_text()


def test_a_changed_byte_in_an_exported_model_is_refused(exported: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in exported.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    model = next(file for file in sorted(changed.iterdir()) if file.name.startswith("model."))
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    done = frontrunner("verify", changed, cwd=tmp_path)
    assert done.returncode == 2
    assert model.name in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_export_never_writes_into_a_folder_that_exists(searched: Searched, exported: Path) -> None:
    before = {file.name: file.read_bytes() for file in exported.iterdir()}
    beside = {path.name for path in exported.parent.iterdir()}
    done = frontrunner("export", "digits", "--to", exported, "--home", HOME, cwd=searched.folder)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert {file.name: file.read_bytes() for file in exported.iterdir()} == before
    assert {path.name for path in exported.parent.iterdir()} == beside


TIMED_ANEW = ("final", "calibrating")
"""Stages that each study runs itself."""


@pytest.mark.slow
def test_a_second_study_computes_no_stage_that_the_first_one_has(searched: Searched) -> None:
    """Both studies propose the same candidates, and measure the front again only where it differs."""
    arguments = ("search", "study.yaml", "--study", "second", "--home", HOME, "--json")
    done = frontrunner(*arguments, cwd=searched.folder)
    first, second = computed(searched.stderr), computed(done.stderr)
    assert document(done)["trials"] == TRIALS
    known = configurations(searched, "digits")
    fresh = {number for number, text in configurations(searched, "second").items() if text not in known.values()}
    assert len(fresh) <= 2, "the same seed asks for nearly the same candidates"
    assert [(trial, stage) for trial, stage in second if trial not in fresh and stage not in TIMED_ANEW] == []
    assert len(second) < len(first) / 2


@pytest.mark.slow
def test_the_very_same_command_again_adds_nothing(searched: Searched) -> None:
    done = frontrunner("search", "study.yaml", "--home", HOME, "--json", cwd=searched.folder)
    assert computed(done.stderr) == []
    assert document(done) == searched.document


def computed(stderr: str) -> list[tuple[int, str]]:
    """The stages that were not in the store, from the lines of the progress display."""
    return [(int(n), stage) for n, stage in re.findall(r"^trial (\d+): (\w+) took ", stderr, re.MULTILINE)]


def configurations(searched: Searched, study: str) -> dict[int, str]:
    """The choices of each trial as text."""
    everything = document(frontrunner("front", study, "--home", HOME, "--json", "--all", cwd=searched.folder))["all"]
    return {trial["trial"]: json.dumps(trial["configuration"], sort_keys=True) for trial in everything}


QUICK = """\
workload: synthetic
study: quick
trials: 3
space:
  student_width: [1.0, 0.75, 0.5, 0.25]
  runtime: [eager, onnxruntime]
"""


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[RunningSearch]:
    """A search with one finished trial and another that runs."""
    (tmp_path / "quick.yaml").write_text(QUICK)
    search = RunningSearch(("search", "quick.yaml", "--home", "home"), tmp_path)
    try:
        search.wait_until_said("[1 of 3")
        yield search
    finally:
        search.end()


def test_ctrl_c_leaves_no_process_and_no_traceback_and_the_study_can_be_resumed(quick: RunningSearch) -> None:
    started = {process.pid for process in quick.living()}
    assert len(started) > 3, "the mark is inherited by Ray's processes"
    quick.process.send_signal(signal.SIGINT)
    assert quick.process.wait(60) == 130
    assert "Traceback" not in quick.said
    assert "frontrunner resume quick" in quick.said
    assert eventually(lambda: not quick.living(), 20), [process.cmdline() for process in quick.living()]
    check_resumed(quick.cwd)


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_and_loses_no_trial(quick: RunningSearch) -> None:
    quick.process.kill()
    quick.process.wait(10)
    assert eventually(lambda: not quick.living(), 30), [process.cmdline() for process in quick.living()]
    check_resumed(quick.cwd)


def check_resumed(folder: Path) -> None:
    """Resume, and check that each trial is there once, with the measurement that it had."""
    show = ("front", "quick", "--home", "home", "--json", "--all")
    before = document(frontrunner(*show, cwd=folder))["all"]
    front = document(frontrunner("resume", "quick", "--home", "home", "--json", cwd=folder))
    after = document(frontrunner(*show, cwd=folder))["all"]
    assert (front["trials"], front["failed"], front["status"]) == (3, 0, "finished")
    assert [trial["trial"] for trial in after] == list(range(3))
    assert len({json.dumps(trial["configuration"], sort_keys=True) for trial in after}) == 3
    for old, new in zip(before, after, strict=False):
        assert new["configuration"] == old["configuration"]
        if old["state"] == "complete":
            assert (new["searched"] or new["measurement"]) == (old["searched"] or old["measurement"])


TRAPPED = '''\
import os, signal
import torch
from torch import nn
from runners.workload import Workload
from runners.workloads.synthetic import make_splits
from spaces.plans import TrainingPlan


class Trap(nn.Module):
    """Works for the teacher, and fails in another way for each width during training."""

    def forward(self, x):
        if self.training and x.shape[1] == 24:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.training and x.shape[1] == 16:
            return x * float("nan")
        if self.training and x.shape[1] == 8:
            raise RuntimeError("the trap has sprung")
        return x


def make_network():
    return nn.Sequential(nn.Conv2d(1, 32, 3, 1, 1), Trap(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(32, 4))


WORKLOAD = Workload("trapped", make_network, make_splits, training=TrainingPlan(epochs=1, batch_size=16))
'''


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_or_diverges_or_raises_fails_alone_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "trapped.py").write_text(TRAPPED)
    study = "workload: trapped.py\ntrials: 5\nspace:\n  student_width: [1.0, 0.75, 0.5, 0.25, 0.125]\n"
    (tmp_path / "study.yaml").write_text(study)
    front = document(frontrunner("search", "study.yaml", "--home", "home", "--json", cwd=tmp_path))
    show = frontrunner("front", "trapped", "--home", "home", "--json", "--all", cwd=tmp_path)
    by_width = {trial["configuration"]["student_width"]: trial for trial in document(show)["all"]}
    assert (front["status"], front["trials"], front["failed"]) == ("finished", 5, 3)
    assert {width: by_width[width]["state"] for width in (1, 0.125)} == {1: "complete", 0.125: "complete"}
    assert "killed by signal 9 (SIGKILL)" in by_width[0.75]["failure"]
    assert "diverged" in by_width[0.5]["failure"]
    assert "RuntimeError: the trap has sprung" in by_width[0.25]["failure"]
    assert by_width[0.75]["measurement"] in (None, {})


def test_the_tests_can_tell_a_living_process_from_a_dead_one(tmp_path: Path) -> None:
    search = RunningSearch(("--help",), tmp_path)
    search.process.wait(20)
    assert search.living() == []
    sleeper = subprocess.Popen(["sleep", "20"], env={**os.environ, "TEST_COMMAND_MARK": search.mark})
    try:
        assert eventually(lambda: [process.pid for process in search.living()] == [sleeper.pid], 5)
    finally:
        search.end()
        sleeper.wait()
