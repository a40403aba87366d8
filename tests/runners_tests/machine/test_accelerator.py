"""Training and the torch backends on an accelerator: one that is pretended, as no test can count on a real one."""

import subprocess
import sys
from dataclasses import asdict, replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from runners_tests.pretended_accelerator import Elsewhere, pretended_accelerator
from runners_tests.small_workload import write_small_workload

from runners.artifacts.model_file import open_model
from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.torch_predictor import OnAccelerator, program_module, torch_predictor
from runners.lowering.weights import save_network
from runners.machine.accelerator import process_group_backend, torch_device
from runners.measuring.opening import Baseline
from runners.measuring.pair import device_p50_ms
from runners.measuring.tuning import keeps_accuracy
from runners.processes.fork_server import PRELOAD
from runners.runner import StageTask
from runners.stages.job import StageJob
from runners.stages.teacher import run as run_teacher
from runners.training.level import train_level
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.workload import Workload
from runners.workload_loading.imported_libraries import SLOW
from runners.workload_loading.reference import resolve

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    return resolve(write_small_workload(tmp_path_factory.mktemp("workload")))


@pytest.fixture
def network(workload: Workload) -> torch.nn.Module:
    torch.manual_seed(1)
    network: torch.nn.Module = workload.model().eval()
    return network


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def two_levels(workload: Workload, start: Path, to: Path) -> list[dict[str, bytes]]:
    """What two levels with distillation wrote, the second of which goes on with the state of the first."""
    folders = [start, to / "first", to / "second"]
    for epoch, (parent, folder) in enumerate(pairwise(folders)):
        folder.mkdir(parents=True)
        settings = TrainingSettings(replace(workload.training, epochs=2, distillation_weight=0.5))
        level = Level(settings, range(epoch, epoch + 1), seed=5)
        train_level(workload, level, LevelFolders(parent, start, folder))
    return [contents(folder) for folder in folders[1:]]


def test_levels_on_an_accelerator_write_the_files_of_those_on_the_processor(
    workload: Workload, network: torch.nn.Module, tmp_path: Path
) -> None:
    (tmp_path / "start").mkdir()
    save_network(network, tmp_path / "start")
    here = two_levels(workload, tmp_path / "start", tmp_path / "here")
    with pretended_accelerator() as accelerator:
        there = two_levels(workload, tmp_path / "start", tmp_path / "there")
    assert there == here
    assert "training_state.safetensors" in there[0]
    assert accelerator.handed_over > 1000, "all of the training is its work"
    assert accelerator.synchronised == 2, "the clock of a level stops when the work is done"


def test_the_teacher_is_trained_on_it_and_counted_and_saved_on_the_processor(
    workload: Workload, tmp_path: Path
) -> None:
    plan = {**asdict(workload.training), "epochs": 1, "autocast": "fp32"}
    task = StageTask(
        "teacher", "", {"plan": plan}, {}, workload=None, seed=3, cpus=1, gpus=0, exclusive=False, configuration=""
    )
    results = {}
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        job = StageJob(task, {}, tmp_path / name, workload)
        if name == "here":
            results[name] = run_teacher(job)
            continue
        with pretended_accelerator() as accelerator:
            results[name] = run_teacher(job)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert results["there"]["macs"] == results["here"]["macs"]
    assert accelerator.handed_over > 500


def test_a_loss_that_is_a_module_goes_where_the_network_is(workload: Workload, tmp_path: Path) -> None:
    class Weighted(torch.nn.CrossEntropyLoss):
        def __init__(self) -> None:
            super().__init__(weight=torch.full((4,), 0.5))

    (tmp_path / "start").mkdir()
    save_network(workload.model(), tmp_path / "start")
    own = replace(workload, loss=Weighted())
    with pretended_accelerator():
        levels = two_levels(own, tmp_path / "start", tmp_path / "there")
    assert levels == two_levels(replace(workload, loss=Weighted()), tmp_path / "start", tmp_path / "here")


