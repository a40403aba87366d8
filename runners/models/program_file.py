"""A network out of a file of torch.export or TorchScript: as it is, and neither trained nor changed."""

from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

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
        return program


class _Program(nn.Module):
    """Calls the program, which knows no training mode.

    Args:
        program: A module of torch.export or TorchScript.
        names: The names of the inputs of one of torch.export.
        by_keyword: Those among them that it was exported with by keyword, and takes in no other way.
    """

    def __init__(self, program: Any, names: tuple[str, ...] = (), by_keyword: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._names, self._by_keyword = names, by_keyword
        self.program = program
        self.training = False
        for parameter in program.parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "_Program":
        """Nothing to switch: the program is as it was exported."""
        return self

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        if not self._names or not (named or self._by_keyword):  # TorchScript takes both ways
            return self.program(*inputs, **named)
        given = {**dict(zip(self._names, inputs, strict=False)), **named}
        if set(given) != set(self._names):
            raise TypeError(f"the program takes {', '.join(self._names)} and was given {', '.join(given)}")
        by_place = [given[name] for name in self._names if name not in self._by_keyword]
        return self.program(*by_place, **{name: given[name] for name in self._by_keyword})

    def _apply(self, fn: Any, recurse: bool = True) -> "_Program":
        """Behind ``to()``: what the program makes in its forward pass follows its weights to another device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if isinstance(self.program, fx.GraphModule):
            _make_tensors_on(next(self.parameters()).device, self.program)
        return self


def _make_tensors_on(device: torch.device, program: fx.GraphModule) -> None:
    """As `torch.export.passes.move_to_device_pass`, which takes only what is not yet a module."""
    for module in program.modules():
        for node in module.graph.nodes if isinstance(module, fx.GraphModule) else ():
            if "device" in node.kwargs:
                node.update_kwarg("device", device)
            elif node.target is torch.ops.aten.to.device:
                node.update_arg(1, device)
        if isinstance(module, fx.GraphModule):
            module.recompile()


def _exported(file: Path) -> _Program:
    program = torch.export.load(file)
    network = program.module()
    for module in network.modules():  # its own eval() refuses; it was exported in the mode that it computes in
        module.training = False
    form = program.call_spec.in_spec
    _, by_keyword = form.unflatten([None] * form.num_leaves)
    return _Program(network, tuple(signature(network.forward).parameters), tuple(by_keyword))


def _scripted(file: Path) -> _Program:
    network: nn.Module = torch.jit.load(file, "cpu")  # type: ignore[no-untyped-call]
    return _Program(network.eval())
