"""An exported folder as a registered model: loaded, served, and crowned only where it is better."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from runners_tests.artifacts.linear_export import WEIGHT, export_linear

from dashboards.registry.champion import claims_of, why_not_better
from dashboards.registry.model_registry import register_model
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.tracker import Tracker, TrialResult
from runners.artifacts.sample import Sample
from spaces.errors import RequestError

SAMPLE = Sample({"input": np.array([[1, 2, 3, 4]], np.float32)}, np.array([1]))
CLAIMS = {"accuracy": 0.97, "accuracy_ci95": [0.96, 0.98], "speedup": 6.1, "speedup_ci95": [5.9, 6.4], "macs": 1}


def _document(speedup=6.1, accuracy=0.97, **changes):
    claims = {
        **CLAIMS,
        **{"speedup": speedup, "speedup_ci95": [speedup - 0.2, speedup + 0.2]},
        **{"accuracy": accuracy, "accuracy_ci95": [accuracy - 0.01, accuracy + 0.01]},
    }
    return {
        "workload": "linear",
        "origin": {"study": "night", "trial": 7},
        "runtime": {"name": "onnxruntime", "precision": "fp32"},
        "claims": claims,
        "measured": {"device": "a laptop", **changes},
    }


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (_document(speedup=7), ""),
        (_document(accuracy=0.995), ""),
        (_document(speedup=6.3), "the new one is not better in speed or accuracy beyond the intervals"),
        (_document(speedup=7, accuracy=0.9), "the new one is worse in accuracy"),
        (_document(speedup=5, accuracy=0.995), "the new one is slower"),
        (_document(speedup=9, device="a server"), "they cannot be compared, as their device differs"),
        (_document(speedup=9, metric="f1"), "they cannot be compared, as their metric differs"),
    ],
)
def test_a_version_is_crowned_only_where_it_is_better_beyond_the_intervals(new, reason):
    tags, champion = ({name: str(value) for name, value in claims_of(one).items()} for one in (new, _document()))
    assert why_not_better(tags, champion).startswith(reason)
    assert bool(why_not_better(tags, champion)) == bool(reason)


def test_less_of_an_error_is_better():
    rmse = {"metric": "rmse", "metric_unit": "K", "metric_direction": "minimize"}
    new, old = (
        {name: str(value) for name, value in claims_of(_document(accuracy=error, **rmse)).items()}
        for error in (1.5, 2.0)
    )
    assert why_not_better(new, old) == ""
    assert why_not_better(old, new) == "the new one is worse in rmse"


@pytest.fixture
def registered(home, tmp_path, monkeypatch):
    """Where the runs are, and a function that registers an export of the linear model for a trial's run."""
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    location = RunLocation("night", "linear", f"sqlite:///{home / 'mlflow.db'}", str(home / "mlartifacts"))
    tracker = Tracker(location, tmp_path / "spool")
    tracker.trial_finished(TrialResult(7, {"runtime": "onnxruntime"}))
    assert tracker.close(60)

    def register(name="fast <b>", **claims):
        number = len(list(tmp_path.glob("export-*")))
        folder = export_linear(tmp_path / f"export-{number}", sample=SAMPLE, claims={**CLAIMS, **claims})
        done = register_model(location, name, folder, tracker.run_ids()[7])
        shutil.rmtree(tmp_path / f"lowered-export-{number}")
        return done

    return location, register


def test_a_registered_model_is_loaded_without_frontrunner_and_says_what_it_claims(registered, tmp_path):
    location, register = registered
    said = [register("fast").in_words(), register("fast").in_words()]
    faster = register("fast", speedup=9.0, speedup_ci95=[8.8, 9.3])
    assert said[0] == "registered version 1 of fast (models:/fast/1); it is the champion"
    assert said[1].startswith("registered version 2 of fast (models:/fast/2); the champion stays version 1: the new")
    assert (faster.version, faster.champion) == ("3", "3")
    program = """
import sys
sys.modules["runners"] = sys.modules["dashboards"] = None
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/fast@champion")
print(model.predict(np.array([[1, 2, 3, 4]], np.float32)).tolist())
version = mlflow.MlflowClient().get_model_version_by_alias("fast", "champion")
print(version.tags["speedup"], version.tags["speedup_low"], version.tags["trial"], version.description)
print(model.metadata.signature.inputs.to_json())
print(model.input_example.tolist() if hasattr(model, "input_example") else "")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, location.tracking_uri], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert json.loads(lines[0]) == (np.array([[1, 2, 3, 4]]) @ WEIGHT).tolist()
    assert lines[1].startswith("9.0 8.8 7 **9.00x** as fast as the baseline (95 % 8.80-9.30) at accuracy **97.0 %**")
    assert json.loads(lines[2])[0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 4]}
    stored = [path for path in Path(location.artifact_root).rglob("*") if path.suffix in (".pkl", ".pickle")]
    assert stored == []


def test_a_name_that_mlflow_refuses_is_one_sentence(registered):
    _, register = registered
    with pytest.raises(RequestError, match="--register a/b: MLflow refused it"):
        register("a/b")


@pytest.mark.slow
def test_a_registered_model_answers_over_http(registered):
    location, register = registered
    register("fast")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow runs uvicorn by its name
    environment = {**os.environ, "MLFLOW_TRACKING_URI": location.tracking_uri, "PATH": scripts}
    words = ["models", "serve", "-m", "models:/fast@champion", "--env-manager", "local", "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", "mlflow", *words], env=environment, start_new_session=True)
    try:
        answer = _ask(server, f"http://127.0.0.1:{port}/invocations", {"inputs": [[1, 2, 3, 4], [0, 0, 0, 1]]})
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait(30)
    assert answer["predictions"] == (np.array([[1, 2, 3, 4], [0, 0, 0, 1]]) @ WEIGHT).tolist()


def _ask(server, address, body):
    """The answer to a POST request, as soon as there is one."""
    for _ in range(240):
        assert server.poll() is None, "the server ended"
        with suppress(ConnectionError, urllib.error.URLError):
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(address, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        time.sleep(0.5)
    raise AssertionError("no answer")
