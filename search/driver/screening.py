"""Screening: timing candidates untrained, since the speed of a dense network does not depend on its weights."""

from bisect import insort
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from search.driver.candidate import TRAINING
from spaces.configuration import Configuration

SHARE = 0.5
"""Of the time that training takes, at most this share is spent on timing candidates that may never be trained."""
MOST = 200
"""Candidates timed for each one trained, at most."""
TIMING = ("transforming", "settling", "quantising", "lowering", "measuring")
"""The stages that a screening consists of."""
ATTRIBUTE = "screened"
BLOCK = 50
"""Candidates kept in one attribute of the study: each attribute costs whenever one of them is read."""


class Screening:
    """Decides how many candidates are timed untrained for each one that is trained, and remembers their figures.

    How many follows from what either has cost in this study, in the middle. Until both are known, and where training
    is cheaper than timing, none is: a model of the speeds of all candidates timed so far stands in.

    Args:
        study: Keeps the figures, so that a study that goes on need not time again.
        always: Time at least the candidate that is to be trained next, as where speed alone can decide a constraint.
    """

    def __init__(self, study: optuna.Study, *, always: bool = False) -> None:
        self._study = study
        self._always = always
        self._training, self._timing, self._measuring = _Costs(), _Costs(), _Costs()
        self._since = 0
        self._kept: dict[str, dict[str, Any]] = {
            document["configuration"]: document
            for name, documents in study.user_attrs.items()
            if name.startswith(f"{ATTRIBUTE}:")
            for document in documents
        }
        self._spent: float = sum(document["seconds"] for document in self._kept.values())

    @property
    def per_trial(self) -> int:
        """How many candidates to time for each one trained."""
        least = int(self._always)
        return max(least, min(MOST, int(SHARE * self.cost_ratio)))

    @property
    def trial_s(self) -> float:
        """What a trial takes, in the middle; 0 while that is not known."""
        return self._training.middle + self._timing.middle

    @property
    def cost_ratio(self) -> float:
        """What training costs, in units of what timing a candidate does; 0 while that is not known."""
        return self._training.middle / max(1e-9, self._timing.middle) if self._timing.known else 0.0

    def due(self) -> bool:
        """Whether another candidate is to be timed before the next trial begins."""
        afforded = self._spent < SHARE * self._training.total
        return self._since < self.per_trial and (afforded or (self._always and self._since == 0))

    def began(self) -> None:
        """A candidate is being timed."""
        self._since += 1

    def chose(self) -> None:
        """A trial began."""
        self._since = 0

    @property
    def measuring_s(self) -> float:
        """What a measurement takes, in the middle; 0 while that is not known."""
        return self._measuring.middle

    def cost(self, seconds: Mapping[str, float]) -> None:
        """Learn from what the stages of a candidate took, by their names."""
        if seconds.get(TRAINING):
            self._training.add(seconds[TRAINING])
        if seconds.get("measuring"):
            self._measuring.add(seconds["measuring"])
            self._timing.add(sum(seconds.get(stage, 0.0) for stage in TIMING))

    def recall(self, trials: Iterable[FrozenTrial]) -> None:
        """Learn the costs that an earlier driver has kept."""
        for trial in trials:
            self.cost(trial.user_attrs.get("seconds", {}))

    def keep(self, configuration: Configuration, figures: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
        """Remember what the screening of a candidate gave, and what its stages took."""
        self.cost(seconds)
        took = sum(seconds.values())
        self._spent += took
        text = configuration.canonical()
        self._kept[text] = {"configuration": text, "figures": dict(figures), "seconds": round(took, 3)}
        block = (len(self._kept) - 1) // BLOCK
        self._study.set_user_attr(f"{ATTRIBUTE}:{block}", list(islice(self._kept.values(), block * BLOCK, None)))

    def figures(self, configuration: Configuration) -> dict[str, Any] | None:
        """The figures of a candidate's screening, or None where it was not timed."""
        document = self._kept.get(configuration.canonical())
        return document["figures"] if document else None

    def all(self) -> dict[Configuration, dict[str, Any]]:
        """The figures of every candidate that was timed."""
        return {Configuration.from_json(text): document["figures"] for text, document in self._kept.items()}


class _Costs:
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
    def middle(self) -> float:
        """The median; 0 while nothing is known."""
        count = len(self._sorted)
        return (self._sorted[(count - 1) // 2] + self._sorted[count // 2]) / 2 if count else 0.0
