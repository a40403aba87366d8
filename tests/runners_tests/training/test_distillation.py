"""What is compared of a network and its teacher, how far it counts, and that the teacher's side is left alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torchvision import models

from runners.models.blocks import blocks
from runners.models.compared_layers import feature_maps, input_of_last_layer, pairs, why_not_compared
from runners.runner import StageFailed
from runners.training.distillation import Distillation
from runners.training.layer_distance import layer_distance
from runners.workloads.digits import SmallResidualNetwork
from spaces.plans import DISTILLATION_METHODS, TrainingPlan

IMAGES = (torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0)),)
COMPARING = DISTILLATION_METHODS[1:]


def other_family() -> nn.Module:
    """A network whose layers have other names, sizes and numbers of channels than those of digits."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, 3),
        nn.ReLU(),
        nn.Conv2d(6, 10, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(10, 10),
    )


def perceptron() -> nn.Module:
    """No feature maps: a fully connected network on the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(1024, 12), nn.ReLU(), nn.Linear(12, 10))


def distillation(network: nn.Module, teacher: nn.Module, method: str) -> Distillation:
    plan = TrainingPlan(distillation_method=method)
    return Distillation(network, teacher.requires_grad_(False).eval(), plan, lambda: IMAGES, {}, 0)


def distance(network: nn.Module, teacher: nn.Module, method: str) -> Tensor:
    whole = distillation(network, teacher, method)
    with whole.reading():
        _, own = whole(*IMAGES)
        soft, teaching = whole.teacher_outputs(IMAGES)
    assert soft is None, "the weight of soft targets is 0"
    return layer_distance(method, own, teaching)


def test_the_last_map_of_each_size_is_compared_without_the_pooled_one_and_the_answer() -> None:
    maps = feature_maps(SmallResidualNetwork(), IMAGES)
    assert [(place.layer, place.shape) for place in maps] == [
        ("blocks.0", (32, 32, 32)),
        ("blocks.1", (64, 16, 16)),
        ("blocks", (128, 8, 8)),
    ]
    answer = nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), nn.Conv2d(4, 2, 3, 2, 1))
    assert [place.layer for place in feature_maps(answer, IMAGES)] == ["0"]


def test_what_computes_weights_is_no_layer() -> None:
    network = perceptron()
    parametrizations.weight_norm(network[3])
    place = input_of_last_layer(network, IMAGES)
    assert place is not None
    assert (place.layer, place.shape) == ("3", (12,))
    assert [block.name for block in blocks(network, IMAGES)] == ["1", "3"]


def test_what_has_its_channels_last_is_no_feature_map() -> None:
    swin = models.SwinTransformer([4, 4], 16, [1, 1], [1, 2], [4, 4], num_classes=3)
    maps = feature_maps(swin, (torch.zeros(2, 3, 32, 32),))
    assert [(place.layer, place.shape) for place in maps] == [("features.0.0", (16, 8, 8))]


def test_the_input_of_the_last_layer_is_that_of_the_classifier() -> None:
    place = input_of_last_layer(SmallResidualNetwork(), IMAGES)
    assert place is not None
    assert (place.layer, place.shape) == ("classifier", (128,))


def test_networks_without_a_size_in_common_are_compared_at_their_last_maps() -> None:
    both = pairs(feature_maps(other_family(), IMAGES), feature_maps(SmallResidualNetwork(), IMAGES))
    assert [(own.layer, other.layer) for own, other in both] == [("3", "blocks")]


@pytest.mark.parametrize("method", COMPARING)
@pytest.mark.parametrize("make", [SmallResidualNetwork, other_family])
def test_a_network_gets_gradients_and_its_teacher_none(method: str, make: Callable[[], nn.Module]) -> None:
    network, teacher = make(), SmallResidualNetwork()
    distance(network, teacher, method).backward()  # type: ignore[no-untyped-call]
    first = next(network.parameters()).grad
    assert first is not None
    assert first.any()
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.parametrize("method", COMPARING)
def test_a_network_is_at_no_distance_from_itself_and_at_some_from_another(method: str) -> None:
    torch.manual_seed(0)
    network = SmallResidualNetwork().eval()
    assert float(distance(network, network, method).detach()) == pytest.approx(0, abs=1e-6)
    assert 1e-5 < float(distance(SmallResidualNetwork().eval(), network, method).detach()) < 10


@pytest.mark.parametrize("method", COMPARING)
def test_the_distance_does_not_depend_on_how_large_the_values_are(method: str) -> None:
    taught, teaching = torch.rand(6, 3, 4, 4), torch.rand(6, 3, 4, 4)
    scaled = layer_distance(method, [100 * taught], [100 * teaching])
    torch.testing.assert_close(scaled, layer_distance(method, [taught], [teaching]))


def test_only_wider_layers_are_projected_and_only_for_features() -> None:
    network = SmallResidualNetwork()
    network.blocks[0].second_norm = nn.BatchNorm2d(32)
    assert not distillation(network, SmallResidualNetwork(), "attention").projections
    same = distillation(network, SmallResidualNetwork(), "features")
    assert [type(each) for each in same.projections] == [nn.Identity] * 3
    other = distillation(other_family(), SmallResidualNetwork(), "features")
    assert [tuple(each.weight.shape) for each in other.projections] == [(128, 10, 1, 1)]


def test_a_network_without_feature_maps_is_compared_at_the_input_of_its_last_layer() -> None:
    assert distance(perceptron(), perceptron(), "features") > 0
    assert distance(perceptron(), SmallResidualNetwork(), "relations") > 0
    assert "no feature maps" in str(why_not_compared("attention", perceptron(), IMAGES))
    alone = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))
    assert "its last layer with weights is its first one too" in str(why_not_compared("relations", alone, IMAGES))


def test_layers_that_cannot_be_compared_are_told() -> None:
    with pytest.raises(StageFailed, match="no layers that can be compared by attention"):
        distillation(perceptron(), SmallResidualNetwork(), "attention")
    with pytest.raises(StageFailed, match="cannot be compared by features"):
        distillation(perceptron(), SmallResidualNetwork(), "features")


def test_the_network_is_left_without_hooks_and_in_its_mode() -> None:
    network = SmallResidualNetwork().train()
    with distillation(network, SmallResidualNetwork(), "features").reading():
        pass
    assert network.training
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules())