def test_the_stand_in_refuses_what_an_accelerator_refuses() -> None:
    with pretended_accelerator():
        there = torch.ones(3).to(torch_device())
        assert isinstance(there, Elsewhere)
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_eager_network_answers_from_the_accelerator_in_arrays(
    workload: Workload, network: torch.nn.Module, tmp_path: Path, precision: str
) -> None:
    inputs = workload.example_inputs.repeated(3)[0]
    eager = find_backend("eager")
    eager.lower(Trained(network, lambda: tmp_path, ExampleInputs.of(inputs[:1]), precision), tmp_path)
    expected = eager.open(tmp_path, threads=1, batch=3, build=workload.model)(inputs)
    with pretended_accelerator() as accelerator:
        predictor = eager.open(tmp_path, threads=1, batch=3, build=workload.model)
        before = accelerator.handed_over
        answer = predictor(inputs)
    assert isinstance(predictor, OnAccelerator)
    assert accelerator.handed_over > before
    assert type(answer) is np.ndarray
    assert np.array_equal(answer, expected)


def test_a_call_is_complete_when_it_returns_even_where_no_copy_to_the_host_waits_for_it(
    network: torch.nn.Module, workload: Workload
) -> None:
    with pretended_accelerator() as accelerator:
        torch_predictor(network, 1)(workload.example_inputs.arrays[0])
        assert accelerator.synchronised == 0, "the copy of the outputs waits"
        torch_predictor(lambda inputs: network(inputs).cpu(), 1)(workload.example_inputs.arrays[0])
        assert accelerator.synchronised == 1


def test_a_program_written_on_the_processor_is_moved_with_the_devices_written_into_it() -> None:
    class MakesItsOwn(torch.nn.Module):
        """Has a tensor that no ``.to`` reaches."""

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs + torch.ones(3, device="cpu")

    program = torch.export.export(MakesItsOwn(), (torch.zeros(2, 3),))
    assert program_module(program, CPU)(torch.zeros(2, 3)).device == CPU
    assert program_module(program, torch.device("meta"))(torch.zeros(2, 3, device="meta")).device.type == "meta"


