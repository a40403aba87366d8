"""How much of what differs between the trials of a study each choice explains, by Optuna's own evaluators."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator

from dashboards.figures.measured_trials import in_order
from search.study.attributes import SCREENED, SPEED
from search.study.study import records
from spaces.configuration import Configuration, Scalar
from spaces.search_space import SearchSpace

RESAMPLES = 8
"""Sets of trials, drawn with replacement, on which the importances are computed again: they show how far they rest on
single trials."""
TREES = 32
FEW = 100
"""With more candidates than this, fewer trees are grown on each of the resamples."""
MOST_CANDIDATES = 250
"""Of more candidates so many are looked at, chosen by chance, and half of that on each of the resamples."""
MOST_CATEGORIES = 6
TRIALS_PER_VALUE = 3
"""With fewer trials for each value that can be told apart, importances are no more than a hint."""


@dataclass(frozen=True)
class Importance:
    """How important each choice was for one quantity.

    Attributes:
        trials: How many measured candidates it rests on.
        shares: The importance of each choice that had several values, the highest first: the share of the variance that
            it explains alone. What they lack of 1 is explained by several together.
        ranges: The lowest and the highest importance over the resamples.
        doubt: Why they are not to be trusted, or an empty string.
    """

    trials: int
    shares: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    doubt: str = ""

    def to_json(self) -> dict[str, Any]:
        """The figures in plain JSON types."""
        choices = {n: {"share": share, "range": list(self.ranges[n])} for n, share in self.shares.items()}
        return {"trials": self.trials, "choices": choices, "doubt": self.doubt}


def importances(study: optuna.Study, space: SearchSpace) -> dict[str, Importance]:
    """The importances for ``speed``, as the logarithm of the speedup, and for ``accuracy``.

    Speed is known of every candidate that was timed, also of those that were timed untrained and of trials that were
    stopped; accuracy of complete trials.
    """
    complete = [trial for trial in records(study) if trial.state == "complete" and trial.measurement]
    measured = {t.configuration: t.measurement for t in complete if t.configuration is not None and t.measurement}
    speeds = {**_screened(study), **{c: m["speedup"] for c, m in measured.items()}}
    return {
        "speed": importance({c: math.log(speedup) for c, speedup in speeds.items() if speedup > 0}, space),
        "accuracy": importance({c: m["accuracy"] for c, m in measured.items()}, space),
    }


def importance(values: Mapping[Configuration, float], space: SearchSpace) -> Importance:
    """How much of the variance of ``values`` each choice explains alone: fANOVA (Hutter et al., ICML 2014).

    A choice that was not drawn has its neutral value, so that all candidates have the same choices: Optuna's evaluators
    would leave out those that some lack.

    Args:
        values: A value for each candidate.
        space: Has the order and the neutral values of the choices.
    """
    neutral = {axis.name: axis.neutral(space.environment) for axis in space.axes}
    rows = [({name: c.get(name, default) for name, default in neutral.items()}, value) for c, value in values.items()]
    levels = {name: in_order({row[name] for row, _ in rows}) for name in neutral}
    varied = {name: found for name, found in levels.items() if len(found) > 1}
    distinct = sum(len(found) - 1 for found in varied.values())
    if len(rows) < 2 or not varied or len({value for _, value in rows}) < 2:
        return Importance(len(rows), doubt="nothing differs between the candidates that were measured")
    shares = _fanova([rows[i] for i in _some(len(rows), MOST_CANDIDATES)], varied)
    random = np.random.default_rng(0)
    size, trees = min(len(rows), MOST_CANDIDATES // 2), TREES if len(rows) <= FEW else TREES // 4
    drawn = [_fanova([rows[i] for i in random.integers(0, len(rows), size)], varied, trees) for _ in range(RESAMPLES)]
    ranges = {name: (min(one[name] for one in drawn), max(one[name] for one in drawn)) for name in shares}
    needed = TRIALS_PER_VALUE * distinct
    few = f"{len(rows)} candidates for {len(varied)} choices tell little; {needed} or more would"
    return Importance(len(rows), shares, ranges, few if len(rows) < needed else "")


def _fanova(
    rows: Sequence[tuple[Mapping[str, Scalar], float]], varied: Mapping[str, Sequence[Scalar]], trees: int = TREES
) -> dict[str, float]:
    """Optuna's fANOVA of ``rows`` by choice; 0 for all where a draw of them has one value alone."""
    if len({value for _, value in rows}) < 2:
        return dict.fromkeys(varied, 0.0)
    distributions: dict[str, BaseDistribution] = {name: _distribution(found) for name, found in varied.items()}
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    study.add_trials(
        optuna.trial.create_trial(
            params={name: found.index(row[name]) for name, found in varied.items()},
            distributions=distributions,
            value=value,
        )
        for row, value in rows
    )
    evaluator = FanovaImportanceEvaluator(n_trees=trees, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of versions and jobs
        found = evaluator.evaluate(study, params=list(varied))
    return {name: float(share) if math.isfinite(share) else 0.0 for name, share in found.items()}


def _some(count: int, most: int) -> list[int]:
    """The numbers below ``count``, or ``most`` of them by chance, always the same."""
    if count <= most:
        return list(range(count))
    return sorted(np.random.default_rng(0).choice(count, most, replace=False).tolist())


def _distribution(found: Sequence[Scalar]) -> BaseDistribution:
    """How the evaluator sees the places of these values in their order.

    Of a categorical choice with n values it looks at up to 2**n combinations, so only a few that have no order are one.
    """
    has_order = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in found)
    if len(found) <= MOST_CATEGORIES and not has_order:
        return CategoricalDistribution(range(len(found)))
    return IntDistribution(0, len(found) - 1)


def _screened(study: optuna.Study) -> dict[Configuration, float]:
    """The speedups of candidates that were timed and not trained to their end."""
    parts: Iterable[Any] = (found for name, found in study.user_attrs.items() if name.startswith(f"{SCREENED}:"))
    timed = {Configuration.from_json(d["configuration"]): d["figures"] for found in parts for d in found}
    for trial, record in zip(study.get_trials(deepcopy=False), records(study), strict=True):
        if trial.user_attrs.get(SPEED) and record.configuration is not None:
            timed[record.configuration] = trial.user_attrs[SPEED]
    return {configuration: figures["speedup"] for configuration, figures in timed.items() if "speedup" in figures}
