"""Contrasts of several networks that are timed together: what a choice gives, and what two give beyond each alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runners.measuring.group import opened_calls, over_processes
from runners.measuring.interval import Ratio, contrast
from runners.measuring.opening import TimingRequest
from runners.measuring.paired_timing import joined
from runners.measuring.stopwatch import call_interleaved

BASELINE = "baseline"
"""The name of the arm that is the baseline."""
Weights = Mapping[str, int]
"""The power of the time of each arm, by its name; together they are 0."""


@dataclass(frozen=True)
class Contrast:
    """The product of the times of several arms, each to the power of its weight.

    Attributes:
        value: The product, which has no unit.
        ci95: Its 95 % interval.
        unstable: Why not to trust it, or an empty string.
    """

    value: float
    ci95: tuple[float, float]
    unstable: str = ""

    def to_json(self) -> dict[str, Any]:
        """The figures in plain JSON types."""
        return {"value": self.value, "ci95": list(self.ci95), "unstable": self.unstable}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Contrast":
        """What `to_json` wrote."""
        return cls(document["value"], (document["ci95"][0], document["ci95"][1]), document["unstable"])


def measure_contrasts(
    request: TimingRequest, names: Sequence[str], contrasts: Mapping[str, Weights]
) -> dict[str, Contrast]:
    """Time the baseline and all candidates in the same blocks, in this process, and give each of ``contrasts``.

    A contrast counts the blocks in which nobody disturbed any of its arms.

    Args:
        request: What is timed, and how.
        names: Of the baseline, and of the candidates in their order.
        contrasts: Weights by the name of the contrast.
    """
    called = call_interleaved(opened_calls(request), request.settings)
    found = {}
    for name, weights in contrasts.items():
        calls, doubt = called.that_count(*(names.index(arm) for arm in weights))
        estimate = contrast(calls, list(weights.values()), request.settings.seed)
        found[name] = Contrast(estimate.value, (estimate.low, estimate.high), joined([doubt, called.doubt]))
    return found


def combine_contrasts(runs: Sequence[Contrast]) -> Contrast:
    """One contrast in several processes as one, by `runners.measuring.group.over_processes`."""
    found = over_processes([Ratio(run.value, *run.ci95) for run in runs])
    return Contrast(found.value, (found.low, found.high), joined(run.unstable for run in runs))
