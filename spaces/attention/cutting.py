"""Takes rows out of a weight of a layer; it imports torch only when called."""

from collections.abc import Sequence
from typing import Any


def cut_rows(layer: Any, name: str, places: Sequence[int], *, dimension: int = 0) -> None:
    """Let the parameter of that name have these ``places`` of its ``dimension`` alone; a bias may be None."""
    import torch

    old = getattr(layer, name)
    if old is not None:
        kept = old.detach().index_select(dimension, torch.tensor(places, device=old.device))
        setattr(layer, name, torch.nn.Parameter(kept, requires_grad=old.requires_grad))
