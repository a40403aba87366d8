"""Every strategy of training gives the network that one process gives, over real processes, or says why not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from runners.lowering.weights import load_network, save_network
from runners.training.level import train_level
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.training.strategies import all_strategies, find_strategy, strategy_of
from runners.training.worker_processes import train_in_parallel
from runners.workload import Workload
from runners.workload_loading.reference import resolve
from spaces.plans import TRAINING_STRATEGIES, TrainingPlan

WORKLOADS = """
import torch
from torch import nn
from runners.workload import Workload
from runners.workloads.synthetic import make_splits
from spaces.plans import TrainingPlan


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 16), nn.GELU(),
        nn.Linear(16, 4),
    )


def normalised():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4),
    )


def transformer():
    from torchvision.models.vision_transformer import VisionTransformer

    network = VisionTransformer(8, 4, 3, 4, 16, 32, num_classes=4)
    network.conv_proj = nn.Conv2d(1, 16, 4, 4)
    nn.init.normal_(network.heads.head.weight, std=0.1)
    return network


def timm_transformer():
    import timm

    return timm.models.VisionTransformer(
        img_size=8, patch_size=4, in_chans=1, num_classes=4, embed_dim=16, depth=3, num_heads=4, mlp_ratio=2
    )


def encoder():
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.Conv2d(1, 16, 4, 4), nn.Flatten(2), Turned(), nn.TransformerEncoder(layer, 3), First())


