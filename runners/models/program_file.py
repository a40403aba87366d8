"""A network out of a file of torch.export or TorchScript: as it is, and neither trained nor changed."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from spaces.errors import RequestError, in_one_line

EXPORTED = ".pt2"
"""What the name of a file of torch.export ends in."""


class ProgramFile:
    """Makes the network that a file holds; the ``model`` of a `runners.workload.Workload` with ``pretrained=True``.

    Runtimes, precisions and threads are searched. Students and pruning are not offered, since a program has no layers
    that could be made anew.

    Loading such a file can run code that it holds: use only files that you trust.

    Args:
        file: What `torch.export.save` wrote (``.pt2``), with a dynamic batch dimension, or `torch.jit.save`.

    Attributes:
        file: Its absolute path.
        cannot_train: Why the network cannot be trained.
    """

    cannot_train = "the model is a compiled program, which can be neither trained nor changed"

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file).expanduser().resolve()

    def __call__(self) -> nn.Module:
        """The network, in eval mode.

        Raises:
            RequestError: The file holds none.
        """
        if not self.file.is_file():
            raise RequestError(f"there is no file {self.file}; give a program of torch.export or TorchScript")
        try:
            program = _exported(self.file) if self.file.suffix == EXPORTED else _scripted(self.file)
        except Exception as error:  # what torch raises on files that it did not write
            raise RequestError(
                f"{self.file} cannot be loaded as a program ({in_one_line(error, 160)}); write one with "
                "torch.export.save(torch.export.export(...), 'FILE.pt2') or torch.jit.save(torch.jit.script(...), FILE)"
            ) from error
        if not list(program.parameters()):
            raise RequestError(
                f"{self.file} holds no weights that could be kept apart, as after torch.jit.freeze; save it before that"
            )
        return _Program(program)


class _Program(nn.Module):
    """Calls the program, which knows no training mode."""

    def __init__(self, program: Any) -> None:
        super().__init__()
        self.program = program
        self.training = False
        for parameter in program.parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "_Program":
        """Nothing to switch: the program is as it was exported."""
        return self

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.program(*inputs)


def _exported(file: Path) -> nn.Module:
    network = torch.export.load(file).module()
    for module in network.modules():  # its own eval() refuses; it was exported in the mode that it computes in
        module.training = False
    return network


def _scripted(file: Path) -> nn.Module:
    network: nn.Module = torch.jit.load(file, "cpu")  # type: ignore[no-untyped-call]
    return network.eval()
