"""The last word on the front: measured once more in fresh processes, and judged on the test split."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from runners.measuring.measurement import Measurement
from runners.runner import Runner, StageOutcome
from runners.stages.chain import Chains
from search.driver import WAIT_S, Watcher
from search.study import TrialRecord, records


def measure_finally(
    study: optuna.Study,
    runner: Runner,
    chains: Chains,
    members: Sequence[TrialRecord],
    watcher: Watcher,
    occasion: int = 0,
) -> dict[int, dict[str, Any]]:
    """Measure the baseline and ``members`` of the front once more; the test split is used here alone.

    Args:
        study: The study.
        runner: Carries out the measurements, one after the other.
        chains: Names them.
        members: The front as the search found it.
        watcher: Is told what happens.
        occasion: How often the front of this study was measured before: each time is a measurement of its own.

    Returns:
        Figures by trial number, the baseline's first, for those whose measurement succeeded.
    """
    trials = records(study)
    everyone = {t.number: t for t in [*trials[:1], *members]}
    finals: dict[int, dict[str, Any]] = {}
    for number, trial in everyone.items():
        assert trial.configuration is not None
        watcher.stage_started(number, "final")
        runner.submit(chains.final(trial.configuration, len(trials), occasion))
        outcome = _next(runner)
        watcher.stage_ended(number, "final", outcome.seconds, outcome.from_store)
        if outcome.failure:
            watcher.note(f"trial {number} leaves the front: its final measurement failed ({outcome.failure})")
        else:
            finals[number] = _figures(outcome.result, finals.get(0))
    return finals


def _next(runner: Runner) -> StageOutcome:
    while not (ended := runner.wait(WAIT_S)):
        continue
    return ended[0][1]


def _figures(result: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> dict[str, Any]:
    known = {name: value for name, value in result.items() if name in Measurement.__dataclass_fields__}
    return {**known, "accuracy_drop": baseline["accuracy"] - result["accuracy"] if baseline else 0.0}
