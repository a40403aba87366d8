"""Last layers for small pictures."""

import pytest
import torch
from spaces_tests.techniques.architecture.changed_networks import changed, context, pictures, residual_network
from torch import nn

from spaces.errors import WorkFailed
from spaces.space_document import find_technique


def plain_network() -> nn.Module:
    """Pictures ``(n, 3, 16, 16)`` to four logits, as AlexNet and VGG end."""
    body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
    classifier = nn.Sequential(nn.Dropout(), nn.Linear(8 * 9, 20), nn.ReLU(), nn.Linear(20, 4))
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(3), nn.Flatten(), classifier).eval()


def test_a_small_head_is_the_average_over_all_positions_and_one_linear_layer() -> None:
    asked = context(initial=plain_network)
    made = changed(nn.Identity(), {"student_head": "small"}, asked)
    again = find_technique("student_head").rebuild(plain_network(), asked.record)
    again.load_state_dict(made.state_dict())
    average = made[0](pictures(2)).mean((2, 3))
    (linear,) = (layer for layer in made.modules() if isinstance(layer, nn.Linear))
    assert linear.weight.shape == (4, 8)
    for network in (made, again):
        torch.testing.assert_close(network(pictures(2)), linear(average))


def test_a_hidden_layer_behind_an_average_leaves() -> None:
    def hidden() -> nn.Module:
        classifier = nn.Sequential(nn.Linear(8, 20), nn.Hardswish(), nn.Linear(20, 4))
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier).eval()

    made = changed(nn.Identity(), {"student_head": "small"}, context(initial=hidden))
    assert [tuple(layer.weight.shape) for layer in made.modules() if isinstance(layer, nn.Linear)] == [(4, 8)]
    assert made(pictures(2)).shape == (2, 4)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (residual_network(1), "ends in one linear layer for the average over all positions: it fits already"),
        (nn.Sequential(nn.Conv2d(3, 4, 16), nn.Flatten()), r"end in a linear layer for \(n, features\); this one does"),
        (nn.Linear(16, 4), r"end in a linear layer for \(n, features\); this one does not"),
    ],
)
def test_a_network_that_a_small_head_does_not_fit_is_one_sentence(network: nn.Module, sentence: str) -> None:
    with pytest.raises(WorkFailed, match=sentence):
        changed(nn.Identity(), {"student_head": "small"}, context(initial=lambda: network))
