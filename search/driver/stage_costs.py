"""What the stages of a study have taken so far, in the median."""

from bisect import insort
from collections.abc import Iterable, Mapping

from optuna.trial import FrozenTrial

from runners.machine.resources import TRAINING_STAGES
from search.study.attributes import SECONDS

SCREENING_STAGES = ("transforming", "settling", "quantising", "lowering", "measuring")
"""The stages that a screening consists of, besides the teacher, which all candidates share."""


class StageCosts:
    """Median seconds of training a candidate, of screening one and of one measurement; 0 while they are not known."""

    def __init__(self) -> None:
        self._training, self._screening, self._measuring = _Durations(), _Durations(), _Durations()

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what the stages of a candidate took, by their names; those that came from the store are left out."""
        if trained_s := sum(seconds.get(stage, 0.0) for stage in TRAINING_STAGES):
            self._training.add(trained_s)
        if seconds.get("measuring"):
            self._measuring.add(seconds["measuring"])
            self._screening.add(sum(seconds.get(stage, 0.0) for stage in SCREENING_STAGES))

    def recall(self, trials: Iterable[FrozenTrial]) -> None:
        """Add what the stages of ``trials`` took, as an earlier driver has recorded it."""
        for trial in trials:
            self.add(trial.user_attrs.get(SECONDS, {}))

    @property
    def training_s(self) -> float:
        """What training a candidate takes."""
        return self._training.median

    @property
    def measuring_s(self) -> float:
        """What a measurement takes."""
        return self._measuring.median

    @property
    def screening_s(self) -> float:
        """What a trial takes besides its training."""
        return self._screening.median

    @property
    def trial_s(self) -> float:
        """What a trial takes."""
        return self._training.median + self._screening.median

    @property
    def all_training_s(self) -> float:
        """What all trainings together have taken."""
        return self._training.total

    @property
    def ratio(self) -> float:
        """What training a candidate costs, in units of what screening one does."""
        return self._training.median / max(1e-9, self._screening.median) if self._screening.known else 0.0


class _Durations:
    """Seconds that one kind of work took; their median is asked for far more often than there is a new one."""

    def __init__(self) -> None:
        self._sorted: list[float] = []
        self.total = 0.0

    def add(self, seconds: float) -> None:
        insort(self._sorted, seconds)
        self.total += seconds

    @property
    def known(self) -> bool:
        return bool(self._sorted)

    @property
    def median(self) -> float:
        count = len(self._sorted)
        return (self._sorted[(count - 1) // 2] + self._sorted[count // 2]) / 2 if count else 0.0
