"""The exported folder appears whole or not at all, and is refused once anything in it is not as it was written."""

import fcntl
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from runners_tests.artifacts.linear_export import EXAMPLE, WEIGHT, export_linear, linear_model

from runners.artifacts.document import DOCUMENT
from runners.artifacts.exported_folder import open_exported_folder
from runners.artifacts.integrity import digest_of, read_document
from runners.artifacts.model_card import figure_rows, model_card
from runners.artifacts.sample import Sample
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from spaces.errors import RequestError


@pytest.fixture(autouse=True)
def leases(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("leases")
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(folder))
    return folder


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return export_linear(tmp_path / "export")


def test_what_the_data_say_of_their_preparation_stands_in_the_document_and_on_the_card(tmp_path: Path) -> None:
    folder = export_linear(tmp_path / "export", preparation="Values are divided by 255.")
    told = json.loads((folder / DOCUMENT).read_text())["preprocessing"]
    assert told.endswith("nothing is prepared inside the model. Values are divided by 255.")
    assert told in (folder / "README.md").read_text()


def test_the_folder_holds_what_it_says(exported: Path) -> None:
    read_document(exported)
    document = json.loads((exported / DOCUMENT).read_text())
    assert sorted(document["files"]) == ["README.md", "model.onnx", "predict.py", "requirements.txt"]
    assert sorted(path.name for path in exported.iterdir()) == sorted([*document["files"], "frontrunner.json"])
    pinned = (exported / "requirements.txt").read_text().split()
    assert pinned == [f"{name}=={document['versions'][name]}" for name in ("numpy", "onnxruntime")]
    assert document["schema_version"] == 1
    assert document["configuration"] == {"student_width": 0.5, "runtime": "onnxruntime"}
    assert document["claims"]["speedup_ci95"] == [5.9, 6.4]
    assert document["input"] == {"name": "input", "dtype": "float32", "shape": ["batch", 4]}
    assert document["output"] == {"name": "output", "dtype": "float32", "shape": ["batch", 2]}
    assert {"frontrunner", "numpy", "onnxruntime"} <= set(document["versions"])
    assert document["origin"] == {"study": "night", "trial": 7}


def test_an_opened_folder_predicts(exported: Path) -> None:
    inputs = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    outputs = open_exported_folder(exported, threads=1, batch=5)(inputs)
    np.testing.assert_allclose(outputs, inputs @ WEIGHT, rtol=1e-5)


def test_it_is_tried_on_a_real_sample_whose_label_and_class_are_told(tmp_path: Path) -> None:
    sample = Sample({"input": np.array([[9, 0, 0, 0]], np.float32)}, np.array([1]), ("cat", "dog"))
    folder = export_linear(tmp_path / "export", sample=sample)
    read_document(folder)
    done = subprocess.run(
        [sys.executable, "-I", folder / "predict.py"], capture_output=True, text=True, timeout=60, check=False
    )
    said = ["output shape (1, 2)", "argmax [1]", "class ['dog']", "the label of this sample is dog"]
    assert (done.stdout.splitlines(), done.stderr) == (said, "")


def test_a_package_that_is_missing_is_one_sentence(exported: Path) -> None:
    program = (exported / "predict.py").read_text().replace("('numpy', 'onnxruntime')", "('numpy', 'no_such_runtime')")
    (exported / "predict.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-I", exported / "predict.py"], capture_output=True, text=True, timeout=60, check=False
    )
    sentence = "predict.py needs the package no_such_runtime: python -m pip install -r requirements.txt\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)


def test_it_still_opens_after_it_was_moved(exported: Path, tmp_path: Path) -> None:
    moved = exported.rename(tmp_path / "elsewhere")
    assert open_exported_folder(moved, threads=1, batch=1)(EXAMPLE).shape == (1, 2)


def test_the_card_puts_the_numbers_beside_the_baseline(exported: Path) -> None:
    text = (exported / "README.md").read_text()
    assert "| speedup | x | 6.1 (5.9 to 6.4) | 1 (0.99 to 1.01) |" in text
    assert "| macs | MAC | 1,234,567 | 7,654,321 |" in text
    assert "study night, trial 7" in text
    assert "AMD EPYC, 2 cores" in text
    assert "{" not in text


