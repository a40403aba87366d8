"""An Optuna sampler that proposes the candidate with the largest expected gain of hypervolume.

It knows that some columns are cheap (how fast a network is, how large) and can be looked up before a trial, and
that others (how accurate it is) are known only after training it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.samplers.acquisition import Acquisition
from search.samplers.candidate_pool import CandidatePool
from search.samplers.candidate_space import Candidates, as_candidates
from search.samplers.encoding import Floats
from search.samplers.target_layout import TargetLayout, Values
from search.samplers.training_cost import TrainingCost
from spaces.configuration import Scalar
from spaces.search_space import SearchSpace

LookUp = Callable[[list[dict[str, Scalar]]], Sequence[Values] | Floats]


class EHVISampler(BaseSampler):
    """Proposes what no trial has, by the expected gain of hypervolume.

    What is known is read from the study: a study that was left goes on, trials under way count as they are believed
    to end, and failed ones are not proposed again. What was looked up for candidates without a trial is kept in
    memory only. Once everything has been tried, parameters are drawn at random.

    Args:
        candidates: A `SearchSpace`, or Optuna distributions by name (floats with a step), or other `Candidates`.
        columns: What trials and look-ups are judged by; a number is that many of the study's own values.
        look_up: Gives for a list of parameters one row each: the columns that can be known without a trial, as
            trials have them, and NaN for the rest.
        look_ups: For how many candidates that is asked before each proposal.
        start: How many trials are spread over the space before the model is asked.
        seed: Of everything random.
        work: What candidates cost, where some share work that is dear; then the gain for the cost decides.

    Raises:
        ValueError: A float distribution has no step.

    Attributes:
        work: The same; whoever has measured it sets its `TrainingCost.cost_ratio`.
    """

    def __init__(
        self,
        candidates: Candidates | SearchSpace | Mapping[str, BaseDistribution],
        columns: TargetLayout | int,
        *,
        look_up: LookUp | None = None,
        look_ups: int = 200,
        start: int = 6,
        seed: int = 0,
        work: TrainingCost | None = None,
    ) -> None:
        self._candidates = as_candidates(candidates)
        self._columns = TargetLayout(columns) if isinstance(columns, int) else columns
        self._look_up = look_up
        self._look_ups = look_ups
        random = np.random.default_rng(seed)
        self._independent = RandomSampler(seed=seed)
        self._pool = CandidatePool(self._candidates, self._columns.count, random)
        self._ranking = Acquisition(self._pool, self._columns, start, random, work)
        self.work = work
        self._proposed: dict[int, list[int]] = {}
        self._unfinished: set[int] = set()
        self._read = 0

    def learn(
        self, candidate: Mapping[str, Scalar], values: Values, study: Study | None = None, *, looked_up: bool = True
    ) -> None:
        """Take in what was found out about a candidate without a trial, NaN where nothing was.

        Args:
            candidate: Its parameters, or its configuration.
            values: One for each column, as trials have them.
            study: Whose directions the values have; needed where `TargetLayout.losses` is off.
            looked_up: Whether all candidates could be looked up like this; otherwise it is what another study found.
        """
        vector = self._columns.vector(values, study)
        if looked_up:
            self._learn([candidate], [vector])
            return
        rows = self._pool.add([candidate])
        self._pool.learn(int(rows[0]), vector)
        self._pool.listed[rows] = np.isfinite(vector).all()
        self._ranking.changed(rows)

    def leave_out(self, candidate: Mapping[str, Scalar]) -> None:
        """Never propose nor shortlist a candidate, as where looking it up has failed."""
        self._pool.taken[self._pool.add([candidate])] = True

    def shortlist(self, study: Study, count: int) -> list[Mapping[str, Scalar]]:
        """Up to ``count`` candidates that are most worth looking up, the best first.

        No trial has them, nothing was learnt of them, and no earlier list of this sampler had them.
        """
        self._catch_up(study, None)
        return [self._pool.features[row] for row in self._list(count)]

    def predict(self, candidate: Mapping[str, Scalar]) -> Floats | None:
        """What is known or else expected of a candidate, shape ``(n_columns,)``, to minimise; None without a model."""
        return self._ranking.expected(self._pool.add([candidate]))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of the candidate proposed for ``trial``, which is chosen here.

        Asked again for the same trial, it gives another one: whoever asks did not want the first.
        """
        self._catch_up(study, trial.number)
        if self._look_up is not None:
            self._look(study, self._look_up)
        earlier = self._proposed.setdefault(trial.number, [])
        row = self._ranking.best(earlier)
        if row is None:
            return {}
        earlier.append(row)
        return self._candidates.distributions(self._pool.features[row])

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of the candidate that was chosen."""
        rows = self._proposed.get(trial.number)
        return dict(self._candidates.parameters(self._pool.features[rows[-1]])) if rows and search_space else {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Any value, for a parameter that is not among the candidates'."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Draw other numbers from now on where parameters are drawn at random; proposals follow the study."""
        self._independent.reseed_rng()

    def _list(self, count: int) -> list[int]:
        rows = self._ranking.unscreened(count)
        self._pool.listed[rows] = True
        return rows

    def _look(self, study: Study, look_up: LookUp) -> None:
        found = [self._pool.features[row] for row in self._list(self._look_ups)]
        if found:
            answers = look_up([self._candidates.parameters(candidate) for candidate in found])
            self._learn(found, [self._columns.vector(answer, study) for answer in answers])

    def _learn(self, found: Sequence[Mapping[str, Scalar]], vectors: Sequence[Floats]) -> None:
        rows = self._pool.add(found)
        for row, vector in zip(rows.tolist(), vectors, strict=True):
            self._pool.learn(row, vector)
        self._pool.screened[rows] = self._pool.listed[rows] = True
        self._ranking.looked_up(rows, vectors)

    def _catch_up(self, study: Study, current: int | None) -> None:
        """Read the trials that are new or were not finished when they were last read."""
        trials = study.get_trials(deepcopy=False)
        numbers = [*sorted(self._unfinished), *range(self._read, len(trials))]
        self._read = len(trials)
        self._unfinished = {number for number in numbers if not trials[number].state.is_finished()}
        for number in numbers:
            if number != current:
                self._take(study, trials[number])
        if self.work:
            self.work.under_way(self._pool.features[row] for row in np.flatnonzero(self._pool.pending))

    def _take(self, study: Study, trial: FrozenTrial) -> None:
        """Note what a trial has and what is known of it."""
        finished = trial.state.is_finished()
        features = self._candidates.features(trial)
        proposed = self._proposed.get(trial.number, [])
        if features is None and not proposed:
            return
        row = proposed[-1] if features is None else int(self._pool.add([features])[0])
        if finished and self._proposed.pop(trial.number, []):
            self._pool.pending[proposed] = False
        self._pool.learn(row, self._columns.vector(self._columns.of(trial), study))
        self._pool.taken[row], self._pool.pending[row] = True, not finished
        self._pool.done[row] |= trial.state == TrialState.COMPLETE
        if self.work and trial.state == TrialState.COMPLETE:
            self.work.note(self._pool.features[row])
