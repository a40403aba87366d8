"""A trained network at its number format, and as a program of ``torch.export``."""

import warnings
from typing import Any

import torch
from torch import nn

from runners.backend import Trained
from runners.inputs import ExampleInputs
from runners.lowering.free_sizes import free_sizes, two_rows, written_out
from runners.lowering.torch_predictor import DTYPES, at_precision
from runners.lowering.weights import copy_network


def module_at_precision(trained: Trained) -> nn.Module:
    """The network in eval mode, computing in the format of ``trained``; a copy where its weights are stored otherwise.

    Raises:
        StageFailed: It has to be copied, and ``trained.build`` makes another network.
    """
    given = copy_network(trained.module, trained.build) if trained.precision in DTYPES else trained.module
    return at_precision(given, trained.precision).eval()


def exported_program(module: nn.Module, example: ExampleInputs) -> Any:
    """``module`` as `torch.export` records it, with the batch and what ``example`` calls dynamic left free.

    Raises:
        Exception: What `torch.export` says where it cannot record the network.
    """
    with warnings.catch_warnings(), written_out(), torch.no_grad():
        warnings.simplefilter("ignore")
        shapes = free_sizes(module, example)
        return torch.export.export(module, two_rows(example), dynamic_shapes=shapes)
