"""What every runner must do, as checks that raise AssertionError for the first rule that is broken."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from spaces.environment import Environment

PATIENCE_S = 60.0


def collect(runner: Runner, number: int) -> list[tuple[StageTask, StageOutcome]]:
    """What `wait` gives until ``number`` tasks are back, and what else it gives when asked once more."""
    ended: list[tuple[StageTask, StageOutcome]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(ended) < number:
        given = runner.wait(1.0)
        assert time.monotonic() < deadline, f"{number - len(ended)} of {number} tasks did not come back"
        ended += given
    return ended + runner.wait(0.0)


def check_inspect(runner: Runner, workload: Any) -> None:
    """The machine and the workload are described."""
    environment, facts = runner.inspect(workload, {})
    assert isinstance(environment, Environment), "inspect gives an Environment first"
    assert isinstance(facts, WorkloadFacts), "inspect gives WorkloadFacts second"
    assert environment.device, "the device has a name"
    assert environment.cpu_cores >= 1, "the machine has cores"
    assert "eager" in environment.backends, "every machine has the eager backend"
    assert len(facts.fingerprint) == 64, "the fingerprint is a SHA-256"


def check_slots(runner: Runner) -> None:
    """A search knows how many candidates to keep in flight."""
    assert isinstance(runner.slots, int), "slots is a whole number"
    assert runner.slots >= 1, "at least one candidate is in flight"


def check_every_task_comes_back_once(runner: Runner, tasks: Sequence[StageTask]) -> None:
    """Tasks submitted together come back once each, with results."""
    for task in tasks:
        runner.submit(task)
    ended = collect(runner, len(tasks))
    assert Counter(task.key for task, _ in ended) == Counter(task.key for task in tasks), "each comes back once"
    for _, outcome in ended:
        assert isinstance(outcome, StageOutcome), "an outcome belongs to each task"
        assert outcome.failure is None, f"a good stage failed: {outcome.failure}"
        assert outcome.seconds >= 0, "time does not run backwards"


def check_a_known_result_is_not_computed_again(runner: Runner, done: StageTask) -> None:
    """The result of a task that is done comes out of the store, the same as before."""
    outcomes = []
    for _ in range(2):
        runner.submit(done)
        ((_, outcome),) = collect(runner, 1)
        outcomes.append(outcome)
    assert all(outcome.from_store for outcome in outcomes), "a stage that is done is not done again"
    assert outcomes[0].result == outcomes[1].result, "the store gives the same each time"


def check_a_stage_that_raises_is_a_failure(runner: Runner, bad: StageTask) -> None:
    """A stage that raises is given back with its reason, and is not kept as done."""
    for _ in range(2):
        runner.submit(bad)
        ((task, outcome),) = collect(runner, 1)
        assert task.key == bad.key, "the failure belongs to its task"
        assert outcome.failure, "a stage that raises is a failure"
        assert "\n" not in outcome.failure, "a reason is one line"
        assert not outcome.result, "a failed stage has no result"
        assert not outcome.from_store, "a failure is not stored"


def check_idle_wait_returns_at_once(runner: Runner) -> None:
    """With nothing under way there is nothing to wait for."""
    begin = time.monotonic()
    assert runner.wait(30.0) == [], "nothing is under way"
    assert time.monotonic() - begin < 15, "nothing to wait for"


def check_close_twice(make: Callable[[], Runner], task: StageTask) -> None:
    """A runner is closed with a task under way, and closed again."""
    runner = make()
    runner.submit(task)
    runner.close()
    runner.close()
    assert runner.wait(0.0) == [], "a closed runner has nothing under way"
