"""Every built-in workload keeps the contract, and each way of breaking it is refused in one sentence."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.workloads import sound_workload
from runners_tests.workloads.sound_workload import SOUND, data, fails, inputs, network, targets, with_data
from runners_tests.workloads.workload_contract import RULES, Rule
from torch import nn

from runners import workloads
from runners.workload import Workload
from runners.workload_loading.check import check_contract
from runners.workload_loading.reference import built_in_names, resolve
from spaces.discovery import walk
from spaces.errors import RequestError

FOUND = walk(workloads, "WORKLOAD")


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_built_in_workload_keeps_every_rule(rule: Rule, name: str) -> None:
    rule(FOUND[name])


def test_every_built_in_workload_is_named_like_its_file() -> None:
    assert tuple(FOUND) == built_in_names()
    assert all(resolve(name) is workload for name, workload in FOUND.items())


class Squeezed(nn.Module):
    """Drops an axis of one, such as that of a batch of one, and the classes with it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if len(x) > 1 else x[0, :1]


class RecordedDraws(nn.Module):
    """Answers with whatever a function makes of the inputs."""

    def __init__(self, answer: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: torch.Tensor) -> Any:
        return self.answer(x)


def answering(answer: Callable[[torch.Tensor], Any]) -> Workload:
    return replace(SOUND, model=lambda: RecordedDraws(answer))


def drawn_anew() -> dict[str, Any]:
    everything = np.random.default_rng().permutation(inputs(90))
    return {"train": (everything[:60], targets(60)), "validation": (everything[60:75], targets(15))} | {
        "test": (everything[75:], targets(15))
    }


def ids(last: int) -> dict[str, Any]:
    """Token ids below 20, but one in the test split."""
    found = {
        name: (np.random.default_rng(first).integers(0, 20, (9, 6)), targets(9)) for first, name in enumerate(data())
    }
    found["test"][0][:2, 0] = 0, last
    return found


IDS = replace(
    SOUND, model=lambda: nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.Linear(24, 3)), data=lambda: ids(3)
)


def named(names: str) -> dict[str, Any]:
    return {name: inputs(9, number) for number, name in enumerate(names)}


class Columns(nn.Module):
    """Embeds the first two columns, one in 20 rows and one in 12."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Embedding(20, 4), nn.Embedding(12, 4), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(torch.cat([self.first(x[:, 0]), self.second(x[:, 1])], 1))
        return logits


class Lengths:
    """Examples whose length is their number, at least 3, padded to the longest of a batch."""

    def __len__(self) -> int:
        return 9

    def batch(self, indices: Any) -> Any:
        return np.ones((len(indices), max(3, *indices), 3), np.float32), targets(9)[indices]

    def fingerprint(self) -> str:
        return ""


class Passes(nn.Module):
    """Gives what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


MORE = (np.concatenate([inputs(9, 2)[:4], inputs(9, 0)[:5]]), targets(9))

