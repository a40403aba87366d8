"""Stages of runs on a runner; runs that need the same stage wait for one computation."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from runners.runner import StageOutcome, StageTask
from search.driver.runs import Run
from search.driver.search_context import WAIT_S, SearchContext

LONG_WAIT_S = 5.0
"""The first stage that has waited longer than this for its machine is worth a note."""
RUNS_PER_WORKER = 2
"""Runs under way for each worker, at most: a run that waits for a stage of another one keeps no worker busy."""


class SharedStages:
    """Sends the current stages of runs to the runner, and gives each run the outcome of its own.

    Args:
        search: Its runner carries out the stages, and its observer is told of them.
        everything: Whether every configuration is tried. Then all runs begin at once; stages that have the machine to
            themselves are sent one by one in the order of the trials, when nothing else is left to do side by side; and
            a stage that failed because of its candidate is not carried out again for another run that needs it.
        too_late: Whether none of those stages may begin any more; that of the baseline may.
    """

    def __init__(
        self, search: SearchContext, *, everything: bool = False, too_late: Callable[[], bool] = lambda: False
    ) -> None:
        self._too_late = too_late
        self._attempts, self._workers, self._everything = search.attempts, search.runner.slots, everything
        self._observer = search.observer
        self._waiting: dict[str, list[Run]] = {}
        self._alone: list[StageTask] = []
        self._failed: dict[str, StageOutcome] = {}
        self._answered: list[tuple[Run, StageOutcome]] = []
        self._noted_a_long_wait = False

    @property
    def under_way(self) -> bool:
        """Whether any stage is under way."""
        return bool(self._waiting or self._answered)

    @property
    def has_room(self) -> bool:
        """Whether a worker is free for another run."""
        if self._everything:
            return True
        runs = sum(map(len, self._waiting.values()))
        return len(self._waiting) < self._workers and runs < RUNS_PER_WORKER * self._workers

    def send(self, run: Run) -> None:
        """Send the current stage of ``run`` to the runner, unless it is under way for another run."""
        task = run.task
        if task.key in self._failed:
            self._answered.append((run, self._failed[task.key]))
            return
        queued = self._everything and task.exclusive
        if not queued:
            self._observer.stage_started(run.number, task.stage)
        if task.key in self._waiting:
            self._waiting[task.key].append(run)
        else:
            self._waiting[task.key] = [run]
            if queued:
                self._alone.append(task)
            else:
                self._attempts.submit(task)

    def wait(self) -> Iterator[tuple[Run, StageOutcome]]:
        """The runs whose current stage has ended, with its outcome; nothing where none ends within `WAIT_S`.

        The time that a stage took counts for one of its runs; for the others its result comes from the store.

        Raises:
            MachineFailed: A stage failed because of the machine; the runs are left as they are.
        """
        if self._answered:
            yield self._answered.pop()
            return
        self._send_one_alone()
        for task, outcome in self._attempts.wait(WAIT_S):
            if self._everything and outcome.failure and outcome.failure_kind in ("candidate", "weights"):
                self._failed[task.key] = replace(outcome, from_store=True)
            runs = self._waiting.pop(task.key)
            self._send_one_alone()  # it opens what it times while this outcome is recorded
            for run in runs:
                self._observe(run, outcome)
                yield run, outcome
                outcome = replace(outcome, from_store=True)

    def _send_one_alone(self) -> None:
        """Where nothing else runs, send the stage of the first trial among those that want all of the machine."""
        if self._alone and len(self._alone) == len(self._waiting):
            first = min(self._alone, key=lambda task: self._waiting[task.key][0].number or 0)
            if self._waiting[first.key][0].number and self._too_late():
                return
            self._alone.remove(first)
            for run in self._waiting[first.key]:
                self._observer.stage_started(run.number, first.stage)
            self._attempts.submit(first)

    def leave_alone(self) -> list[Run]:
        """Give back the runs whose stage would have the machine to itself and has not begun; the others go on."""
        left = [run for task in self._alone for run in self._waiting.pop(task.key)]
        self._alone.clear()
        return left

    def cancel(self) -> list[Run]:
        """End everything that is under way, and give back the runs that are left as they are."""
        self._attempts.cancel()
        self._alone.clear()
        answered, self._answered = [run for run, _ in self._answered], []
        left, self._waiting = [*answered, *(run for runs in self._waiting.values() for run in runs)], {}
        for run in left:
            self._observer.stage_ended(run.number, run.task.stage, 0.0, from_store=True)
        return left

    def _observe(self, run: Run, outcome: StageOutcome) -> None:
        stage = run.task.stage
        self._observer.stage_ended(run.number, stage, outcome.seconds, outcome.from_store)
        if outcome.waited_s > LONG_WAIT_S and not self._noted_a_long_wait:
            self._noted_a_long_wait = True
            self._observer.note(f"{stage} waited {outcome.waited_s:.0f} s for others on its machine")
