"""What a search knows of the network before it draws a format that few of its weights can take."""

from dataclasses import replace

import pytest
import torch
from spaces_tests.environments import LAPTOP
from torch import nn

from runners.executors.format_limits import find_format_limits, share_in_products
from runners.workload import Workload
from runners.workloads.synthetic import WORKLOAD
from spaces.environment import BackendFacts
from spaces.space_document import make_space

FORMATS = ("fp32", "int8_weight_only", "int4_weight_only")


def convolutional() -> Workload:
    """The workload with a network whose output layer has the only matrix of weights."""
    wide = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4)
    )
    return replace(WORKLOAD, model=lambda: wide)


@pytest.mark.parametrize(
    ("layer", "share"),
    [
        (nn.Linear(4, 8), 1.0),
        (nn.TransformerEncoderLayer(8, 2, 16), 1.0),
        (nn.Conv2d(3, 8, 3), 0.0),
        (nn.Sequential(nn.Embedding(30, 4), nn.LSTM(4, 4)), 0.0),
        (nn.Sequential(nn.Embedding(30, 4), nn.Linear(4, 10)), 0.25),
        (nn.ReLU(), 0.0),
    ],
)
def test_the_share_of_weights_in_products_leaves_out_convolutions_tables_and_recurrent_layers(
    layer: nn.Module, share: float
) -> None:
    assert share_in_products(layer) == share


def test_what_few_weights_can_take_is_never_drawn_and_the_reason_says_how_many() -> None:
    limits = find_format_limits(convolutional(), {"numeric_precision": list(FORMATS)})
    assert (
        limits[0].reason == "2.6% of this network's weights belong to matrix products, and only these take fewer bits"
    )
    runs = {name: BackendFacts(FORMATS) for name in ("onnxruntime", "openvino")}
    space = make_space(
        {"numeric_precision": list(FORMATS), "runtime": "all"}, replace(LAPTOP, backends=runs, model_limits=limits)
    )
    drawn = {(found["numeric_precision"], found["runtime"]) for found in space.configurations()}
    assert drawn == {("fp32", "onnxruntime"), ("fp32", "openvino"), ("int8_weight_only", "openvino")}
    assert ("numeric_precision", "int4_weight_only", limits[0].reason) in space.reasons()


def test_a_network_of_products_has_none_and_one_that_is_not_asked_for_is_not_looked_at() -> None:
    mlp = replace(WORKLOAD, model=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 4)))
    assert find_format_limits(mlp) == ()
    assert [dict(limit.choices) for limit in find_format_limits(convolutional())] == [
        {"numeric_precision": "int8_weight_only", "runtime": "onnxruntime"},
        {"numeric_precision": "int4_weight_only"},
    ]

    def never() -> torch.nn.Module:
        raise AssertionError("no network is needed")

    unmade = replace(WORKLOAD, model=never)
    assert find_format_limits(unmade, {"numeric_precision": "all"}) == ()
    assert find_format_limits(unmade, {"runtime": "all"}) == ()