BROKEN: dict[str, tuple[Any, str]] = {
    "no workload": (network, "a workload must be a runners.workload.Workload, not function"),
    "model is no function": (replace(SOUND, model=network()[1].weight), "model must be a function, not Parameter"),
    "training is no plan": (replace(SOUND, training={"epochs": 3}), "training must be a TrainingPlan, not dict"),
    "no name": (replace(SOUND, name=" "), "its name must be a word"),
    "loading fails": (
        replace(SOUND, data=fails),
        rf"loading its data failed at {sound_workload.__file__}:\d+: ZeroDivisionError: no luck",
    ),
    "no validation split": (
        replace(SOUND, data=lambda: {"train": 1, "test": 1}),
        r"data\(\) gives no validation split, only train, test; it must give validation",
    ),
    "empty split": (with_data(test=(inputs(0), targets(0))), "the test split is empty"),
    "lengths": (with_data(test=(inputs(8, 2), targets(9))), "8 inputs and 9 targets"),
    "shapes": (
        with_data(test=(inputs(9, 2, side=5), targets(9))),
        r"inputs of different shapes \(train \(1, 4, 4\), validation \(1, 4, 4\), test \(1, 5, 5\)\)",
    ),
    "NaN": (with_data(train=(np.full((9, 1, 4, 4), np.nan), targets(9))), "the inputs hold NaN or infinity"),
    "split drawn anew": (replace(SOUND, data=drawn_anew), r"data\(\) gives another train split at each call"),
    "model is a network": (
        replace(SOUND, model=network()),
        "its model is a network; give a function that makes one, such as its class or a lambda",
    ),
    "no module": (replace(SOUND, model=dict), r"model\(\) gives dict; it must give a torch.nn.Module"),
    "model fails": (answering(fails), r"its model on inputs of shape \(2, 1, 4, 4\) failed at .*: ZeroDivisionError"),
    "two answers": (
        answering(lambda x: (x, x)),
        r"its model answers with a tuple of \(2, 1, 4, 4\), \(2, 1, 4, 4\); say which is judged, such as output=0",
    ),
    "named answers": (
        answering(lambda x: {"loss": None, "logits": x.flatten(1)[:, :3]}),
        r"its model answers with a dict of 'logits' \(2, 3\); say which is judged, such as output='logits' of the",
    ),
    "another name": (
        replace(answering(lambda x: {"logits": x}), output="scores"),
        r"its model has no output 'scores': it answers with a dict of 'logits' \(2, 1, 4, 4\)",
    ),
    "nothing": (
        answering(lambda x: None),
        r"its model answers with None \(its forward returns nothing\); give a tensor",
    ),
    "id beyond the vocabulary": (
        replace(IDS, data=lambda: ids(30)),
        "input of the test split goes from 0 to 30, but the embedding '0' of its model has 20 rows, 0 to 19; make",
    ),
    "id of a column beyond its embedding": (
        replace(IDS, model=Columns),
        r"input\[:, 1\] of the train split goes from \d+ to \d+, but the embedding 'second' of its model has 12 rows",
    ),
    "id below the vocabulary": (replace(IDS, data=lambda: ids(-1)), "input of the test split goes from -1 to"),
    "whole quantities": (
        with_data(train=(inputs(9).astype(int), targets(9))),
        r"its model on inputs of shape \(2, 1, 4, 4\) int64 \(whole numbers reach it as int64; give those that are",
    ),
    "dynamic but unknown": (
        replace(SOUND, dynamic={"x": 1}),
        "dynamic names 'x', which is no input; its inputs",
    ),
    "one input in one split": (
        with_data(train=((inputs(9), inputs(9)), targets(9))),
        r"the validation split has the inputs input, and the train split input, input_1; give the same, in the same",
    ),
    "another order of inputs": (
        replace(SOUND, data=lambda: {name: (named("ab" if name == "train" else "ba"), targets(9)) for name in data()}),
        "the validation split has the inputs b, a, and the train split a, b; give the same, in the same order",
    ),
    "dynamic is a name": (
        replace(SOUND, dynamic="tokens"),
        r"dynamic must give a dimension by the name of its input, such as \{'tokens': 1\}",
    ),
    "output is a list": (replace(SOUND, output=["a"]), "output must be a name, an index or a function, not list"),
    "dynamic batch": (
        replace(SOUND, dynamic={"input": 0}),
        r"dynamic says 0 for input, whose shape is \(1, 1, 4, 4\) with the batch first; give the number of another dim",
    ),
    "not dynamic": (
        replace(SOUND, dynamic={"input": 3}),
        r"its model on inputs of shape \(2, 1, 4, 3\), cut to three quarters of its length, failed: RuntimeError",
    ),
    "outputs of different lengths": (
        replace(SOUND, data=lambda: dict.fromkeys(data(), Lengths()), model=Passes, dynamic={"input": 1}),
        "size of its outputs follows that of its inputs, which is from 3 to 8, so that the outputs of several batches",
    ),
    "parts of different shapes": (
        with_data(train=([np.zeros(3), np.zeros(4)], targets(2))),
        "the inputs are parts of different shapes .* several inputs as a tuple of arrays",
    ),
    "inputs of different lengths": (
        with_data(train=((inputs(9), inputs(8)), targets(9))),
        "8 inputs and 9 targets; give one target an input",
    ),
    "words": (
        with_data(train=(np.array(["a"] * 9), targets(9))),
        "an input is an array of <U1; give floating or whole",
    ),
    "too large": (
        replace(SOUND, model=lambda: nn.Linear(10**7, 10**7)),
        r"its model (has parameters of .* GiB and more|asks for more memory than there is), and this machine has",
    ),
    "batch lost": (
        answering(lambda x: x.reshape(1, -1)),
        r"its model answers 2 examples with shape \(1, 32\); the first must be the batch",
    ),
    "not finite": (answering(lambda x: x.flatten(1) / 0), "its model answers with NaN or infinity"),
    "pretrained anew": (replace(SOUND, pretrained=True), r"pretrained, but model\(\) gives other weights at each call"),
    "too few outputs": (
        replace(SOUND, model=lambda: network(2)),
        "targets of the train split go from 0 to 2, but its model has 2 outputs; for 2 classes they go from 0 to 1",
    ),
    "classes from 1": (
        with_data(test=(inputs(9, 2), targets(9) + 1)),
        "targets of the test split go from 1 to 3, but its model has 3 outputs",
    ),
    "targets of another kind": (
        with_data(validation=(inputs(9, 1), targets(9).astype(np.float32))),
        "targets of the validation split are float32; class numbers must be int64",
    ),
    "loss fails": (replace(SOUND, loss=nn.MSELoss()), r"its loss on outputs \(2, 3\) and targets \(2,\) failed"),
    "loss is a vector": (
        replace(SOUND, loss=nn.CrossEntropyLoss(reduction="none")),
        "it must give a tensor that holds one finite number",
    ),
    "metric fails": (replace(SOUND, metric=fails), "its metric fails failed at .*: ZeroDivisionError: no luck"),
    "metric is NaN": (replace(SOUND, metric=lambda o, t: float("nan")), "its metric <lambda> gives nan; it must give"),
    "metric is a vector": (replace(SOUND, metric=lambda o, t: o), "its metric <lambda> gives an array of float32"),
    "one row alone": (
        replace(SOUND, model=lambda: nn.Sequential(network(), Squeezed())),
        r"answers 1 example with shape \(1,\) and 2 with \(2, 3\); give one row for each input",
    ),
    "random when evaluated": (
        answering(lambda x: torch.rand(len(x), 3)),
        "answers the same inputs otherwise each time, in evaluation mode too",
    ),
    "augmentation crops": (
        replace(SOUND, augment=lambda x, g: x[..., 1:]),
        r"its augmentation makes \(2, 1, 4, 3\) of inputs \(2, 1, 4, 4\)",
    ),
    "test in train": (with_data(test=MORE), "5 of 9 examples of its test split are in its train split too"),
    "validation is train": (
        with_data(validation=(inputs(9, 0), targets(9))),
        "9 of 9 examples of its validation split are in its train split too",
    ),
}


def test_a_sound_workload_passes() -> None:
    check_contract(SOUND)
    check_contract(with_data(test=(np.concatenate([inputs(9, 2)[:5], inputs(9, 0)[:4]]), targets(9))))


@pytest.mark.parametrize("breach", BROKEN)
def test_a_workload_that_breaks_the_contract_is_refused(breach: str) -> None:
    workload, sentence = BROKEN[breach]
    with pytest.raises(RequestError, match=sentence) as refusal:
        check_contract(workload)
    assert "\n" not in str(refusal.value)


def test_regression_with_a_loss_of_its_own_passes() -> None:
    floats = {name: (pair[0], pair[1][:, None].astype(np.float32)) for name, pair in data().items()}
    check_contract(
        replace(
            SOUND,
            data=lambda: floats,
            model=lambda: network(1),
            loss=nn.functional.mse_loss,
            metric=lambda outputs, wanted: float(np.exp(-np.square(outputs - wanted).mean())),
        )
    )


def test_the_check_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    check_contract(replace(SOUND, model=lambda: nn.Sequential(network(), nn.Dropout())))
    assert torch.equal(torch.rand(2), expected)
