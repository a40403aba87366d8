"""Optuna's storage for one process that drives a study: its tables and its semantics, with few questions to them."""

import copy
import json
import threading
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Insert, Table, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from search.study.transactions import Transactions
from search.study.trial_tables import (
    OF_STUDY,
    PARAMETERS,
    STUDIES,
    SYSTEM,
    TRIALS,
    USER,
    VALUES,
    from_utc,
    new_trial,
    read_trials,
    stored_number,
)

DIALECTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""The databases for which this is, with the insertion that can replace."""

_FINISHED = tuple(state for state in TrialState if state.is_finished())


@dataclass
class _Study:
    """What is known of a study.

    Attributes:
        trials: By id; ids rise with numbers.
        elsewhere: Ids of the unfinished trials that are read anew whenever they are asked for.
        newest: No id up to this one is missing in ``trials``.
        distributions: That of each parameter.
    """

    trials: dict[int, FrozenTrial] = field(default_factory=dict)
    elsewhere: set[int] = field(default_factory=set)
    newest: int = -1
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    def add(self, trial: FrozenTrial) -> None:
        """Know a trial as it was read."""
        self.trials[trial._trial_id] = trial
        self.newest = max(self.newest, trial._trial_id)
        self.distributions.update(trial.distributions)
        (self.elsewhere.discard if trial.state.is_finished() else self.elsewhere.add)(trial._trial_id)


class StudyStorage(BaseStorage):
    """Trials are read by one query for each table, and kept.

    A trial that is begun here is taken to be written here alone, and is not read again; whether it is unfinished still
    is asked when its result is written. All others are read as other processes leave them. Studies are left to
    Optuna's own storage.

    When `set_trial_state_values` returns, the result is on the disk, and all that was set on the trial before it.

    Args:
        plain: Optuna's storage, on a database of `DIALECTS` with tables as in `search.study.trial_tables`.
    """

    def __init__(self, plain: RDBStorage) -> None:
        self._plain = plain
        self._lock = threading.RLock()
        self._transactions = Transactions(plain.engine, self._trust_none)
        self._studies: dict[int, _Study] = {}
        self._begun: dict[int, _Study] = {}
        self._directions: dict[int, list[StudyDirection]] = {}
        new = DIALECTS[plain.engine.dialect.name]
        self._add_parameter: Insert = new(PARAMETERS).on_conflict_do_nothing()
        self._set_user, self._set_system = (_replacing(new(table), "key", "value_json") for table in (USER, SYSTEM))
        self._set_of_study = _replacing(new(OF_STUDY), "key", "value_json", owner="study_id")
        self._set_value = _replacing(new(VALUES), "objective", "value", "value_type")

    def __reduce__(self) -> tuple[type["StudyStorage"], tuple[RDBStorage]]:
        return type(self), (self._plain,)

    def together(self) -> AbstractContextManager[None]:
        """A block in which what this thread sets on running trials waits for its end, or for a trial's result."""
        return self._transactions.together()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        if template_trial is not None:
            return self._plain.create_new_trial(study_id, template_trial)
        with self._lock:
            study, begun = self._study(study_id), datetime.now(UTC).replace(tzinfo=None)
            number = select(func.count()).where(TRIALS.c.study_id == study_id).scalar_subquery()
            row = {"number": number, "study_id": study_id, "state": TrialState.RUNNING, "datetime_start": begun}
            with self._transactions.writing() as connection:
                connection.scalar(select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id).with_for_update())
                added = insert(TRIALS).values(row).returning(TRIALS.c.trial_id, TRIALS.c.number)
                trial_id, trial_number = connection.execute(added).one()
            if trial_number == len(study.trials):  # else others have begun some that are to be read first
                study.trials[trial_id] = new_trial(trial_id, trial_number, from_utc(begun))
                study.newest, self._begun[trial_id] = trial_id, study
            return int(trial_id)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        with self._lock:
            trial, study = self._updatable(trial_id), self._study_of(trial_id)
            check_distribution_compatibility(study.distributions.setdefault(param_name, distribution), distribution)
            row = {"trial_id": trial_id, "param_name": param_name, "param_value": param_value_internal}
            self._transactions.add(self._add_parameter, row | {"distribution_json": distribution_to_json(distribution)})
            self._change(
                trial_id,
                params={**trial.params, param_name: distribution.to_external_repr(param_value_internal)},
                distributions={**trial.distributions, param_name: distribution},
            )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        with self._lock:
            trial, text = self._updatable(trial_id), json.dumps(value)
            self._transactions.add(self._set_user, {"trial_id": trial_id, "key": key, "value_json": text})
            self._change(trial_id, user_attrs={**trial.user_attrs, key: json.loads(text)})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        with self._lock:
            trial, text = self._updatable(trial_id), json.dumps(value)
            self._transactions.add(self._set_system, {"trial_id": trial_id, "key": key, "value_json": text})
            self._change(trial_id, system_attrs={**trial.system_attrs, key: json.loads(text)})

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        with self._lock:
            self._trust_no_more(trial_id)
            self._plain.set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        with self._lock:
            if not state.is_finished():
                self._trust_no_more(trial_id)
                return self._plain.set_trial_state_values(trial_id, state, values)
            self._updatable(trial_id)
            now = datetime.now(UTC).replace(tzinfo=None)
            unfinished = TRIALS.c.state.in_((TrialState.RUNNING, TrialState.WAITING))
            ended = update(TRIALS).where(TRIALS.c.trial_id == trial_id, unfinished)
            rows = [
                {"trial_id": trial_id, "objective": place, **stored_number(v)} for place, v in enumerate(values or ())
            ]
            with self._transactions.writing(flush=True) as connection:
                if connection.execute(ended.values(state=state, datetime_complete=now)).rowcount != 1:
                    raise UpdateFinishedTrialError(f"the trial with id {trial_id} was finished by another process")
                if rows:
                    connection.execute(self._set_value, rows)
            self._change(
                trial_id, state=state, values=list(values) if values else None, datetime_complete=from_utc(now)
            )
            self._begun.pop(trial_id, None)
            return True

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with self._lock:
            for study in self._studies.values():
                if trial_id in study.trials and trial_id not in study.elsewhere:
                    return study.trials[trial_id]
            with self._transactions.reading() as connection:
                found = read_trials(connection, TRIALS.c.trial_id == trial_id)
        if not found:
            raise KeyError(f"there is no trial with id {trial_id}")
        return found[0]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        with self._lock:
            study = self._study(study_id, anew=True)
            trials = list(study.trials.values())
            if states is not None and not any(state in states for state in _FINISHED):
                unfinished = sorted(
                    study.elsewhere.union(i for i, begun_in in self._begun.items() if begun_in is study)
                )
                trials = [study.trials[trial_id] for trial_id in unfinished]
        chosen = trials if states is None else [trial for trial in trials if trial.state in states]
        return copy.deepcopy(chosen) if deepcopy else chosen

    def _study(self, study_id: int, *, anew: bool = False) -> _Study:
        """What is known of a study; with ``anew`` what others have done since is read."""
        study = self._studies.get(study_id)
        if study is None:
            self._plain.get_study_name_from_id(study_id)  # raises KeyError where there is none
            study = self._studies[study_id] = _Study()
        elif not anew:
            return study
        changed = or_(TRIALS.c.trial_id > study.newest, TRIALS.c.trial_id.in_(sorted(study.elsewhere)))
        with self._transactions.reading() as connection:
            for trial in read_trials(connection, (TRIALS.c.study_id == study_id) & changed):
                study.add(trial)
        return study

    def _study_of(self, trial_id: int) -> _Study:
        if trial_id in self._begun:
            return self._begun[trial_id]
        with self._transactions.reading() as connection:
            study_id = connection.scalar(select(TRIALS.c.study_id).where(TRIALS.c.trial_id == trial_id))
        return self._study(int(study_id or 0))

    def _updatable(self, trial_id: int) -> FrozenTrial:
        trial = self.get_trial(trial_id)
        self.check_trial_is_updatable(trial_id, trial.state)
        return trial

    def _change(self, trial_id: int, **changes: Any) -> None:
        """Put a changed copy in the place of a trial that was begun here: whoever holds the old one keeps it as is."""
        if study := self._begun.get(trial_id):
            changed = study.trials[trial_id] = copy.copy(study.trials[trial_id])
            for name, value in changes.items():
                setattr(changed, name, value)

    def _trust_no_more(self, trial_id: int) -> None:
        """From now on read this trial anew whenever it is asked for."""
        self._transactions.write_out()
        if study := self._begun.pop(trial_id, None):
            study.elsewhere.add(trial_id)

    def _trust_none(self) -> None:
        for trial_id, study in self._begun.items():
            study.elsewhere.add(trial_id)
        self._begun.clear()

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        if study_id not in self._directions:
            self._directions[study_id] = self._plain.get_study_directions(study_id)
        return self._directions[study_id]

    def delete_study(self, study_id: int) -> None:
        with self._lock:
            gone = self._studies.pop(study_id, None)
            self._begun = {trial: study for trial, study in self._begun.items() if study is not gone}
            self._directions.pop(study_id, None)
            self._plain.delete_study(study_id)

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        return self._plain.create_new_study(directions, study_name)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self.get_study_directions(study_id)  # raises KeyError where there is no such study
        row = {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
        with self._lock, self._transactions.writing() as connection:
            connection.execute(self._set_of_study, row)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._plain.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._plain.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._plain.get_study_name_from_id(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        self.get_study_directions(study_id)
        found = select(OF_STUDY.c.key, OF_STUDY.c.value_json).where(OF_STUDY.c.study_id == study_id)
        with self._transactions.reading() as connection:
            return {key: json.loads(text) for key, text in connection.execute(found)}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._plain.get_study_system_attrs(study_id)

    def get_all_studies(self) -> list[Any]:
        return self._plain.get_all_studies()

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self._plain.get_trial_id_from_study_id_trial_number(study_id, trial_number)

    def remove_session(self) -> None:
        self._plain.remove_session()


def _replacing(new: Any, key: str, *values: str, owner: str = "trial_id") -> Insert:
    """An insertion that takes the place of the owner's row of that ``key``, if there is one."""
    replaced = {value: new.excluded[value] for value in values}
    statement: Insert = new.on_conflict_do_update(index_elements=[owner, key], set_=replaced)
    return statement
