"""Training by a loop of the person's own: level by level, told what it needs, with its errors in its own line."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from runners.lowering.weights import save_network, weights_digest
from runners.processes import progress as progress_of
from runners.runner import StageFailed
from runners.training.level import TRAINING_STATE, train_level
from runners.training.loop import train
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.workload import Workload
from runners.workload_loading.reference import resolve

SOURCE = """
import numpy as np
import torch
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits
from spaces.plans import TrainingPlan


def fit(model, data, plan, teacher):
    optimiser = torch.optim.Adam(model.parameters(), plan.training.learning_rate)
    moments = [(p, key) for p in model.parameters() for key in ("exp_avg", "exp_avg_sq", "step")]
    for number, (parameter, key) in enumerate(moments if plan.state else []):
        optimiser.state[parameter][key] = plan.state[str(number)]
    for epoch in plan.epochs:
        order = np.random.default_rng((plan.seed, epoch)).permutation(len(data["train"]))
        for first in range(0, len(order), 40):
            images, labels = map(torch.from_numpy, data["train"].batch(order[first : first + 40]))
            loss = torch.nn.functional.cross_entropy(model(images), labels) * (1 - epoch / plan.all_epochs)
            if teacher is not None:
                loss = loss + (model(images) - teacher(images)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return {str(number): optimiser.state[p][key] for number, (p, key) in enumerate(moments)}


WORKLOAD = Workload("own", make_network, make_splits, fit=fit, fit_obeys_epochs=True,
                    training=TrainingPlan(epochs=3, learning_rate=0.01))
"""


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    (tmp_path / "own.py").write_text(SOURCE)
    return resolve(f"{tmp_path / 'own.py'}:WORKLOAD")


def level(workload: Workload, begin: int, end: int, **choices: Any) -> Level:
    return Level(TrainingSettings(replace(workload.training, **choices)), range(begin, end), seed=5)


def test_levels_of_a_loop_that_obeys_its_epochs_give_the_weights_of_training_in_one_go(
    workload: Workload, tmp_path: Path
) -> None:
    start, whole, first, last = (tmp_path / name for name in ("start", "whole", "first", "last"))
    for folder in (start, whole, first, last):
        folder.mkdir()
    save_network(workload.model(), start)
    for begin, end, parent, folder in ((0, 3, start, whole), (0, 1, start, first), (1, 3, first, last)):
        train_level(workload, level(workload, begin, end), LevelFolders(parent, None, folder))
    assert (last / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    assert (first / TRAINING_STATE).is_file()
    assert not (last / TRAINING_STATE).exists()


def test_it_gets_the_plan_the_teacher_and_no_test_split_and_each_call_of_the_model_is_progress(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, progress = [], []
    monkeypatch.setattr(progress_of, "_tell_progress", lambda: progress.append(None))

    def fit(model: Any, data: Mapping[str, Any], plan: Any, teacher: Any) -> None:
        told.append((model.training, [*data], plan.epochs, plan.all_epochs, plan.training.learning_rate, teacher))
        model(torch.zeros(1, 1, 8, 8))

    network, teacher = workload.model(), workload.model()
    own = replace(workload, fit=fit)
    result = train(network, own, level(workload, 1, 2, learning_rate=0.5), teacher=teacher)
    assert (result.network, result.state, result.losses) == (network, {}, {})
    assert told == [(True, ["train", "validation"], range(1, 2), 3, 0.5, teacher)]
    assert len(progress) == 1
    network(torch.zeros(1, 1, 8, 8))
    assert (len(progress), network.training) == (1, False)


def test_a_loop_without_a_teacher_is_called_without_one(workload: Workload) -> None:
    own = replace(workload, fit=lambda model, data, plan: None)
    network = workload.model()
    before = weights_digest(network)
    train(network, own, level(workload, 0, 3), teacher=workload.model())
    assert weights_digest(network) == before
    assert (workload.fit_takes_teacher, own.fit_takes_teacher) == (True, False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return model", "its fit returned Sequential; return a dict of tensors"),
        ("return {'epoch': 3}", "its fit returned dict; return a dict of tensors"),
        ("return 1 / 0", r"its fit failed at .*broken\.py:5: ZeroDivisionError: division by zero"),
        ("model[0].weight.data.fill_(float('nan'))", "training diverged: its fit left weights that are no finite"),
    ],
)
def test_what_is_wrong_in_it_is_told(body: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from runners.workload import Workload\n"
        "from runners.workloads.synthetic import make_network, make_splits\n\n"
        f"def fit(model, data, plan, teacher):\n    {body}\n\n"
        "WORKLOAD = Workload('broken', make_network, make_splits, fit=fit)\n"
    )
    broken = resolve(f"{tmp_path / 'broken.py'}:WORKLOAD")
    with pytest.raises(StageFailed, match=said):
        train(broken.model(), broken, level(broken, 0, 1))
