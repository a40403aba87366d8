"""A reference finds its workload, says in one sentence why it does not, and its fingerprint sees every change."""

import subprocess
import sys
from pathlib import Path

import pytest

from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import absolute_reference, check_workload_reference, resolve
from spaces.errors import RequestError

ROOT = Path(__file__).resolve().parents[3]

FILE = """
import numpy as np
from torch import nn
from runners.workload import Workload

def data():
    pairs = np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)
    return {name: (part, np.arange(6) % 2) for name, part in zip(("train", "validation", "test"), pairs)}

WORKLOAD = Workload("mine", lambda: nn.Linear(4, 2), data)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of somebody's own, which leaves no trace on the import path or among the modules."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("layers", "mine_module"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_built_in_workload_has_a_name() -> None:
    assert resolve("synthetic").name == "synthetic"


def test_a_file_is_found_with_and_without_the_object(folder: Path) -> None:
    path = write(folder, FILE)
    assert resolve(path).name == "mine"
    assert resolve(f"{path}:WORKLOAD") is resolve(path)


def test_the_only_workload_of_a_file_may_have_any_name(folder: Path) -> None:
    assert resolve(write(folder, FILE.replace("WORKLOAD =", "PARTS ="))).name == "mine"


def test_a_workload_is_made_once_in_a_process(folder: Path) -> None:
    path = write(folder, FILE)
    assert resolve(path) is resolve(path)


def test_a_module_in_the_current_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, FILE, "mine_module.py")
    monkeypatch.chdir(folder)
    assert resolve("mine_module:WORKLOAD").name == "mine"


def test_making_a_workload_draws_nothing_from_the_random_numbers_of_others(folder: Path) -> None:
    import torch

    path = write(folder, FILE + "import torch; torch.rand(3)\n")
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    resolve(path)
    assert torch.equal(torch.rand(2), expected)


def test_a_search_py_beside_the_workload_does_not_shadow_ours(folder: Path) -> None:
    write(folder, "raise SystemExit('this is the wrong search')", "search.py")
    write(folder, "WIDTH = 4", "layers.py")
    path = write(folder, FILE + "import search.objectives.constraint\nfrom layers import WIDTH\n")
    program = (
        f"from runners.workload_loading.reference import resolve; print(resolve({path!r}).name)\n"
        "import search; print(search)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine\n")
    assert str(ROOT / "search" / "__init__.py") in done.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\ny = 1 / 0\n", r"running mine\.py failed at .*/mine\.py:2: ZeroDivisionError: division by zero$"),
        ("def f(:\n", r"running mine\.py failed at .*/mine\.py:1: SyntaxError: "),
        ("import nothing_of_that_name\n", r"mine\.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("import sys\nsys.exit(3)\n", r"mine\.py:2: SystemExit: 3"),
        ("x = 1\n", r"mine\.py has no WORKLOAD; it defines no Workload at all"),
        ("WORKLOAD = 3\n", r"WORKLOAD in mine\.py is of type int; it must be a runners\.workload\.Workload"),
        (FILE.replace("WORKLOAD", "A") + "B = Workload('b', A.model, data)\n", r"no WORKLOAD; it defines A, B$"),
        ("from layers import f\n\nf()\n", r"layers\.py:3: ValueError: two lines$"),
    ],
)
def test_an_error_in_somebodys_file_is_one_sentence(folder: Path, text: str, sentence: str) -> None:
    write(folder, "def f():\n\n    raise ValueError('two\\nlines')\n", "layers.py")
    with pytest.raises(RequestError, match=sentence) as refusal:
        resolve(write(folder, text))
    assert "\n" not in str(refusal.value)


def test_a_file_that_failed_can_be_mended_in_the_same_process(folder: Path) -> None:
    with pytest.raises(RequestError):
        resolve(write(folder, "1 / 0"))
    assert resolve(write(folder, FILE)).name == "mine"


def test_an_unknown_object_names_the_nearest(folder: Path) -> None:
    with pytest.raises(RequestError, match=r"has no WORKLAOD; it defines WORKLOAD \(did you mean 'WORKLOAD'\?\)"):
        resolve(write(folder, FILE) + ":WORKLAOD")


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("digitz", r"unknown workload 'digitz'; allowed are digits, synthetic, .* \(did you mean 'digits'\?\)"),
        ("mine", r"for the file write mine\.py"),
        ("mien.py", r"there is no file mien\.py .*\(did you mean 'mine\.py'\?\)"),
        ("mine.py:", "ends in a colon"),
        ("mine.py:1st", "unknown workload .mine.py:1st.; allowed are"),
        ("notes.txt", "is no Python file"),
        ("folder/net", "is no Python file"),
        (3, "3 names no workload"),
        ({"model": "torchvision:resnet18"}, "needs 'data'"),
        ({"model": "resnet18", "data": {"imagefolder": "."}}, "torchvision: and a model's name"),
        ({"model": "torchvision:resnet18", "data": {"imagefolder": "no"}}, "there is no folder"),
        ({"model": "torchvision:resnet18", "dta": 1}, r"unknown key 'dta' in workload.*did you mean 'data'"),
        ({"model": "torchvision:resnet18", "data": {"imagefolder": "."}, "epochs": 0}, "whole number from 1 to 10000"),
        ({"model": "torchvision:resnet18", "data": {"imagefolder": "."}, "weights": "w.h5"}, "FILE.safetensors"),
        (
            {"model": "torchvision:resnet18", "data": {"imagefolder": "."}, "weights": "w.safetensors"},
            "there is no file",
        ),
        ("a\0.py", r"'a\\x00.py' cannot be looked for \(embedded null byte\); allowed are"),
        ("x" * 5000 + ".py", r"'x{200}' cannot be looked for \(.*File name too long"),
        ({"model": "torchvision:resnet18", "data": {"imagefolder": "a\0"}}, "cannot be looked for"),
    ],
)
def test_a_wrong_reference_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reference: object, sentence: str
) -> None:
    write(folder, FILE)
    write(folder, "", "notes.txt")
    monkeypatch.chdir(folder)
    with pytest.raises(RequestError, match=sentence):
        check_workload_reference(reference)  # type: ignore[arg-type]


def test_a_reference_is_checked_without_torch_and_without_running_the_file(folder: Path) -> None:
    path = write(folder, "raise RuntimeError('run')")
    program = (
        "import sys; from runners.workload_loading.reference import check_workload_reference as check;"
        f"check({path!r}); check('digits'); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_a_relative_path_becomes_absolute(folder: Path) -> None:
    write(folder, FILE)
    assert absolute_reference("mine.py:WORKLOAD", folder) == f"{folder / 'mine.py'}:WORKLOAD"
    mapping = absolute_reference({"model": "torchvision:resnet18", "data": {"imagefolder": "."}}, folder)
    assert mapping == {
        "model": "torchvision:resnet18",
        "data": {"imagefolder": str(folder)},
        "epochs": 20,
        "batch_size": 128,
    }
    assert absolute_reference(mapping, Path("/")) == mapping


def prints(folder: Path, **files: str) -> str:
    """The fingerprint of a fresh copy of the workload, with more files beside it."""
    folder.mkdir()
    path = write(folder, files.pop("mine", FILE))
    for name, text in files.items():
        write(folder, text, f"{name}.py")
    return fingerprint(resolve(path), path)


def test_the_fingerprint_sees_data_code_plan_and_what_is_imported_from_beside(folder: Path) -> None:
    with_layers = "import layers\n" + FILE
    plain = prints(folder / "a")
    assert prints(folder / "b") == plain, "the folder does not matter"
    assert prints(folder / "c", mine=FILE.replace("default_rng(0)", "default_rng(1)")) != plain
    assert prints(folder / "d", mine=FILE + "# changed") != plain
    assert prints(folder / "e", layers="WIDTH = 1") == plain, "a file that is not imported does not matter"
    narrow = prints(folder / "f", mine=with_layers, layers="from widths import W", widths="W = 1")
    wide = prints(folder / "g", mine=with_layers, layers="from widths import W", widths="W = 2")
    assert narrow != wide


PRETRAINED = """
from pathlib import Path
import torch

def model():
    network = nn.Linear(4, 2)
    value = float((Path(__file__).parent.parent / "weights.txt").read_text())
    network.load_state_dict({name: torch.full_like(t, value) for name, t in network.state_dict().items()})
    return network

WORKLOAD = Workload("mine", model, data, pretrained=True)
"""


def test_the_fingerprint_sees_the_weights_that_a_pretrained_model_loads(folder: Path) -> None:
    write(folder, "1.0", "weights.txt")
    first = prints(folder / "a", mine=FILE + PRETRAINED)
    assert prints(folder / "b", mine=FILE + PRETRAINED) == first
    write(folder, "2.0", "weights.txt")
    assert prints(folder / "c", mine=FILE + PRETRAINED) != first