class Turned(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(x.mean(1))


PLAN = TrainingPlan(epochs=2, batch_size=24, learning_rate=0.1)
MLP, NORMALISED, TRANSFORMER, TIMM, ENCODER = (
    Workload(network.__name__, network, make_splits, training=PLAN)
    for network in (mlp, normalised, transformer, timm_transformer, encoder)
)
"""
EVERYTHING: dict[str, Any] = {
    "optimiser": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "gradient_clipping": 0.1,
    "ema": 0.9,
    "mixup": 0.2,
    "distillation_weight": 0.5,
}
SEVERAL_PARTS = {**EVERYTHING, "accumulation": 2, "layer_decay": 0.8}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("networks") / "networks.py"
    file.write_text(WORKLOADS)
    return file


def losses(reference: str, folder: Path, plan: TrainingPlan, ends: tuple[int, ...] = (2,)) -> list[float]:
    """The loss on all training examples after two epochs of ten steps, in levels that end at ``ends``, and theirs."""
    workload, begin, before = resolve(reference), 0, folder / "start"
    by_epoch: dict[int, float] = {}
    before.mkdir(parents=True)
    torch.manual_seed(1)
    save_network(workload.model(), before)
    for end in ends:
        level = Level(TrainingSettings(plan), range(begin, end), seed=3)
        folders = LevelFolders(before, folder / "start" if plan.distils else None, folder / str(end))
        folders.result.mkdir()
        if strategy_of(plan).processes:
            by_epoch |= train_in_parallel(reference, level, folders, threads=1).losses
        else:
            by_epoch |= train_level(workload, level, folders).losses
        begin, before = end, folders.result
    inputs, targets = workload.splits["train"].batch(range(240))
    network = load_network(workload.network, before)
    with torch.no_grad():
        last = functional.cross_entropy(network(torch.as_tensor(inputs)), torch.as_tensor(targets)).item()
    return [last, by_epoch[1], by_epoch[2]]


def assert_same_loss(file: Path, folder: Path, network: str, choices: Mapping[str, Any]) -> None:
    reference = f"{file}:{network}"
    shared = replace(resolve(reference).training, **choices)
    alone = losses(reference, folder / "alone", replace(shared, workers=1))
    ends = (1, 2) if choices.get("ema") else (2,)
    assert losses(reference, folder / "shared", shared, ends) == pytest.approx(alone, abs=1e-5)
    assert losses(reference, folder / "other", replace(shared, workers=1, learning_rate=0.02)) != pytest.approx(
        alone, abs=1e-3
    )


@pytest.mark.parametrize(
    ("network", "strategy", "choices"),
    [
        ("NORMALISED", "data-parallel", {}),
        ("NORMALISED", "sharded", {}),
        ("TRANSFORMER", "tensor-parallel", EVERYTHING),
        ("MLP", "pipeline", EVERYTHING),
    ],
)
def test_two_workers_train_to_the_loss_of_one(
    file: Path, tmp_path: Path, network: str, strategy: str, choices: dict[str, Any]
) -> None:
    assert_same_loss(file, tmp_path, network, {**choices, "workers": 2, "strategy": strategy})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "strategy", "choices"),
    [
        ("TRANSFORMER", "data-parallel", SEVERAL_PARTS),
        ("TRANSFORMER", "sharded", SEVERAL_PARTS),
        ("NORMALISED", "tensor-parallel", {}),
        ("TIMM", "tensor-parallel", SEVERAL_PARTS),
        ("ENCODER", "tensor-parallel", SEVERAL_PARTS),
        ("NORMALISED", "data-tensor", {}),
        ("TRANSFORMER", "data-tensor", SEVERAL_PARTS),
        ("TRANSFORMER", "pipeline", {**EVERYTHING, "pipeline_schedule": "gpipe", "micro_batches": 2}),
        ("TRANSFORMER", "pipeline", {**EVERYTHING, "pipeline_schedule": "interleaved"}),
        ("ENCODER", "pipeline", {}),
        ("MLP", "data-pipeline", EVERYTHING),
        ("MLP", "data-pipeline", {"pipeline_schedule": "interleaved"}),
    ],
)
def test_every_strategy_trains_to_the_loss_of_one_process(
    file: Path, tmp_path: Path, network: str, strategy: str, choices: dict[str, Any]
) -> None:
    if network == "TIMM":
        pytest.importorskip("timm")
    workers = 4 if strategy in ("data-tensor", "data-pipeline") else 2
    assert_same_loss(file, tmp_path, network, {**choices, "workers": workers, "strategy": strategy})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "workers"), [("data-parallel", 2), ("sharded", 2), ("data-tensor", 4), ("data-pipeline", 4)]
)
@pytest.mark.parametrize("communication", ["bf16", "fp16"])
def test_gradients_that_travel_in_half_the_bytes_train_to_nearly_the_same_loss(
    file: Path, tmp_path: Path, strategy: str, workers: int, communication: str
) -> None:
    plan = replace(resolve(f"{file}:MLP").training, workers=workers, strategy=strategy)
    whole = losses(f"{file}:MLP", tmp_path / "whole", plan)
    half = losses(f"{file}:MLP", tmp_path / "half", replace(plan, communication=communication))
    assert whole != half
    assert half == pytest.approx(whole, abs=0.02)


def test_the_plan_knows_the_strategies_that_there_are() -> None:
    assert {*all_strategies()} == {"single", *TRAINING_STRATEGIES}
    assert strategy_of(TrainingPlan(strategy="pipeline")).name == "single"


class _Shared(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight


@pytest.mark.parametrize(
    ("strategy", "network", "choices", "reason"),
    [
        ("pipeline", "NORMALISED", {}, "batch normalisation in a pipeline sees a micro-batch at a time"),
        ("pipeline", "MLP", {"workers": 5}, "it needs 5 blocks, and the network has 4"),
        ("pipeline", "MLP", {"batch_size": 23, "pipeline_schedule": "interleaved"}, "as its schedule needs them"),
        ("pipeline", "MLP", {"batch_size": 23, "micro_batches": 8}, "23 examples cannot be cut into equal"),
        ("data-pipeline", "MLP", {"workers": 4, "batch_size": 23}, "2 pipelines cannot share a batch of 23 evenly"),
        ("tensor-parallel", "MLP", {"workers": 7}, "none that 7 workers can divide evenly"),
        ("data-parallel-threads", "NORMALISED", {}, "statistics of each accelerator's own examples"),
        ("data-parallel-threads", "MLP", {"communication": "bf16"}, "in their own number format"),
    ],
)
def test_what_a_network_cannot_do_is_told_before_it_is_tried(
    file: Path, strategy: str, network: str, choices: dict[str, Any], reason: str
) -> None:
    workload: Workload = resolve(f"{file}:{network}")
    plan = replace(workload.training, **{"workers": 2, "strategy": strategy, **choices})
    found = find_strategy(strategy).unsupported(workload, workload.model(), plan, plan.workers)
    assert found is not None
    assert reason in found
    possible = replace(plan, workers=2, batch_size=24, micro_batches=4, communication="fp32")
    other: Workload = resolve(f"{file}:MLP")
    assert find_strategy(strategy).unsupported(other, other.model(), possible, 4 if "data-p" in strategy else 2) is None


@pytest.mark.parametrize("strategy", ["sharded", "tensor-parallel", "data-tensor", "pipeline", "data-pipeline"])
def test_layers_that_share_weights_are_told_of(file: Path, strategy: str) -> None:
    workload: Workload = resolve(f"{file}:MLP")
    plan = replace(workload.training, workers=4, strategy=strategy)
    reason = find_strategy(strategy).unsupported(workload, _Shared(), plan, 4)
    assert "layers of the network share weights" in str(reason)
