"""Smaller pictures inside of a network are those of PyTorch's own resizing."""

from dataclasses import replace

import pytest
import torch
from spaces_tests.techniques.architecture.changed_networks import changed, context, pictures, residual_network
from torch import nn
from torch.nn.functional import interpolate

from spaces.errors import WorkFailed


@pytest.mark.parametrize(
    ("share", "options"),
    [(0.5, {"size": (8, 8), "mode": "area"}), (0.75, {"size": (12, 12), "mode": "bilinear", "antialias": True})],
)
def test_the_network_sees_the_picture_resized(share: float, options: dict[str, object]) -> None:
    network = residual_network(1, 1)
    expected = network(interpolate(pictures(3), **options))  # type: ignore[arg-type]
    given = changed(network, {"input_resolution": share})(pictures(3))
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-4)


def test_sides_of_different_length_keep_their_ratio() -> None:
    wide = (pictures(1, (3, 8, 20)),)
    given = context(wide)
    changed(residual_network(1, 1), {"input_resolution": 0.75}, given)
    assert given.record == {"size": [8, 20], "smaller": [6, 15]}


def test_pictures_of_a_free_size_are_refused() -> None:
    free = replace(context((pictures(1),)), dynamic=(2,))
    with pytest.raises(WorkFailed, match=r"^pictures are resized from one size to another, and those of this workload"):
        changed(residual_network(1, 1), {"input_resolution": 0.5}, free)


@pytest.mark.parametrize(
    ("network", "example", "share", "sentence"),
    [
        (nn.Linear(5, 2), (torch.zeros(1, 5),), 0.5, r"whose only input is a picture .* takes \(5,\)$"),
        (
            nn.Sequential(nn.Conv2d(3, 4, 7), nn.AdaptiveAvgPool2d(1)),
            None,
            0.25,
            r"^the network does not take pictures of 4x4 in place of 16x16 \(RuntimeError: .*[Kk]ernel size",
        ),
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), None, 0.5, r"of 8x8 in place of 16x16 \(RuntimeError: mat1"),
        (residual_network(1, 1), None, 0.99, r"^0\.99 of pictures of 16x16 is that size again; give a smaller share$"),
    ],
)
def test_what_does_not_go_is_one_sentence(
    network: nn.Module, example: tuple[torch.Tensor, ...] | None, share: float, sentence: str
) -> None:
    with pytest.raises(WorkFailed, match=sentence):
        changed(network, {"input_resolution": share}, context(example))
