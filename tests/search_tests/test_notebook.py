"""Searches from Python: in a real notebook, in a script that runs a search when it is imported, and twice in one."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import pytest
from guides import ROOT, example
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from search_tests.simulation import CHOICES, FACTS, MACHINE, Recording, table

import search
from runners.workload import Workload
from runners.workloads import synthetic
from search import RequestError, load_front, search_study
from search.notebook import Front, _request
from search.request.study_request import StudyRequest

WORKLOAD_CELL = """%%writefile workload.py
import numpy as np
from torch import nn

from runners.workload import TrainingPlan, Workload

random = np.random.default_rng(0)
inputs = random.normal(size=(300, 4)).astype(np.float32)
targets = (280 + 9 * inputs[:, :1] - 3 * inputs[:, 1:2]).astype(np.float32)
cuts = {"train": slice(0, 200), "validation": slice(200, 250), "test": slice(250, 300)}


def rmse(outputs, targets):
    return float(np.sqrt(np.square(outputs - targets).mean()))


WORKLOAD = Workload(
    name="degrees",
    model=lambda: nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1)),
    data=lambda: {name: (inputs[cut], targets[cut]) for name, cut in cuts.items()},
    metric=rmse,
    higher_is_better=False,
    metric_unit="K",
    loss=nn.MSELoss(),
    training=TrainingPlan(epochs=3, learning_rate=1e-3),
)
"""
SIMULATED = f"""import sys
sys.path.append({str(ROOT / "tests")!r})
from runners.executors import ray
from runners.runner import WorkloadFacts
from search_tests.simulation import MACHINE, SimulatedRunner, measurement

FACTS = WorkloadFacts("degrees", "f" * 64, metric="rmse", higher_is_better=False, metric_unit="K")
rows = lambda configuration: measurement(9.0, 2.0, accuracy_ci95=(8.0, 10.0))
ray.RayRunner = lambda *_: SimulatedRunner(MACHINE, FACTS, rows)
"""
"""A cell after which searches carry out no stage, but read their figures from a table."""
SEARCH = "search_study(workload='workload.py', study='s', trials=2, space=SPACE, home='home')"
SPACE = "SPACE = {'runtime': ['onnxruntime'], 'threads': [1]}"
CELLS = (
    WORKLOAD_CELL,
    "",
    f"from search import load_front, search_study\n{SPACE}\nfront = {SEARCH}",
    "front",
    "assert list(front.table.trial) == [0, 1] or list(front.table.trial) == [0]\n"
    "assert set(front.trials.trial) == {0, 1}\n"
    "assert front.trials.accuracy.min() > 1\n"
    "assert load_front('s', 'home').document['status'] == 'finished'\n"
    "assert front.figure().layout.yaxis.title.text == 'rmse, K (less is better)'",
    "from runners.workload import Workload\nOWN = Workload('own', lambda: None, lambda: {})\n"
    "try:\n    search_study(workload=OWN)\nexcept Exception as error:\n    print(type(error).__name__, error)",
)
SCRIPT = f"""from search import search_study
print('begins')
{SPACE}
front = {SEARCH}
print(front, len(front.trials), front.document['status'])
"""


@pytest.fixture(scope="module", params=["simulated", pytest.param("with Ray", marks=pytest.mark.slow)])
def how(request: pytest.FixtureRequest) -> str:
    """How the notebook searches: what it shows is the same."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(how: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebook, of the workload that it writes, and of the home of its study."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def outputs(how: str, folder: Path) -> list[str]:
    """What each cell of the notebook gave, its HTML or its text."""
    cells = [cell or (SIMULATED if how == "simulated" else "") for cell in CELLS]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    done: Any = client.execute()
    return [_text(cell) for cell in done.cells]


def _text(cell: nbformat.NotebookNode) -> str:
    shown = [output.get("data", {}).get("text/html") or output.get("text", "") for output in cell.outputs]
    return "".join(shown)


def test_a_notebook_shows_the_front_of_a_search_as_a_table(outputs: list[str]) -> None:
    assert "trial 1" in outputs[2], "the progress"
    assert outputs[3].startswith("<div><b>s</b>: ")
    assert "rmse" in outputs[3]
    assert " K</td>" in outputs[3]


def test_one_process_searches_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.commands.tracking.recording.TRACKING_WAIT_S", 0.1)
    monkeypatch.setattr("runners.executors.ray.RayRunner", lambda *_: Recording(MACHINE, FACTS, table, workers=2))
    found = [
        search_study(workload="digits", study="twice", space=CHOICES, trials=trials, home=tmp_path) for trials in (2, 3)
    ]
    assert [len(front.trials) for front in found] == [2, 3]
    assert load_front("twice", tmp_path).document["status"] == "finished"


def test_a_workload_that_is_made_in_the_notebook_itself_is_refused_in_one_sentence(outputs: list[str]) -> None:
    assert outputs[5].startswith("RequestError workload: a Workload that is made in the notebook or script itself")
    assert "%%writefile workload.py" in outputs[5]