def test_the_card_says_how_the_baseline_was_called_and_served(exported: Path) -> None:
    document = json.loads((exported / DOCUMENT).read_text())
    document["measured"]["baseline_threads"] = 2
    document["baseline"] |= {"latency_p50_ms": 1.408, "served_with": {"replicas": 2, "threads": 1}}
    text = model_card(document)
    assert "called by PyTorch in eager mode on 2 threads, 1.41 ms a call." in text
    assert "all busy at once, and the baseline's of 2 with 1 each." in text
    assert "A network that Frontrunner made faster, exported from study night" in text
    assert "The network as it was given, exported from" in model_card({**document, "claims": document["baseline"]})
    assert "eager mode on 1 thread" in (exported / "README.md").read_text()


def test_the_card_says_why_the_numbers_may_not_be_true(tmp_path: Path) -> None:
    doubts = ["not to be trusted: the machine was busy", "figures from the search"]
    text = (export_linear(tmp_path / "export", measured={"doubts": doubts}) / "README.md").read_text()
    assert "\n".join(f"\n**{doubt}**" for doubt in doubts) in text


def test_the_model_is_written_beside_no_measurement_and_its_check_can_take_the_device(
    tmp_path: Path, leases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, free = type(find_backend("onnxruntime")), []
    real = kind.ship

    def ship(*given: Any) -> None:
        free.extend([_is_free(leases, fcntl.LOCK_SH), _is_free(leases, fcntl.LOCK_EX)])
        real(*given)

    monkeypatch.setattr(kind, "ship", ship)
    export_linear(tmp_path / "export", check=lambda folder: free.append(_is_free(leases, fcntl.LOCK_EX)))
    assert free == [True, False, True]


def _is_free(leases: Path, how: int) -> bool:
    """Whether somebody else could have the device in that way now."""
    with (leases / "cpu.lock").open() as file, suppress(BlockingIOError):
        fcntl.flock(file, how | fcntl.LOCK_NB)
        return True
    return False


def test_the_card_leaves_out_what_was_not_measured() -> None:
    rows = figure_rows({"accuracy": 0.9, "accuracy_test": None}, {})
    assert rows == ["| accuracy | fraction | 0.9 |  |"]


def test_the_card_has_the_interval_of_a_drop_on_both_splits() -> None:
    claims = {"accuracy_drop": 0.01, "accuracy_drop_ci95": [0.0, 0.02], "accuracy_test_drop": 0.003}
    rows = figure_rows({**claims, "accuracy_test_drop_ci95": [-0.01, 0.02]}, {"accuracy_drop": 0.0})
    assert rows == [
        "| accuracy_test_drop | fraction | 0.003 (-0.01 to 0.02) |  |",
        "| accuracy_drop | fraction | 0.01 (0 to 0.02) | 0 |",
    ]


def test_an_existing_destination_is_left_alone(exported: Path) -> None:
    before = (exported / DOCUMENT).read_bytes()
    (exported.parent / "lowered-export").rename(exported.parent / "aside")
    with pytest.raises(RequestError, match="exists already"):
        export_linear(exported)
    assert (exported / DOCUMENT).read_bytes() == before


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "export").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RequestError, match="exists already"):
        export_linear(tmp_path / "export")


def _raise(error: BaseException) -> Callable[[Path], None]:
    def check(folder: Path) -> None:
        assert (folder / DOCUMENT).exists()
        raise error

    return check


@pytest.mark.parametrize("error", [RequestError("slower than claimed"), KeyboardInterrupt(), OSError("disk full")])
def test_a_check_that_fails_leaves_nothing_behind(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)):
        export_linear(tmp_path / "export", check=_raise(error))
    assert [path.name for path in tmp_path.iterdir()] == ["lowered-export"]


def test_an_artifact_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"INVALID_ARGUMENT"):
        export_linear(tmp_path / "export", example=ExampleInputs.of(np.ones((1, 5), np.float32)))
    assert [path.name for path in tmp_path.iterdir()] == ["lowered-export"]


def test_a_figure_that_is_not_a_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        export_linear(tmp_path / "export", claims={"accuracy": float("nan")})
    assert not (tmp_path / "export").exists()


