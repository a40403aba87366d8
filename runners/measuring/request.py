"""What a fresh process is asked to time."""

from dataclasses import dataclass, field
from typing import Any

from runners.measuring.deviation import BaselineMinima
from runners.measuring.opening import Artifact, Baseline
from runners.measuring.stopwatch import TimingSettings


@dataclass(frozen=True)
class TimingRequest:
    """What is timed against what, and how.

    Attributes:
        workload: Its reference.
        candidates: What is timed; the baseline among them is opened a second time.
        baseline: What all are compared with.
        settings: How long and how precisely.
        baseline_minima: The shortest time known of the baseline on each machine.
    """

    workload: Any
    candidates: tuple[Artifact | Baseline, ...]
    baseline: Baseline
    settings: TimingSettings
    baseline_minima: BaselineMinima = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """The number of cores on which all are timed: the most threads that one of them has."""
        return max(opened.threads for opened in (self.baseline, *self.candidates))
