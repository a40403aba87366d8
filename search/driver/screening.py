"""Screening: timing candidates untrained, since the speed of a dense network does not depend on its weights."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import optuna

from search.driver.runs import ScreeningRun
from search.driver.stage_costs import StageCosts
from search.study.attributes import SCREENED
from spaces.configuration import Configuration

MAX_SHARE_OF_TRAINING = 0.5
"""At most this share of the time spent on training is spent on screening, since most of it is for candidates that are
never trained."""
MAX_PER_TRIAL = 200
"""Candidates screened for each one trained, at most."""
PER_ATTRIBUTE = 50
"""Candidates kept in one attribute: setting an attribute writes all of it, and reading a study reads each of them."""


class Screening:
    """Decides how many candidates are screened for each one that is trained, and keeps their figures.

    How many follows from the median costs of both in this study. While they are not known, and where training is
    cheaper than screening, none is: the sampler's model of the speeds measured so far stands in.

    Args:
        study: Keeps the figures, so that a study that goes on need not time again.
        costs: What training and screening take; screenings are added to them.
        always: Screen at least the candidate that is to be trained next, as where a constraint can be checked before
            training.
    """

    def __init__(self, study: optuna.Study, costs: StageCosts, *, always: bool = False) -> None:
        self._study = study
        self._costs = costs
        self._least = int(always)
        self._since_last_trial = 0
        self._documents: dict[str, dict[str, Any]] = {
            document["configuration"]: document
            for name, documents in study.user_attrs.items()
            if name.startswith(f"{SCREENED}:")
            for document in documents
        }
        self._spent_s: float = sum(document["seconds"] for document in self._documents.values())

    @property
    def per_trial(self) -> int:
        """How many candidates to screen for each one trained."""
        return max(self._least, min(MAX_PER_TRIAL, int(MAX_SHARE_OF_TRAINING * self._costs.ratio)))

    def is_due(self) -> bool:
        """Whether another candidate is to be screened before the next trial begins."""
        affordable = self._spent_s < MAX_SHARE_OF_TRAINING * self._costs.all_training_s
        return self._since_last_trial < self.per_trial and (affordable or self._since_last_trial < self._least)

    def screening_started(self) -> None:
        """Count a screening that begins now."""
        self._since_last_trial += 1

    def trial_started(self) -> None:
        """Count anew from the trial that begins now."""
        self._since_last_trial = 0

    def record(self, run: ScreeningRun, figures: Mapping[str, Any]) -> None:
        """Keep what the screening of a candidate gave, what its stages took, and when they ran."""
        self._costs.add(run.seconds)
        took_s = sum(run.seconds.values())
        self._spent_s += took_s
        text, seconds = run.configuration.canonical(), round(took_s, 3)
        document = {"configuration": text, "figures": dict(figures), "seconds": seconds, "times": run.times}
        self._documents[text] = document
        last = (len(self._documents) - 1) // PER_ATTRIBUTE
        documents = list(islice(self._documents.values(), last * PER_ATTRIBUTE, None))
        self._study.set_user_attr(f"{SCREENED}:{last}", documents)

    def has_figures(self, configuration: Configuration) -> bool:
        """Whether ``configuration`` was screened in this study."""
        return configuration.canonical() in self._documents

    def figures(self) -> dict[Configuration, dict[str, Any]]:
        """The figures of every candidate that was screened in this study."""
        return {Configuration.from_json(text): document["figures"] for text, document in self._documents.items()}
