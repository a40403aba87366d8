"""Optuna's cache of a study's trials, for the one process that writes the study."""

from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial


class SoleWriterStorage(_CachedStorage):
    """A storage that reads a trial again only where it was written to through this storage.

    Optuna's own cache reads every unfinished trial anew whenever the trials of a study are asked for, which is several
    times for each trial: with a thousand of them under way, one trial took two seconds of the processor. Here all are
    read once, when they are first asked for; what other processes write to the study afterwards is not seen.

    Args:
        backend: The database.
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._known_studies: set[int] = set()
        self._written: set[int] = set()

    def set_trial_param(self, trial_id: int, *given: Any, **named: Any) -> None:
        self._written.add(trial_id)
        super().set_trial_param(trial_id, *given, **named)

    def set_trial_state_values(self, trial_id: int, *given: Any, **named: Any) -> bool:
        self._written.add(trial_id)
        return super().set_trial_state_values(trial_id, *given, **named)

    def set_trial_intermediate_value(self, trial_id: int, *given: Any, **named: Any) -> None:
        self._written.add(trial_id)
        super().set_trial_intermediate_value(trial_id, *given, **named)

    def set_trial_user_attr(self, trial_id: int, *given: Any, **named: Any) -> None:
        self._written.add(trial_id)
        super().set_trial_user_attr(trial_id, *given, **named)

    def set_trial_system_attr(self, trial_id: int, *given: Any, **named: Any) -> None:
        self._written.add(trial_id)
        super().set_trial_system_attr(trial_id, *given, **named)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        if study_id not in self._known_studies:
            super()._read_trials_from_remote_storage(study_id)
            self._known_studies.add(study_id)
            self._written -= self._of(study_id)
            return
        written = self._of(study_id)
        trials: list[FrozenTrial] = [self._backend.get_trial(trial_id) for trial_id in written]
        with self._lock:
            self._add_trials_to_cache(study_id, trials)
        self._written -= written

    def _of(self, study_id: int) -> set[int]:
        """The trials of the study that were written to since they were read."""
        places = self._trial_id_to_study_id_and_number
        return {trial_id for trial_id in self._written if places.get(trial_id, (None,))[0] == study_id}
