"""The artifacts of a front: made again where the stage store lost them, and the last that it lets go."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna

from runners.runner import Runner
from runners.stages.chain import Chains
from runners.store.stage_store import StageStore
from search.driver.search_context import carry_out_alone
from search.study.study import record
from spaces.errors import WorkFailed


def keep_front(
    study: optuna.Study,
    document: Mapping[str, Any],
    runner: Runner,
    chains: Chains,
    store: StageStore,
    note: Callable[[str], None],
) -> None:
    """See to it that every member of the front can be exported, and ask the store to keep that.

    Args:
        study: The study.
        document: Its front document.
        runner: Carries out stages, and has nothing else to do.
        chains: Names them.
        store: Where their results lie.
        note: Is told what a person should know.
    """
    trials = study.get_trials(deepcopy=False)
    keys = {}
    for member in document["front"]:
        trial = trials[member["trial"]]
        keys[trial.number] = key = trial.user_attrs["stages"]["lowering"]
        if store.get(key) is None:
            note(f"the artifact of trial {trial.number} is gone from the stage store; making it again")
            if failure := _make_again(trial, key, runner, chains):
                note(f"trial {trial.number} cannot be exported: {failure}")
    try:
        store.capacity.pin(f"{study.study_name} {study.user_attrs['places']['home']}", list(keys.values()))
    except (OSError, WorkFailed) as error:
        note(f"the stage store does not know what to keep longest: {error}")


def _make_again(trial: optuna.trial.FrozenTrial, key: str, runner: Runner, chains: Chains) -> str | None:
    """Carry out the chain of ``trial`` up to its artifact; why that is not possible, or None."""
    configuration = record(trial).configuration
    assert configuration is not None, "only a measured trial is a member of a front"
    tasks = chains.chain(configuration)
    if key not in {task.key for task in tasks}:
        return "its code or its libraries were changed since; search under another name to make it anew"
    for task in tasks:
        failure = carry_out_alone(runner, task).failure
        if failure or task.key == key:
            return failure
    return None
