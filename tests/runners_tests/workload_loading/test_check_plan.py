"""A training plan that does not go with its workload is refused, and a loop that trains in one go is told of."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from runners.executors.inspection import inspect_on_this_machine
from runners.workload import Workload
from runners.workload_loading.check import check_contract
from runners.workloads.synthetic import WORKLOAD, make_splits
from spaces.errors import RequestError
from spaces.plans import TrainingPlan


def three(model: Any, data: Any, plan: Any) -> None:
    """A loop without a teacher."""


def four(model: Any, data: Any, plan: Any, teacher: Any) -> None:
    """A loop that learns from the teacher too."""


def tokens() -> dict[str, Any]:
    return {
        name: (np.abs(images[:, 0] * 10).astype(np.int64), labels) for name, (images, labels) in make_splits().items()
    }


class OfTokens(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(60, 4), torch.nn.Linear(4, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(ids).mean((1, 2)))


SMOOTHING = TrainingPlan(label_smoothing=0.1)
NORMED = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4), torch.nn.BatchNorm1d(4))
REFUSED: dict[str, tuple[Workload, str]] = {
    "smoothing beside an own loss": (
        replace(WORKLOAD, loss=torch.nn.functional.cross_entropy, training=SMOOTHING),
        "label_smoothing is 0.1, which is that of the default loss",
    ),
    "mixed token ids": (
        Workload("tokens", OfTokens, tokens, training=TrainingPlan(mixup=0.2)),
        "mixup is 0.2, and an input is int64, which cannot be mixed",
    ),
    "parts of one for batch normalisation": (
        replace(WORKLOAD, model=lambda: NORMED, training=TrainingPlan(batch_size=4, accumulation=4)),
        r"the training plan's batch_size is 4 in 4 parts \(accumulation\)",
    ),
    "attention without feature maps": (
        Workload("tokens", OfTokens, tokens, training=TrainingPlan(distillation_method="attention")),
        "distillation_method is 'attention', but this network has no feature maps",
    ),
    "frozen blocks beside an own loop": (
        replace(WORKLOAD, fit=three, training=TrainingPlan(trainable=0.5)),
        r"trainable is 0.5, but its own loop \(fit\) trains the model; leave trainable out",
    ),
    "a warm-up of one cycle": (
        replace(WORKLOAD, training=TrainingPlan(warmup=0.1)),
        "training: warmup is 0.1, but the schedule 'one-cycle' has a warm-up of its own; give schedule='cosine'",
    ),
    "more workers than examples of a batch": (
        replace(WORKLOAD, training=TrainingPlan(batch_size=3, workers=4)),
        "training: workers is 4, but 4 share a batch of 3",
    ),
    "a loop that is none": (replace(WORKLOAD, fit=3), "fit must be a function"),  # type: ignore[arg-type]
    "a loop of two arguments": (replace(WORKLOAD, fit=lambda model, data: None), r"fit\(model, data, plan, teacher\)"),
    "a loop in two processes": (replace(WORKLOAD, fit=four, training=TrainingPlan(workers=2)), "runs in one process"),
}


@pytest.mark.parametrize(("workload", "said"), REFUSED.values(), ids=REFUSED)
def test_what_the_workload_has_no_use_for_is_refused(workload: Workload, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        check_contract(workload)


def test_a_loop_needs_no_loss_and_one_that_trains_in_one_go_is_told_of() -> None:
    own = replace(WORKLOAD, fit=three, loss=lambda outputs, targets: None)
    (note,) = check_contract(own)
    assert note.startswith("its own loop (fit) trains in one go, so that no candidate is stopped early")
    assert check_contract(replace(own, fit_obeys_epochs=True)) == ()


@pytest.mark.parametrize(("fit", "obeys"), [(three, False), (four, True)])
def test_a_search_knows_how_a_loop_trains(fit: Any, obeys: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = TrainingPlan(epochs=5, learning_rate=0.3)
    own = replace(WORKLOAD, fit=fit, fit_obeys_epochs=obeys, training=plan)
    monkeypatch.setattr("runners.executors.inspection.resolve", lambda reference: own)
    machine, facts = inspect_on_this_machine("synthetic", {})
    assert facts.trains_in_levels == obeys
    assert (machine.own_fit, machine.fit_takes_teacher) == (True, fit is four)
    assert (machine.training_epochs, machine.learning_rate, machine.training_batch) == (5, 0.3, 32)