def test_torchscript_is_moved_while_it_is_loaded(
    workload: Workload, network: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in cannot hold what C++ loads, so only where it is to go is looked at."""
    backend = find_backend("torchscript")
    backend.lower(Trained(network, lambda: tmp_path, workload.example_inputs, "fp32"), tmp_path)
    places, load = [], torch.jit.load

    def watched(file: Any, map_location: Any = None) -> Any:
        places.append(str(map_location))
        return load(file, map_location="cpu")

    monkeypatch.setattr(torch.jit, "load", watched)
    backend.open(tmp_path, threads=1, batch=1)
    monkeypatch.setattr("runners.machine.accelerator.torch_device", lambda: torch.device("cuda", 0))
    monkeypatch.setattr("runners.lowering.torch_predictor.torch_device", lambda: CPU)
    backend.open(tmp_path, threads=1, batch=1)
    assert places == ["cpu", "cuda:0"]


def test_machine_code_of_the_processor_stays_there_beside_an_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(inputs: torch.Tensor) -> torch.Tensor:
        assert type(inputs) is torch.Tensor, "it is on the accelerator"
        return inputs + 1

    monkeypatch.setattr("torch._inductor.aoti_load_package", lambda path: compiled)
    monkeypatch.setattr("runners.backends.aotinductor.load_compiled", lambda folder: compiled)
    file, inputs = tmp_path / "model.pt2", np.ones((2, 3), np.float32)
    with ZipFile(file, "w") as archive:
        archive.writestr("model/data/aotinductor/model.so", "")
    with pretended_accelerator() as accelerator:
        opened = find_backend("aotinductor").open(tmp_path, threads=1, batch=2)
        timed = open_model(file, 1).make_predictor((inputs.shape,))
        for predictor in (opened, timed):
            np.testing.assert_array_equal(predictor(inputs), inputs + 1)
    assert accelerator.handed_over == 0


def test_the_time_on_the_device_is_that_between_its_events_for_the_computing_alone(
    workload: Workload, network: torch.nn.Module
) -> None:
    with pretended_accelerator() as accelerator:
        predictor = torch_predictor(network, 1)
        given = predictor.place(*workload.example_inputs.arrays)  # type: ignore[attr-defined]
        before = accelerator.handed_over
        with torch.inference_mode():
            predictor.call(*given)  # type: ignore[attr-defined]
        operations = accelerator.handed_over - before
        assert device_p50_ms(predictor, workload.example_inputs.arrays) == operations > 5


def test_what_runs_on_the_processor_has_no_time_on_the_device(workload: Workload, network: torch.nn.Module) -> None:
    assert device_p50_ms(torch_predictor(network, 1), workload.example_inputs.arrays) is None
    with pretended_accelerator():
        assert device_p50_ms(lambda inputs: inputs, workload.example_inputs.arrays) is None, (
            "such as a session of ONNX Runtime"
        )


@pytest.mark.parametrize(
    ("found", "workers", "places", "backend"),
    [(0, 2, ["cpu", "cpu"], "gloo"), (1, 2, ["cuda:0"] * 2, "gloo"), (2, 2, ["cuda:0", "cuda:1"], "nccl")],
)
def test_each_worker_has_an_accelerator_of_its_own_where_there_are_enough(
    found: int, workers: int, places: list[str], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = torch.device("cuda") if found else None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: current)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: found)
    devices = [torch_device(rank) for rank in range(workers)]
    assert [str(device) for device in devices] == places
    assert {process_group_backend(device, workers) for device in devices} == {backend}


def test_the_server_of_fresh_processes_asks_for_no_device_while_it_imports() -> None:
    refuse = "def refuse(*_, **__): raise AssertionError('asked for a device')\n"
    asked = [f"torch.accelerator.{name}" for name in ("current_accelerator", "is_available", "device_count")]
    asked += [f"torch.cuda.{name}" for name in ("is_available", "device_count", "_lazy_init")]
    imports = "\n".join(f"import {name}" for name in (*PRELOAD, *SLOW) if find_spec(name))
    program = f"import torch\n{refuse}" + "\n".join(f"{name} = refuse" for name in asked) + f"\n{imports}\n"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_tuned_baseline_computes_with_tf32_in_channels_last_and_a_plain_one_does_not(
    workload: Workload, network: torch.nn.Module, tmp_path: Path
) -> None:
    save_network(network, tmp_path)
    (example,) = workload.example_inputs.arrays
    seen: list[tuple[str, bool]] = []

    def look(module: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
        placed = given[0].held.is_contiguous(memory_format=torch.channels_last)  # type: ignore[attr-defined]
        seen.append((torch.get_float32_matmul_precision(), placed))

    with pretended_accelerator():
        plain, fast = Baseline(tmp_path, 1).open(workload.model), Baseline(tmp_path, 1, True).open(workload.model)
        for predictor in (plain, fast, plain):
            assert isinstance(predictor, OnAccelerator)
            handle = predictor.call[3].register_forward_pre_hook(look)  # type: ignore[index]
            answer = predictor(example)
            handle.remove()
    assert seen == [("highest", False), ("high", True), ("highest", False)]
    assert answer.shape == (1, 4)
    torch.set_float32_matmul_precision("highest")


def test_on_the_processor_there_is_nothing_to_tune(workload: Workload, tmp_path: Path) -> None:
    save_network(workload.model().eval(), tmp_path)
    (example,) = workload.example_inputs.arrays
    plain, tuned = Baseline(tmp_path, 1).open(workload.model), Baseline(tmp_path, 1, True).open(workload.model)
    assert np.array_equal(plain(example), tuned(example))
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(("lower", "kept"), [(0.0, True), (0.004, True), (0.006, False)])
def test_the_accuracy_is_kept_where_it_is_hardly_lower_on_the_same_examples(
    workload: Workload,
    network: torch.nn.Module,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lower: float,
    kept: bool,
) -> None:
    judged = replace(workload, metric=lambda outputs, targets: float(outputs[:, 0].mean()))
    monkeypatch.setattr("runners.measuring.tuning.resolve", lambda reference: judged)
    for name, less in (("plain", 0.0), ("tuned", lower)):
        (tmp_path / name).mkdir()
        with torch.no_grad():
            network[-1].bias[0] -= less  # type: ignore[index]
        save_network(network, tmp_path / name)
    assert keeps_accuracy("small", Baseline(tmp_path / "plain", 1), Baseline(tmp_path / "tuned", 1)) is kept
