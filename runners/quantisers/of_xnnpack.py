"""Quantisation to int8 of a program of ``torch.export``, as XNNPACK runs it: torchao with ExecuTorch's quantiser."""

from collections.abc import Sequence
from typing import Any

import torch

from runners.inputs import Arrays
from runners.runner import StageFailed


def quantise(program: Any, calibration: Sequence[Arrays]) -> Any:
    """The int8 form of ``program`` (Jacob et al., arXiv 1712.05877), a program of ``torch.export``, too.

    Activations get one scale a tensor, and weights one a channel, symmetric about zero.

    Args:
        program: What ``torch.export`` recorded of the network, for one example.
        calibration: Examples of the kind that it will serve, each a batch of one, on which the ranges are found.

    Raises:
        StageFailed: The network has no operation to quantise.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(program.module(), quantiser)
    for example in calibration:
        prepared(*map(torch.from_numpy, example))
    quantised = torch.export.export(convert_pt2e(prepared), program.example_inputs[0])
    if not any("quantize_per" in str(node.target) for node in quantised.graph.nodes):
        raise StageFailed("ExecuTorch's quantiser for XNNPACK found no operation to quantise in this network")
    return quantised
