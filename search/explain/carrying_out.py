"""Carries out stages of several variants side by side, as far as the time allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runners.runner import StageTask
from search.driver.runs import Failed, Finished, NextStage, ScreeningRun
from search.driver.search_context import SearchContext
from search.driver.shared_stages import SharedStages
from spaces.configuration import Configuration


@dataclass
class Ended:
    """What came of the stages of a variant.

    Attributes:
        results: The figures of each stage, by its name.
        seconds: What its stages took now, by their names; those whose result was in the store are missing.
        failure: Why it did not come to its end, or None.
    """

    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None


def carry_out(
    search: SearchContext,
    wanted: Mapping[str, tuple[Configuration, tuple[StageTask, ...]]],
    may_begin: Callable[[str], bool],
) -> dict[str, Ended]:
    """What came of the stages of each of ``wanted``; those that may not begin any more are missing.

    Stages that several need are carried out once.

    Args:
        search: Its runner carries them out and has nothing else to do.
        wanted: The configuration and its stages, by the name of the variant.
        may_begin: Asked right before a variant begins.

    Raises:
        MachineFailed: The machine failed.
    """
    stages, ended = SharedStages(search), dict[str, Ended]()
    names: dict[int, str] = {}
    waiting = list(wanted)
    while waiting or stages.under_way:
        while waiting and stages.has_room:
            name = waiting.pop(0)
            if may_begin(name):
                begun = ScreeningRun(*wanted[name])
                names[id(begun)], ended[name] = name, Ended(seconds=begun.seconds)
                stages.send(begun)
        if not stages.under_way:
            continue
        for run, outcome in stages.wait():
            assert isinstance(run, ScreeningRun)
            one = ended[names[id(run)]]
            one.results[run.task.stage] = outcome.result
            match run.follow(outcome):
                case NextStage():
                    stages.send(run)
                case Failed(reason):
                    one.failure = reason
                case Finished():
                    pass
    return ended