@pytest.mark.slow
def test_a_script_without_a_guard_goes_on_with_the_study_and_runs_in_no_other_process(
    outputs: list[str], folder: Path, how: str
) -> None:
    if how == "simulated":
        pytest.skip("it starts no other process")
    script = folder / "find.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=240, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("begins") == 1
    assert "begins" not in done.stderr, "what other processes print goes there"
    assert "<front of s: " in done.stdout
    assert done.stdout.endswith(" 2 finished\n")


@pytest.fixture(scope="module")
def front(outputs: list[str], folder: Path) -> Front:
    """The front of the study of the notebook."""
    return load_front("s", folder / "home")


def test_a_front_is_a_table_of_its_members_and_of_all_trials(front: Front) -> None:
    assert front.table.configuration[0] == "baseline"
    assert {"accuracy", "accuracy_low", "accuracy_high", "latency_p50_ms", "size_mib"} <= set(front.table.columns)
    assert front.trials.trial.tolist() == [0, 1]
    assert set(front.trials.state) == {"complete"}
    assert front.document["study"] == "s"
    assert repr(front) == f"<front of s: {front.headline}>"


def test_a_front_has_a_figure_and_a_rich_display_without_scripts(front: Front) -> None:
    assert front.figure().layout.xaxis.title.text.startswith("speedup")
    shown = front._repr_html_()
    assert shown.count("<tr>") == 1 + len(front.table)
    assert "<script" not in shown
    assert front.headline.partition(":")[0] in shown


def test_an_export_is_refused_with_the_sentence_of_the_command(front: Front, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^--within speed<=1: unknown quantity 'speed'; allowed are accuracy"):
        front.export(tmp_path / "out", within="speed<=1")
    with pytest.raises(RequestError, match=r"^--pick 99: no complete trial has that number"):
        front.export(tmp_path / "out", pick=99)


def test_the_example_of_the_guide_runs(front: Front, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[StudyRequest] = []
    exported: list[Any] = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr(search, "search_study", lambda **settings: asked.append(_request(None, settings)) or front)
    monkeypatch.setattr(search, "load_front", lambda study: load_front("s", folder / "home"))
    monkeypatch.setattr(Front, "export", lambda self, *to, **options: exported.append((*to, options)))
    exec(example(ROOT / "search" / "README.md", "from_python.py"), {})
    assert asked[0].trials == 12
    assert exported == [("fast", {"pick": "fastest", "within": "accuracy_drop<=0.01"})]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"trails": 3}, r"unknown key 'trails'; allowed are .* \(did you mean 'trials'\?\)"),
        ({"trials": 0}, "--trials 0: give a whole number, 1 or more"),
        ({"workload": "digit"}, "--workload digit: unknown workload 'digit'"),
        ({"workload": Workload("own", lambda: None, lambda: {})}, "%%writefile workload.py"),
    ],
)
def test_a_wrong_setting_raises_the_sentence_of_the_command(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        search_study(**settings)


def test_settings_come_from_a_file_from_keywords_and_from_a_checked_request(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("trials: 7\nseed: 3\n")
    request = _request(file, {"trials": 9})
    assert (request.trials, request.seed) == (9, 3)
    assert _request(request, {}) is request
    assert _request(request, {"seed": 4}) == StudyRequest(trials=9, seed=4)


def test_an_object_is_named_by_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = "from runners.workload import Workload\nOWN = Workload('own', lambda: None, lambda: {})\n"
    (tmp_path / "alone_workload.py").write_text(made)
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("")
    (tmp_path / "a_package" / "sizes.py").write_text("HIDDEN = 8\n")
    (tmp_path / "a_package" / "own.py").write_text(f"from .sizes import HIDDEN\n{made}")
    (tmp_path / "asks.py").write_text(
        "from alone_workload import OWN as ALONE\nfrom a_package.own import OWN\nfrom search.notebook import _request\n"
        "NAMED = [_request(None, {'workload': workload}).workload for workload in (ALONE, OWN)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    try:
        named = import_module("asks").NAMED
    finally:
        for name in ("asks", "alone_workload", "a_package", "a_package.own", "a_package.sizes"):
            sys.modules.pop(name, None)
    assert named == [f"{tmp_path / 'alone_workload.py'}:OWN", "a_package.own:OWN"]
    assert _request(None, {"workload": synthetic.WORKLOAD}).workload == "runners.workloads.synthetic:WORKLOAD"


def test_a_file_that_searches_while_it_is_loaded_as_a_workload_is_refused(tmp_path: Path) -> None:
    from runners.workload_loading.reference import resolve

    file = tmp_path / "both.py"
    file.write_text("from search import search_study\nsearch_study(workload=__file__)\n")
    with pytest.raises(RequestError, match=r"^both.py, line 2: .*under `if __name__ == '__main__':`"):
        resolve(str(file))


def test_importing_search_is_light_and_names_what_it_offers() -> None:
    program = "import sys, search; print(sorted({'torch', 'optuna', 'ray', 'pandas', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
    assert all(hasattr(search, name) for name in search.__all__)
    assert not hasattr(search, "something_else")
