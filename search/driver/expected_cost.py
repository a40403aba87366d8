"""What a search will probably cost, from what earlier studies of the same workload on the same machine took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import optuna

from search.driver.stage_costs import StageCosts
from search.driver.time_limits import final_measurement_s
from search.front.front_document import front_document
from search.study.attributes import SCREENED, SECONDS, SETTINGS
from search.study.study import StudySettings


@dataclass(frozen=True)
class ExpectedCost:
    """What a trial took so far.

    Attributes:
        studies: Names of the studies that it is known from.
        trials: How many finished trials they have, without their baselines.
        trial_s: Mean seconds of a trial, with the screening of candidates that became none.
        training_s: Median seconds of the trainings among them; 0 where none was trained.
        measuring_s: Median seconds of a measurement.
        front: Members of the largest front among these studies, baselines left out.
    """

    studies: tuple[str, ...]
    trials: int
    trial_s: float
    training_s: float
    measuring_s: float
    front: int

    def search_s(self, trials: int, timeout_s: float | None = None, time_budget_s: float | None = None) -> float:
        """Seconds of ``trials`` further trials one after the other, and of the final measurement.

        Less where trials run at the same time, or where stages come out of the stage store.

        Args:
            trials: How many trials are still to run.
            timeout_s: Seconds after which no trial begins, or None.
            time_budget_s: Seconds that everything may take, or None.
        """
        searching_s = trials * self.trial_s
        if timeout_s is not None:
            searching_s = min(searching_s, timeout_s + self.trial_s)
        whole_s = searching_s + final_measurement_s(self.front, self.measuring_s)
        return whole_s if time_budget_s is None else min(whole_s, time_budget_s)


def expected_cost(studies: Iterable[optuna.Study], name: str, settings: StudySettings) -> ExpectedCost | None:
    """What a trial of the study called ``name`` takes: known from itself, else from all of its workload and machine.

    Args:
        studies: All studies that there are.
        name: Name of the study that is to run.
        settings: Its settings.

    Returns:
        None where no trial besides a baseline has finished.
    """
    alike = [study for study in studies if _is_alike(study, settings)]
    own = [study for study in alike if study.study_name == name]
    return _cost(own) or _cost(alike)


def _is_alike(study: optuna.Study, settings: StudySettings) -> bool:
    known = study.user_attrs.get(SETTINGS, {})
    return (known.get("fingerprint"), known.get("device")) == (settings.fingerprint, settings.device)


def _cost(studies: Sequence[optuna.Study]) -> ExpectedCost | None:
    costs, seconds, counted, used = StageCosts(), 0.0, 0, []
    for study in studies:
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.number and trial.state.is_finished()]
        if not trials:
            continue
        used.append(study)
        counted += len(trials)
        costs.recall(trials)
        seconds += sum(sum(trial.user_attrs.get(SECONDS, {}).values()) for trial in trials) + _screening_s(study)
    if not used:
        return None
    front = max(sum(bool(member["trial"]) for member in front_document(study)["front"]) for study in used)
    names = tuple(study.study_name for study in used)
    return ExpectedCost(names, counted, seconds / counted, costs.training_s, costs.measuring_s, front)


def _screening_s(study: optuna.Study) -> float:
    parts = (documents for name, documents in study.user_attrs.items() if name.startswith(f"{SCREENED}:"))
    return sum(float(document["seconds"]) for documents in parts for document in documents)
