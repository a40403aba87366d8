"""An accelerator that is none: its tensors say that they are elsewhere, and the processor computes what they hold.

They say "meta", a device that torch lets tensors be on without any hardware. What a real accelerator refuses is
refused here too: tensors of two devices in one operation, and NumPy's view of what is not on the host.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

KIND = "meta"


class Elsewhere(torch.Tensor):
    """A tensor on the pretended accelerator; ``held`` is what it holds, on the processor."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Elsewhere":
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device=KIND
        )
        made.held = held
        return made

    def __repr__(self) -> str:
        return f"Elsewhere({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


class _Pretended(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


@dataclass
class Pretended:
    """What was asked of the accelerator.

    Attributes:
        handed_over: Operations that it was given.
        synchronised: How often it was waited for by name.
    """

    handed_over: int = 0
    synchronised: int = 0

    def synchronize(self, device: Any = None) -> None:
        self.synchronised += 1


class Mark:
    """An event by a clock that ticks in milliseconds, one for each operation handed over."""

    def __init__(self, device: Any = None, *, enable_timing: bool = False) -> None:
        assert enable_timing, "only such events have a time"

    def record(self) -> None:
        self.time = _now.handed_over

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: "Mark") -> float:
        return float(end.time - self.time)


_now = Pretended()


@contextmanager
def pretended_accelerator(count: int = 1) -> Iterator[Pretended]:
    """Let torch find ``count`` accelerators in this process."""
    global _now
    _now = Pretended()
    accelerator = torch.accelerator
    with (
        patch.object(torch, "Event", Mark),
        patch.object(accelerator, "current_accelerator", lambda check_available=False: torch.device(KIND)),
        patch.object(accelerator, "device_count", lambda: count),
        patch.object(accelerator, "synchronize", _now.synchronize),
        _Pretended(),
    ):
        yield _now


def _compute(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = {id(tensor.held): tensor for tensor in given if isinstance(tensor, Elsewhere)}
    wanted = kwargs.get("device")
    moves = function is torch.ops.aten._to_copy.default or function is torch.ops.aten.copy_.default
    if there and not moves and any(type(t) is not Elsewhere and t.dim() for t in given):
        raise RuntimeError(f"{function}: expected all tensors to be on the same device")
    goes_there = bool(there) if wanted is None else torch.device(wanted).type == KIND
    if function is torch.ops.aten.copy_.default:
        goes_there = isinstance(args[0], Elsewhere)
    _now.handed_over += goes_there
    args, kwargs = tree_map_only(Elsewhere, lambda tensor: tensor.held, (args, kwargs))
    if wanted is not None and goes_there:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    result = function(*args, **kwargs)
    if not goes_there:
        return result
    # What was changed in place stays the tensor that it was.
    return tree_map_only(
        torch.Tensor, lambda tensor: there[id(tensor)] if id(tensor) in there else Elsewhere(tensor), result
    )
