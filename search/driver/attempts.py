"""Stages on a runner, sent again where their process or node died."""

from runners.runner import Runner, StageOutcome, StageTask
from search.driver.observer import Observer
from spaces.errors import WorkFailed

MOST_ATTEMPTS = 3
"""How often a stage is sent in all."""


class MachineFailed(WorkFailed):
    """The machine failed and no candidate did: the search has to wait until somebody mends that."""


class Attempts:
    """Sends stages to a runner and gives back the outcome of each, once.

    A stage whose process or node died is sent again, which the runner may do elsewhere. One that raised, or that did
    nothing until it was ended, is not: it would do so again.

    Args:
        runner: Carries out the stages.
        observer: Is told of each stage that is sent again, once, and of the first that waits long for its machine.
        resume: The command that goes on with the study.
    """

    def __init__(self, runner: Runner, observer: Observer, resume: str) -> None:
        self._runner = runner
        self._observer = observer
        self._resume = resume
        self._failed: dict[str, int] = {}
        self._noted_waiting = False

    def submit(self, task: StageTask) -> None:
        """Begin a stage. Its inputs are done."""
        self._runner.submit(task)

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        """The stages that ended since the last call; none where one of them was sent again, or the time is up.

        Raises:
            MachineFailed: A stage failed because of the machine; the others are left as they are.
        """
        ended = self._runner.wait(timeout_s)
        if not self._noted_waiting and (waiting := self._runner.waiting()):
            self._noted_waiting = True
            self._observer.note(waiting)
        return [(task, outcome) for task, outcome in ended if not self._is_sent_again(task, outcome)]

    def cancel(self) -> None:
        """End everything that is under way."""
        self._failed.clear()
        self._runner.cancel()

    def _is_sent_again(self, task: StageTask, outcome: StageOutcome) -> bool:
        if outcome.failure is None or outcome.failure_kind in ("candidate", "weights"):
            self._failed.pop(task.key, None)
            return False
        if outcome.failure_kind == "machine":
            raise MachineFailed(
                f"{outcome.failure}; no trial fails for that: once it is mended, `{self._resume}` goes on"
            )
        failed = self._failed[task.key] = self._failed.get(task.key, 0) + 1
        if failed == 1:
            self._observer.note(f"{outcome.failure}; it is tried again, twice at most")
        if failed == MOST_ATTEMPTS:
            del self._failed[task.key]
            return False
        self._runner.submit(task)
        return True
