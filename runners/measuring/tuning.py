"""Whether the baseline on an accelerator keeps its accuracy with TF32 and channels_last.

PyTorch's performance tuning guide recommends both, so an owner who follows it has them. TF32 rounds the factors of a
product to ten bits, which most networks do not notice; one that does is timed in plain fp32.
"""

from typing import Any

from runners.measuring.opening import Baseline
from runners.quality.quality import quality_on_split
from runners.workload_loading.reference import resolve

TOLERANCE = 0.005
"""The accuracy on the validation split may be worse by so much: half a point, the least that a bound on the drop is
usually set to; of a metric that is no fraction, this share of it. Both arms answer the same examples, so no sampling
error is to be allowed for."""


def keeps_accuracy(workload: Any, baseline: Baseline, tuned: Baseline) -> bool:
    """Whether ``tuned`` is as accurate on the validation split of the referenced ``workload`` as ``baseline``."""
    resolved = resolve(workload)

    def accuracy(opened: Baseline) -> float:
        return quality_on_split(opened.open(resolved.network), resolved, "validation").value

    reference, metric = accuracy(baseline), resolved.quality
    return metric.drop(accuracy(tuned), reference) <= metric.allowance(TOLERANCE, reference)
