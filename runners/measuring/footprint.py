"""What a network costs without being timed: operations, weights, bytes."""

from pathlib import Path
from typing import Any

from runners.inputs import Arrays


def count_macs(network: Any, example: Arrays) -> int:
    """Multiply-accumulate operations of one example, given as a batch of one for each input.

    Counted by PyTorch over convolutions and matrix products; it calls one multiply-accumulate two operations. It does
    not see into kernels that compute whole attention, so attention is computed by its parts here.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter, by_one_kernel = FlopCounterMode(display=False), torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
            network.eval()(*map(torch.from_numpy, example))
    finally:
        torch.backends.mha.set_fastpath_enabled(by_one_kernel)
    return int(counter.get_total_flops() // 2)


def count_parameters(network: Any) -> int:
    """Weights of the network, shared ones once."""
    return sum(parameter.numel() for parameter in network.parameters())


def folder_size_mib(folder: Path) -> float:
    """Size of all files under ``folder`` in MiB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
