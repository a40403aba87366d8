"""A loss or a metric that cannot tell networks apart, or does not fit outputs and targets, is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from runners_tests.workloads.sound_workload import SOUND, data, inputs, network, targets, with_data
from torch import nn

from runners.workload import Workload, accuracy
from runners.workload_loading.check import check_contract
from spaces.errors import RequestError


def column(count: int, *_: Any) -> Any:
    """One number from 0 to 1 for each example, as a loss for one logit takes it."""
    return (targets(count)[:, None] > 0).astype(np.float32)


def as_shares(pair: Any) -> Any:
    """The same split with a share of every class as its targets."""
    return pair[0], np.eye(3, dtype=np.float32)[pair[1]]


def one_logit(**changes: Any) -> Workload:
    """A workload with one output, a loss and a metric for it, and some fields replaced."""
    splits = {name: (pair[0], column(9)) for name, pair in data().items()}
    sound = Workload("logit", lambda: network(1), lambda: splits, above_zero, nn.BCEWithLogitsLoss())
    return replace(sound, **changes)


def above_zero(outputs: Any, wanted: Any) -> float:
    return float(((outputs > 0) == wanted).mean())


def far_above(outputs: Any, wanted: Any) -> float:
    return float(((outputs > 1e6) & (wanted > 0)).mean())


BROKEN: dict[str, tuple[Workload, str]] = {
    "one output, default loss": (
        one_logit(loss=None),
        r"one output for each input, and the default loss \(cross-entropy\) of one class is always 0; give a loss",
    ),
    "one output and classes, default loss": (replace(SOUND, model=lambda: network(1)), "of one class is always 0"),
    "no axis of classes, default loss": (
        replace(SOUND, model=lambda: nn.Sequential(network(1), nn.Flatten(0))),
        "of one class is always 0",
    ),
    "one output, default metric": (
        one_logit(metric=accuracy),
        r"one output for each input, and the default metric \(accuracy\) .* always the first; give a metric",
    ),
    "no axis of classes, default metric": (
        one_logit(metric=accuracy, model=lambda: nn.Sequential(network(1), nn.Flatten(0)), loss=lambda o, t: o.mean()),
        "always the first; give a metric",
    ),
    "shares of classes, default metric": (
        with_data(**{name: as_shares(pair) for name, pair in data().items()}),
        r"targets \(n, 3\) beside outputs \(n, 3\) are no class numbers, .* give a metric of your own",
    ),
    "fractions, default metric": (
        replace(with_data(validation=(inputs(9, 1), targets(9) / 2)), loss=lambda o, t: o.square().mean()),
        "targets are no whole numbers, which the default metric",
    ),
    "targets repeated for every output": (
        one_logit(data=lambda: {name: (pair[0], column(9)[:, 0]) for name, pair in data().items()}, loss=nn.MSELoss()),
        r"its loss on outputs \(2, 1\) and targets \(2,\) failed: UserWarning: Using a target size",
    ),
    "metric that sees no outputs": (
        replace(SOUND, metric=lambda o, t: 0.69),
        "its metric <lambda> gives 0.69 for 9 different made-up outputs; it must depend on the outputs",
    ),
}


@pytest.mark.parametrize("breach", BROKEN)
def test_a_loss_or_metric_that_says_nothing_is_refused_in_one_sentence(breach: str) -> None:
    workload, sentence = BROKEN[breach]
    with pytest.raises(RequestError, match=sentence) as refusal:
        check_contract(workload)
    assert "\n" not in str(refusal.value)


def test_one_logit_with_a_loss_and_a_metric_for_it_passes() -> None:
    assert check_contract(one_logit()) == ()


def test_a_metric_that_is_zero_for_all_outputs_is_told() -> None:
    (note,) = check_contract(one_logit(metric=far_above))
    assert "its metric far_above gives 0 for 9 different made-up outputs" in note


def test_shares_of_every_class_with_a_metric_for_them_pass() -> None:
    shares = {name: as_shares(pair) for name, pair in data().items()}
    check_contract(replace(with_data(**shares), metric=lambda o, t: float((o.argmax(1) == t.argmax(1)).mean())))
