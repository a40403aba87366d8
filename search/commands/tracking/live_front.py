"""The front of a search that goes on, as MLflow is told of it."""

import optuna

from dashboards.tracking.pace import Pace
from dashboards.tracking.tracker import Tracker
from search.front.course import front_course
from search.front.front_document import front_document, trial_documents


class LiveFrontReports:
    """Tells a tracker of a front that has other members, in at most one hundredth of the time.

    Args:
        study: The study whose front it is.
        tracker: Sends it to MLflow.
    """

    def __init__(self, study: optuna.Study, tracker: Tracker) -> None:
        self._study = study
        self._tracker = tracker
        self._told: frozenset[int] = frozenset()
        self._pace = Pace()

    def __call__(self, members: frozenset[int]) -> None:
        """The front has these ``members``; one that is told already, or comes too soon after another, waits."""
        if members == self._told or not self._pace.is_due():
            return
        with self._pace:
            document = front_document(self._study, self._tracker.run_ids())
            self._tracker.front_changed(document, trial_documents(self._study), front_course(self._study), live=True)
        self._told = members
