"""The artifacts of a front: made again where the stage store lost them, and the last that the store removes."""

from collections.abc import Iterable

from optuna.trial import FrozenTrial

from runners.store.stage_store import StageStore
from search.driver.search_context import SearchContext
from search.study.attributes import STAGES
from search.study.study import record
from spaces.errors import WorkFailed

EXPORTED = ("lowering", "packing")
"""The stages whose files an export has; not every trial has the second."""


def keep_artifacts(search: SearchContext, members: Iterable[int], store: StageStore) -> None:
    """See to it that every member of a front can be exported, and ask the store to keep that longest.

    Args:
        search: The study and what it needs; the runner has nothing else to do.
        members: The numbers of the trials on the front.
        store: Where the results of stages lie.
    """
    study, observer = search.study, search.observer
    trials = study.get_trials(deepcopy=False)
    keys = []
    for number in members:
        stages = trials[number].user_attrs[STAGES]
        needed = [stages[name] for name in EXPORTED if name in stages]
        keys.extend(needed)
        if lost := [key for key in needed if store.get(key) is None]:
            observer.note(f"the artifact of trial {number} is gone from the stage store; making it again")
            if failure := _make_again(search, trials[number], lost[-1]):
                observer.note(f"trial {number} cannot be exported: {failure}")
    try:
        store.capacity.pin(f"{study.study_name} {trials[0].datetime_start}", keys)
    except (OSError, WorkFailed) as error:
        observer.note(f"the stage store does not know what to keep longest: {error}")


def _make_again(search: SearchContext, trial: FrozenTrial, key: str) -> str | None:
    """Carry out the stages of ``trial`` up to its artifact; why that is not possible, or None."""
    configuration = record(trial).configuration
    assert configuration is not None, "only a measured trial is a member of a front"
    tasks = search.chains.chain(configuration)
    if key not in {task.key for task in tasks}:
        return "its code or its libraries were changed since; search under another name to make it anew"
    for task in tasks:
        failure = search.run_alone(task).failure
        if failure or task.key == key:
            return failure
    return None
