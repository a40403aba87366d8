"""When stages ran: kept with the trial that they were carried out for, or with the study, so that it can be drawn."""

import time
from collections.abc import Sequence

import optuna

from runners.runner import StageOutcome
from search.study.attributes import STUDY_TIMES

StageTime = tuple[str, float, float]
"""The name of a stage, when it began in seconds since 1970, and how many seconds it took."""


def stage_time(stage: str, outcome: StageOutcome) -> StageTime | None:
    """The time of a stage whose outcome has just arrived; None where its result was in the store."""
    if outcome.from_store:
        return None
    return stage, round(time.time() - outcome.seconds, 3), round(outcome.seconds, 3)


def add_study_times(study: optuna.Study, times: Sequence[StageTime | None]) -> None:
    """Keep the times of stages that belong to no single trial, such as the final measurement, beside those so far."""
    if ran := [one for one in times if one is not None]:
        study.set_user_attr(STUDY_TIMES, [*study.user_attrs.get(STUDY_TIMES, []), *ran])
