"""A program of `torch.export` that is called with PyTorch's own functions gives what it gave before."""

import pytest
import torch
from torch import nn

from runners.lowering.plain_calls import plain_calls


class Sum(nn.Module):
    """Adds what two branches give, in place, and turns it; an operator without another name is among these."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        both = self.left(images)
        both += self.right(images)
        return both.permute(0, 2, 3, 1).mean((1, 2))


NETWORKS = {
    "convolutions": nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
    "activations": nn.Sequential(nn.GELU(), nn.SiLU(inplace=True), nn.Hardswish(), nn.Flatten(), nn.Linear(192, 5)),
    "pooling": nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.GroupNorm(1, 3), nn.Softmax(1), nn.Dropout(0.5)),
    "a sum": Sum(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_outputs_are_the_same_for_every_batch(name: str) -> None:
    network, images = NETWORKS[name].eval(), torch.randn(5, 3, 8, 8)
    dynamic = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (images[:2].clone(),), dynamic_shapes=dynamic)
    called = plain_calls(program.module(check_guards=False))
    for rows in (1, 2, 5):
        with torch.inference_mode():
            assert torch.equal(called(images[:rows].clone()), network(images[:rows].clone()))


def test_operators_take_the_place_of_those_that_python_dispatches() -> None:
    program = torch.export.export(NETWORKS["convolutions"].eval(), (torch.randn(2, 3, 8, 8),))
    called = plain_calls(program.module(check_guards=False))
    functions = [node.target for node in called.graph.nodes if node.op == "call_function"]
    assert torch.conv2d in functions
    assert not any(isinstance(function, torch._ops.OpOverload) for function in functions)
