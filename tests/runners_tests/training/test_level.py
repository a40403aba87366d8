"""Training level by level: the weights of training in one go, and nothing but tensors between two levels."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runners_tests.small_workload import write_small_workload
from safetensors.torch import load_file
from torch import nn
from torch.func import functional_call

from runners.lowering.weights import load_network, save_network
from runners.runner import StageFailed
from runners.training.level import TRAINING_STATE, train_level
from runners.training.loop import train
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.training.worker_processes import train_in_parallel
from runners.workload import Workload
from runners.workload_loading.reference import resolve
from spaces.model_context import ModelContext
from spaces.space_document import find_technique

EPOCHS = 3
EVERYTHING: dict[str, Any] = {
    "optimiser": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup": 0.3,
    "label_smoothing": 0.1,
    "mixup": 0.2,
    "gradient_clipping": 1.0,
    "accumulation": 3,
    "ema": 0.95,
    "distillation_weight": 0.5,
    "distillation_method": "features",
    "trainable": 0.5,
    "layer_decay": 0.8,
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_workload(tmp_path_factory.mktemp("workload"))


@pytest.fixture(scope="module")
def workload(reference: str) -> Workload:
    return resolve(reference)


@pytest.fixture
def start(workload: Workload, tmp_path: Path) -> Path:
    """A folder with new weights, which stand for the teacher's too."""
    torch.manual_seed(1)
    (tmp_path / "start").mkdir()
    save_network(workload.model(), tmp_path / "start")
    return tmp_path / "start"


def level(workload: Workload, begin: int, end: int, autocast: str = "fp32", **choices: Any) -> Level:
    """The epochs from ``begin`` to ``end`` of the workload's training, with other choices."""
    return Level(TrainingSettings(replace(workload.training, **choices), autocast), range(begin, end), seed=5)


def trained(workload: Workload, start: Path, ends: tuple[int, ...], **choices: Any) -> list[Path]:
    """The folders that the levels wrote, one after the other."""
    folders = [start]
    for begin, end in zip((0, *ends), ends, strict=False):
        to = start.parent / f"{begin}-{end} of {ends}"
        to.mkdir()
        train_level(workload, level(workload, begin, end, **choices), LevelFolders(folders[-1], start, to))
        torch.manual_seed(end)  # another process would have another state
        folders.append(to)
    return folders[1:]


def tensors(workload: Workload, folder: Path) -> Mapping[str, torch.Tensor]:
    return load_network(workload.model, folder).state_dict()


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"autocast": "bf16", "distillation_weight": 0.5},
        {"ema": 0.9, "schedule": "cosine", "mixup": 0.2, "accumulation": 2, "gradient_clipping": 0.5},
        EVERYTHING,
        {"distillation_method": "features"},
        {"distillation_method": "relations", "distillation_weight": 0.5},
    ],
    ids=["plain", "bf16 and distillation", "sgd with the rest", "everything", "features", "relations"],
)
def test_levels_give_the_very_weights_of_training_in_one_go(
    workload: Workload, start: Path, choices: dict[str, Any]
) -> None:
    (whole,) = trained(workload, start, (EPOCHS,), **choices)
    *_, last = trained(workload, start, (1, 2, EPOCHS), **choices)
    expected, found = tensors(workload, whole), tensors(workload, last)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not torch.equal(expected["9.weight"], tensors(workload, start)["9.weight"])


