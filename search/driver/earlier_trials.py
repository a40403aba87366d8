"""What a driver that goes on with a study takes over from its finished trials."""

from collections.abc import Iterator, Sequence

from optuna.trial import FrozenTrial, TrialState

from runners.chains.chain import Chains
from search.driver.runs import training_of
from search.driver.search_context import SearchContext
from search.front.live_front import LiveFront
from search.study.attributes import RUNGS
from search.study.study import record, timing_resolution

RECALLED_TRIALS = 500
"""The latest trials that are looked at for levels that are trained; for each its chain of stages is made."""


def front_so_far(search: SearchContext) -> LiveFront:
    """The front of the complete trials of a study, with what is known of its timing resolution."""
    front = LiveFront(search.objectives, search.constraints, timing_resolution(search.study))
    for trial in search.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        front.add(record(trial))
    return front


def trained_levels(ended: Sequence[FrozenTrial], chains: Chains) -> Iterator[str]:
    """Keys of the levels of training that the latest complete trials among ``ended`` have been through."""
    for trial in ended[-RECALLED_TRIALS:]:
        if trial.state is TrialState.COMPLETE and RUNGS in trial.user_attrs:
            configuration = record(trial).configuration
            assert configuration is not None, "only a trial with choices is complete"
            yield from (task.key for task in training_of(chains.chain(configuration)))