def _rewrite(folder: Path, **changes: Any) -> None:
    document = json.loads((folder / DOCUMENT).read_text())
    (folder / DOCUMENT).write_text(json.dumps({**document, **changes}))


def _rename_in_document(folder: Path, name: str) -> None:
    files = json.loads((folder / DOCUMENT).read_text())["files"]
    _rewrite(folder, files={**files, name: files["README.md"]})


def _link_away(folder: Path) -> None:
    outside = folder.parent / "outside.md"
    (folder / "README.md").rename(outside)
    (folder / "README.md").symlink_to(outside)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no document": (lambda f: (f / DOCUMENT).unlink(), "holds no frontrunner.json"),
    "torn document": (lambda f: (f / DOCUMENT).write_text('{"schema_version": 1, '), "is damaged"),
    "document without files": (lambda f: _rewrite(f, files=None), "is damaged"),
    "document that is a list": (lambda f: (f / DOCUMENT).write_text("[1]"), "is damaged"),
    "later schema": (lambda f: _rewrite(f, schema_version=2), "schema version 2, and this program reads 1"),
    "unknown runtime": (lambda f: _rewrite(f, runtime={"name": "tflite"}), "unknown backend 'tflite'"),
    "missing file": (lambda f: (f / "model.onnx").unlink(), "model.onnx is missing"),
    "changed file": (lambda f: (f / "model.onnx").write_bytes(b"\0" * 10), "model.onnx was changed"),
    "appended script": (lambda f: (f / "predict.py").open("a").write("#"), "predict.py was changed"),
    "file outside": (lambda f: _rename_in_document(f, "../secret"), "'../secret', which lies outside"),
    "absolute path": (lambda f: _rename_in_document(f, "/etc/hostname"), "which lies outside"),
    "file without a hash": (lambda f: _rewrite(f, files={}), "README.md is not among the files that"),
    "model without a hash": (lambda f: (f / "model.pt2").write_bytes(b"PK"), "model.pt2 is not among the files that"),
    "link outside": (_link_away, "'README.md', which lies outside"),
}


@pytest.mark.parametrize(("damage", "complaint"), DAMAGE.values(), ids=DAMAGE)
def test_a_folder_that_is_not_as_it_was_written_is_refused(
    damage: Callable[[Path], Any], complaint: str, exported: Path
) -> None:
    damage(exported)
    with pytest.raises(RequestError, match=complaint):
        open_exported_folder(exported, threads=1, batch=1)


def test_arrays_and_compiled_python_may_lie_beside_the_model(exported: Path) -> None:
    (exported / "__pycache__").mkdir()
    np.save(exported / "outputs.npy", EXAMPLE)
    assert open_exported_folder(exported, threads=1, batch=1)(EXAMPLE).shape == (1, 2)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="give a folder that `frontrunner export` wrote"):
        read_document(tmp_path / "nothing")


def _outside_tensor() -> Any:
    tensor = numpy_helper.from_array(WEIGHT, "weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    return tensor


def _in_initializer(model: Any) -> None:
    del model.graph.initializer[:]
    model.graph.initializer.append(_outside_tensor())


def _in_constant(model: Any) -> None:
    del model.graph.initializer[:]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["weight"], value=_outside_tensor()))


def _in_branch(model: Any) -> None:
    constant = helper.make_node("Constant", [], ["inner"], value=_outside_tensor())
    branch = helper.make_graph([constant], "branch", [], [])
    model.graph.node.insert(0, helper.make_node("If", ["input"], [], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize("hide", [_in_initializer, _in_constant, _in_branch])
def test_onnx_weights_outside_the_folder_are_refused_though_the_hashes_fit(
    hide: Callable[[Any], None], exported: Path
) -> None:
    model = linear_model()
    hide(model)
    (exported / "model.onnx").write_bytes(model.SerializeToString())
    files = json.loads((exported / DOCUMENT).read_text())["files"]
    _rewrite(exported, files={**files, "model.onnx": digest_of(exported / "model.onnx").model_dump()})
    with pytest.raises(RequestError, match=r"reads weights from '\.\./secret\.bin'"):
        open_exported_folder(exported, threads=1, batch=1)
