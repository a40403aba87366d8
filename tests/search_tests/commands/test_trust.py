"""Code of an exported folder runs where this home exported it so, or where a person says ``--trust``."""

from pathlib import Path
from typing import Any

import pytest
from runners_tests.artifacts.short_verification import shorten
from search_tests.command import frontrunner

from runners.artifacts.document import DOCUMENT
from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.integrity import read_document
from runners.backend import Trained
from runners.backends import find_backend
from runners.measuring.opening import Artifact
from runners.workloads.synthetic import WORKLOAD
from search.commands import time as timing
from search.commands import verify as verifying
from search.commands.known_exports import code_of, remember
from search.commands.time import TimeOptions, time_files
from search.commands.verify import verify_folder
from search.request.locations import Home
from spaces.errors import RequestError

pytestmark = pytest.mark.faults("hostile file")

FIGURES = {"accuracy": 0.001, "speedup": 1.0, "speedup_ci95": [1.0, 1.0]}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are verified or timed; nothing is really opened."""
    folders: list[Path] = []

    def open_all(*given: Any, **named: Any) -> list[Any]:
        folders.append(given[0])
        named["begun"]()
        return []

    def compare(request: Any, **named: Any) -> None:
        folders.extend([request.a, request.b])
        raise RequestError("compared")

    monkeypatch.setattr(verifying, "verify", open_all)
    monkeypatch.setattr(timing, "compare_files", compare)
    return folders


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    file = tmp_path / "workload.py"
    file.write_text("import layers\nfrom pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    (tmp_path / "layers.py").write_text("WIDTH = 1\n")
    return file


@pytest.fixture
def exported(tmp_path: Path, workload: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shorten(monkeypatch, tmp_path)
    return export(tmp_path, str(workload))


def export(folder: Path, reference: str, runtime: str = "torchscript") -> Path:
    lowered = folder / "lowered"
    lowered.mkdir()
    trained = Trained(WORKLOAD.model().eval(), lambda: Path(), WORKLOAD.example_inputs, "fp32")
    find_backend(runtime).lower(trained, lowered)
    model = ExportedModel(
        artifact=Artifact(lowered, runtime, threads=1),
        precision="fp32",
        build=WORKLOAD.model,
        example=WORKLOAD.example_inputs,
        workload="synthetic",
        configuration={},
        claims=FIGURES,
        baseline=FIGURES,
        measured={"device": "a machine", "baseline_threads": 1, "seed": 0},
        origin={"workload": reference},
    )
    return write_exported_folder(folder / "exported", model)


def verify(folder: Path, home: Home, *, trust: bool = False) -> None:
    verify_folder(folder, home, trust=trust, as_json=True)


def edit(file: Path) -> None:
    """Change a Python file or a document, and keep it readable."""
    file.write_text(file.read_text() + "\n")


def test_a_folder_from_elsewhere_runs_nothing_until_it_is_trusted(
    exported: Path, workload: Path, home: Home, opened: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RequestError, match="--trust") as refused:
        verify(exported, home)
    assert all(str(file) in str(refused.value) for file in (workload, exported / "model.pt"))
    assert not opened
    assert not workload.with_name("ran").exists()
    verify(exported, home, trust=True)
    assert opened == [exported]
    assert str(workload) in capfd.readouterr().err, "it says what it runs"


def test_a_folder_that_this_home_exported_is_trusted_and_says_what_runs(
    exported: Path, workload: Path, home: Home, opened: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    remember(home, exported)
    verify(exported, home)
    assert opened == [exported]
    assert str(workload) in capfd.readouterr().err
    with pytest.raises(RequestError, match="--trust"):
        verify(exported, Home(home.path.with_name("another")))


@pytest.mark.parametrize("changed", ["workload.py", "layers.py", f"exported/{DOCUMENT}"])
def test_what_changed_since_it_was_exported_is_trusted_no_more(
    changed: str, exported: Path, home: Home, opened: list[Path], tmp_path: Path
) -> None:
    remember(home, exported)
    edit(tmp_path / changed)
    with pytest.raises(RequestError, match="--trust"):
        verify(exported, home)
    assert not opened


def test_a_model_that_cannot_run_code_and_a_built_in_workload_need_no_trust(tmp_path: Path) -> None:
    folder = export(tmp_path, "synthetic")
    document = read_document(folder)
    assert code_of(folder, document) == [str(folder / name) for name in ("model.pt", "torchscript.json")]
    for runtime, code in (("onnxruntime", False), ("openvino", False), ("eager", True)):
        other = document.model_copy(update={"runtime": document.runtime.model_copy(update={"name": runtime})})
        assert bool(code_of(folder, other)) == code


def test_a_folder_with_a_model_that_can_run_code_is_timed_where_it_is_trusted(
    exported: Path, home: Home, opened: list[Path], workload: Path
) -> None:
    with pytest.raises(RequestError, match=r"model\.pt.*--trust"):
        time_files(exported, exported, TimeOptions(), home, as_json=True)
    assert not opened
    remember(home, exported)
    edit(workload)  # which a timing does not run
    for known in (home, None):
        with pytest.raises(RequestError, match="compared"):
            time_files(exported, exported, TimeOptions(), known, as_json=True)
    assert opened == [exported] * 4


def test_a_model_file_that_is_named_itself_is_opened_as_it_is(exported: Path, home: Home, opened: list[Path]) -> None:
    file = exported / "model.pt"
    with pytest.raises(RequestError, match="compared"):
        time_files(file, file, TimeOptions(), home, as_json=True)
    assert opened == [file, file]


def test_the_command_ends_with_2_and_one_sentence_that_names_the_file(exported: Path, workload: Path) -> None:
    done = frontrunner("verify", exported, cwd=exported.parent)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(workload) in done.stderr
    assert "--trust" in done.stderr
    assert not workload.with_name("ran").exists()
