"""A network that makes its pictures smaller before it looks at them; this is part of what is exported and timed."""

from typing import Any


def with_resized_input(network: Any, size: tuple[int, int], smaller: tuple[int, int]) -> Any:
    """A network that takes pictures of ``size`` and calls ``network`` with those of the ``smaller`` size.

    Each pixel is the mean of those that it stands for where the sides divide evenly, else that of PyTorch's bilinear
    interpolation with antialiasing. That is linear in rows and in columns, so it is computed as two products with fixed
    matrices, which every runtime has.

    Args:
        network: A ``torch.nn.Module`` for ``(n, channels, *smaller)``.
        size: Height and width of the pictures.
        smaller: Those that the network sees.
    """
    import torch
    from torch import nn

    class Products(nn.Module):
        """Pictures ``(n, channels, *size)`` to ``(n, channels, *smaller)``."""

        down: torch.Tensor
        across: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("down", _weights(size[0], smaller[0]).T.contiguous())
            self.register_buffer("across", _weights(size[1], smaller[1]))

        def forward(self, pictures: Any) -> Any:
            return torch.matmul(self.down, torch.matmul(pictures, self.across))

    even = all(full % part == 0 for full, part in zip(size, smaller, strict=True))
    kernel = (size[0] // smaller[0], size[1] // smaller[1])
    return nn.Sequential(nn.AvgPool2d(kernel) if even else Products(), network)


def _weights(full: int, part: int) -> Any:
    """``(full, part)``: how much each of the pixels of a row counts in each of fewer pixels."""
    import torch
    from torch.nn.functional import interpolate

    return interpolate(torch.eye(full)[None, None], size=(full, part), mode="bilinear", antialias=True)[0, 0]
