"""What `test_backends` leaves out because it compiles for long; run by name with ``-m slow``."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.backends import backend_contract as contract
from runners_tests.backends.exported_artifact import start_predict, write_artifact
from runners_tests.cpu_limit import finish, start
from torch import Tensor, nn

from runners.backend import Trained
from runners.backends import all_backends, find_backend, inductor
from runners.inputs import ExampleInputs
from runners.lowering.agreement import TOLERANCES
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed
from runners.workloads.synthetic import make_network

HERE = [name for name, backend in all_backends().items() if backend.compiles and backend.unsupported() is None]
PAIRS = [(name, precision) for name in HERE for precision in find_backend(name).precisions]
needs_inductor = pytest.mark.skipif("inductor" not in HERE, reason="needs a C++ compiler")
OPENS = """
import sys
from pathlib import Path
import numpy as np
import torch._inductor.cpp_builder as builder

def compiles(*given, **named):
    raise AssertionError("it compiles again")

builder.run_compile_cmd = compiles
from runners.backends import find_backend
predict = find_backend("inductor").open(Path(sys.argv[1]), threads=1, batch=1)
for number in (2, 3):
    files = np.load(sys.argv[number])
    np.save(sys.argv[number] + ".out.npy", predict(*(files[name] for name in files)))
"""


class Sequence(nn.Module):
    """Tokens of any length and an image to two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.image, self.last = nn.Embedding(11, 4), nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, tokens: Tensor, image: Tensor) -> Tensor:
        return self.last(self.words(tokens).mean(1) + self.image(image).mean((2, 3)))


def _lower_sequence(weights: Path, example: ExampleInputs, folder: Path) -> None:
    """As a search lowers it: a process that compiled before would keep what it has, and not write it again."""
    network = Sequence().eval()
    network.load_state_dict(torch.load(weights))
    find_backend("inductor").lower(Trained(network, lambda: folder, example, "fp32", Sequence), folder)


class Branches(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + 1 if inputs.sum() > 0 else inputs - 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), PAIRS)
def test_it_keeps_the_contract_and_its_exported_folder_runs_alone(
    name: str, precision: str, place: Path, network: nn.Module, inputs: Any, reference: Any
) -> None:
    folder, answers = place / f"{name}-{precision}", place / f"{name}-{precision}.npz"
    folder.mkdir()
    examples = tuple((row,) for row in np.split(inputs[:16], 16))
    trained = Trained(
        network, lambda: folder, ExampleInputs.of(inputs[:1]), precision, make_network, calibration=lambda: examples
    )
    find_backend(name).lower(trained, folder)
    file = place / "inputs.npy"
    command = [sys.executable, str(contract.__file__), name, str(file), json.dumps([(str(folder), str(answers))])]
    finish(start(command))
    found = dict(np.load(answers))
    contract.check(found, reference, precision)
    exported = write_artifact(place / f"exported-{name}-{precision}", name, precision, folder, inputs[:1])
    printed = finish(start_predict(exported, file, place))
    assert f"output shape {found['all'].shape}" in printed
    saved = np.load(exported.with_suffix(".npy"))
    assert np.abs(saved - found["all"]).max() <= TOLERANCES[precision].difference * np.abs(saved).max()


@pytest.mark.parametrize("name", ["aotinductor", "inductor"])
def test_what_was_compiled_for_instructions_that_a_processor_lacks_is_not_opened_here_or_by_predict_py(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}.json").write_text(json.dumps({"instructions": "AVX512"}))  # nothing else is read first
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    sentence = r"the model was compiled for AVX512, and this processor has AVX2; lower it again here"
    with pytest.raises(StageFailed, match=sentence):
        find_backend(name).open(tmp_path, threads=1, batch=1)
    program: dict[str, Any] = {}
    exec(find_backend(name).loader_source(), program)
    with pytest.raises(OSError, match=sentence):
        program["load"](tmp_path, 1)


@pytest.mark.slow
@needs_inductor
def test_torch_compile_opens_what_it_compiled_without_compiling_for_every_batch_and_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, folder = Sequence().eval(), tmp_path / "lowered"
    folder.mkdir()
    random = np.random.default_rng(0)

    def made(rows: int, length: int) -> tuple[Any, Any]:
        return random.integers(0, 11, (rows, length)), random.normal(size=(rows, 3, 8, 8)).astype(np.float32)

    example = ExampleInputs(made(1, 3), ("tokens", "image"), (1, None))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    call_fresh(_lower_sequence, tmp_path / "weights.pt", example, folder, what="lowering")
    files = []
    for number, (rows, length) in enumerate([(1, 7), (6, 9)]):
        files.append(str(tmp_path / f"{number}.npz"))
        np.savez(files[-1], *made(rows, length))
    finish(start([sys.executable, "-c", OPENS, str(folder), *files]))
    for file in files:
        given = np.load(file)
        with torch.inference_mode():
            expected = network(*(torch.from_numpy(given[name]) for name in given)).numpy()
        np.testing.assert_allclose(np.load(f"{file}.out.npy"), expected, atol=1e-5)


@pytest.mark.parametrize("name", HERE)
def test_a_branch_on_the_data_is_refused_before_anything_is_compiled(name: str, tmp_path: Path) -> None:
    example = ExampleInputs.of(np.ones((1, 4), np.float32))
    if find_backend(name).packages != ("torch",):
        pytest.skip("its own tests have what it refuses")
    with pytest.raises(StageFailed, match=r"cannot compile this network \(.*data-dependent"):
        find_backend(name).lower(Trained(Branches(), lambda: tmp_path, example, "fp32"), tmp_path)


def test_on_an_accelerator_the_program_is_moved_and_called_there_with_cuda_graphs_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, example = nn.Linear(4, 2).eval(), ExampleInputs.of(np.ones((1, 4), np.float32))
    torch.export.save(torch.export.export(network, (torch.ones(2, 4),)), tmp_path / inductor.BACKEND.artifact)
    options = inductor.compiler_options("reduce-overhead", "cuda")
    settings = {"device": "meta", "options": options, "calls": inductor.calls_of(example)[1:]}
    (tmp_path / inductor.SETTINGS).write_text(json.dumps(settings))
    asked: list[Any] = []

    def compile_it(module: Any, *, fullgraph: bool, options: Any) -> Any:
        asked.append((fullgraph, options["triton.cudagraphs"]))
        return lambda inputs: asked.append((inputs.device.type, {p.device.type for p in module.parameters()}))

    monkeypatch.setattr(torch, "compile", compile_it)
    inductor.compile_program(tmp_path, str(tmp_path / "cache"))
    assert asked == [(True, True), ("meta", {"meta"})]
    for mode in ("default", "max-autotune"):
        assert "triton.cudagraphs" not in inductor.compiler_options(mode, "cpu")
