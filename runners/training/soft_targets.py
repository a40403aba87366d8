"""What a teacher gives for the batches of a training, computed once for all networks that learn from it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runners.processes.progress import report_progress
from runners.runner import StageFailed
from runners.training.batches import Batch, batches, batches_in_epoch
from runners.training.settings import Level
from runners.training.strategy import precision
from runners.workload import Workload
from spaces.errors import in_one_line

OUTPUTS = "soft_targets.safetensors"
LARGEST_BYTES = 256 * 2**20
"""Of the outputs of a level. Where there are more, as in segmentation, reading them would take as long as a call."""


def soft_targets(workload: Workload, level: Level, teacher: nn.Module) -> Tensor | None:
    """The outputs of ``teacher`` for all batches of ``level``, ``(batches, examples, classes, ...)``, on the processor.

    They are None where they would be larger than `LARGEST_BYTES`.

    Args:
        workload: Gives data and augmentation.
        level: The epochs, and the batches of the plan.
        teacher: In eval mode, on the device on which it is called.
    """
    device = next(teacher.parameters()).device
    count = len(level.epochs) * batches_in_epoch(workload, level.settings.plan)
    found: list[Tensor] = []
    with torch.no_grad(), precision(device, level.settings.autocast):
        for batch in batches(workload, level):
            found.append(teacher(*batch.to(device).inputs).cpu())
            if found[0].nbytes * count > LARGEST_BYTES:
                return None
            report_progress()
    return torch.stack(found)


def write_soft_targets(outputs: Tensor, folder: Path) -> None:
    """Keep what `soft_targets` gave in ``folder``."""
    save_file({"outputs": outputs.contiguous()}, folder / OUTPUTS)


def read_soft_targets(folder: Path) -> Tensor:
    """What `write_soft_targets` has kept.

    Raises:
        StageFailed: It cannot be read.
    """
    try:
        return load_file(folder / OUTPUTS)["outputs"]
    except (OSError, SafetensorError, KeyError) as error:
        raise StageFailed(f"the teacher's outputs in {folder} cannot be read ({in_one_line(error)})") from error


def with_soft_targets(given: Iterator[Batch], outputs: Tensor) -> Iterator[Batch]:
    """The batches of a level, each with its part of what `soft_targets` gave for them."""
    return (replace(batch, soft=soft) for batch, soft in zip(given, outputs, strict=True))