@pytest.mark.parametrize(
    "choices", [{}, {"optimiser": "adamw", "learning_rate": 0.01, "ema": 0.9}], ids=["sgd", "adamw"]
)
def test_projections_to_a_wider_teacher_go_on_from_level_to_level(
    workload: Workload, start: Path, choices: dict[str, Any]
) -> None:
    narrow, example = start.parent / "narrow", (torch.randn(1, 1, 8, 8),)
    narrow.mkdir()
    context = ModelContext(example, 0, workload.model)
    save_network(find_technique("student_width").apply(None, {"student_width": 0.5}, context), narrow)
    ends = {"whole": (0, EPOCHS), "first": (0, 1), "second": (1, EPOCHS)}
    for name, (begin, end) in ends.items():
        (to := start.parent / name).mkdir()
        before = start.parent / "first" if begin else narrow
        part = level(workload, begin, end, distillation_method="features", **choices)
        train_level(workload, part, LevelFolders(before, start, to))
    assert "projection/0.weight" in load_file(start.parent / "first" / TRAINING_STATE)
    expected, found = tensors(workload, start.parent / "whole"), tensors(workload, start.parent / "second")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_workers_that_stop_at_a_level_give_the_weights_of_those_that_do_not(
    reference: str, workload: Workload, start: Path
) -> None:
    whole, first, second = (start.parent / name for name in ("whole", "first", "second"))
    for folder, origin, begin, end in ((whole, start, 0, 2), (first, start, 0, 1), (second, first, 1, 2)):
        folder.mkdir()
        part = level(workload, begin, end, epochs=2, workers=2, **EVERYTHING)
        assert train_in_parallel(reference, part, LevelFolders(origin, start, folder), threads=1).seconds > 0
    expected, found = tensors(workload, whole), tensors(workload, second)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-6)
    assert not torch.equal(expected["9.weight"], tensors(workload, first)["9.weight"])


def test_two_workers_give_the_weights_of_one_with_all_the_images(tmp_path: Path) -> None:
    plain = resolve("synthetic")
    start, one, two = (tmp_path / name for name in ("start", "one", "two"))
    for folder in (start, one, two):
        folder.mkdir()
    save_network(plain.model(), start)
    train_level(plain, level(plain, 0, 1, epochs=1), LevelFolders(start, None, one))
    train_in_parallel("synthetic", level(plain, 0, 1, epochs=1, workers=2), LevelFolders(start, None, two), threads=1)
    expected, found = tensors(plain, one), tensors(plain, two)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-4)


class InShares(nn.Module):
    """What two workers do in training, in one process: each has every other image, and the first's statistics stay."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        others = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        outputs = self.network(images[0::2]), functional_call(self.network, others, images[1::2])
        return torch.stack(outputs, dim=1).flatten(0, 1)


def test_batch_normalisation_uses_the_statistics_of_each_share_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "normalised.py").write_text(
        "from torch import nn\n"
        "from runners.workload import Workload\n"
        "from runners.workloads.synthetic import make_splits\n"
        "def make_network():\n"
        "    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))\n"
        "WORKLOAD = Workload('normalised', make_network, make_splits)\n"
    )
    reference = f"{tmp_path / 'normalised.py'}:WORKLOAD"
    normalised, start, two = resolve(reference), tmp_path / "start", tmp_path / "two"
    for folder in (start, two):
        folder.mkdir()
    network = normalised.model()
    save_network(network, start)
    train_in_parallel(
        reference,
        level(normalised, 0, 1, epochs=1, workers=2, sync_batch_norm=False),
        LevelFolders(start, None, two),
        threads=1,
    )
    train(InShares(network), normalised, level(normalised, 0, 1, epochs=1))
    found = tensors(normalised, two)
    for name, expected in network.state_dict().items():
        torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-4)


def test_the_state_lies_between_levels_alone_and_all_is_tensors_or_json(workload: Workload, start: Path) -> None:
    first, last = trained(workload, start, (1, EPOCHS))
    assert {file.name for file in last.iterdir()} == {"weights.safetensors", "architecture.json"}
    assert {file.name for file in first.iterdir()} == {*(file.name for file in last.iterdir()), TRAINING_STATE}
    assert (first / TRAINING_STATE).stat().st_size <= (first / "weights.safetensors").stat().st_size


@pytest.mark.parametrize("damage", ["lost", "cut off"])
def test_a_level_without_the_state_of_the_one_before_fails_with_its_reason(
    workload: Workload, start: Path, damage: str
) -> None:
    first, _ = trained(workload, start, (1, EPOCHS))
    if damage == "lost":
        (first / TRAINING_STATE).unlink()
    else:
        (first / TRAINING_STATE).write_bytes((first / TRAINING_STATE).read_bytes()[:20])
    with pytest.raises(StageFailed, match=r"the state of the training in .* cannot be read"):
        train_level(workload, level(workload, 1, EPOCHS), LevelFolders(first, None, start.parent))
