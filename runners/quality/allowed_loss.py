"""Whether outputs on the validation split are worse than others by more than is allowed."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch

from runners.inputs import Arrays, network_batch, read
from runners.quality.quality import EVALUATION_BATCH
from runners.quality.teacher_agreement import compare_with_teacher
from runners.workload import Workload


class AllowedLoss:
    """Judges outputs on the validation split, for what is chosen on a trained network.

    Args:
        workload: Gives the split and the metric.
    """

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def inputs(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """The inputs of the split in batches, a tensor for each input."""
        for inputs, _ in self._batches():
            yield tuple(torch.from_numpy(network_batch(each)) for each in inputs)

    def keeps_quality(self, outputs: torch.Tensor, reference: torch.Tensor, loss: float) -> bool:
        """Whether the metric of ``outputs`` is worse than that of ``reference`` by at most ``loss``.

        Without labels the metric is the agreement with ``reference``.

        Args:
            outputs: For all inputs of the split, ``(n, ...)``.
            reference: Others for the same.
            loss: A fraction, or the share of a metric that is none.
        """
        value, best = (self._value(each.numpy(), reference.numpy()) for each in (outputs, reference))
        return self._workload.quality.drop(value, best) <= self._workload.quality.allowance(loss, best)

    def _value(self, outputs: Any, reference: Any) -> float:
        if self._targets is not None:
            return float(self._workload.metric(outputs, self._targets))
        judged = compare_with_teacher(self._workload, outputs, reference)
        return float(judged.workload.metric(judged.outputs, judged.targets))

    @cached_property
    def _targets(self) -> Any:
        parts = [targets for _, targets in self._batches()]
        return None if parts[0] is None else np.concatenate(parts)

    def _batches(self) -> Iterator[tuple[Arrays, Any]]:
        split = self._workload.splits["validation"]
        for first in range(0, len(split), EVALUATION_BATCH):
            yield read(split, np.arange(first, min(first + EVALUATION_BATCH, len(split))))
