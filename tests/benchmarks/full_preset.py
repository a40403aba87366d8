"""Whether the search proposes sensibly where every choice is offered: preset ``full``, against random configurations.

    python tests/benchmarks/full_preset.py                       five seeds of 30 trials each, an hour or two
    python tests/benchmarks/full_preset.py --seeds 2 --keep DIR  goes on with the stages kept in DIR
    python tests/benchmarks/full_preset.py --json                one JSON document on stdout

Every trial is real: built, trained and measured by the stages of a search. The workload is the digits of scikit-learn
as they are, 8x8, and the network of the workload ``digits``, so that a training takes seconds; all runs share their
stages. The space is the preset ``full`` but for runtimes that compile for long. A figure is the hypervolume of accuracy
and speedup, as a search shows it. Both samplers begin with the baseline; the random one has no other starting points.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from digits_8x8 import load

from runners.chains.chain import Chains
from runners.executors.local import LocalRunner
from runners.machine.telemetry import disable_telemetry
from runners.workload import Workload
from runners.workloads.digits import SmallResidualNetwork
from search.driver.driver import Driver
from search.driver.search_context import SearchContext
from search.objectives.loss_table import losses
from search.objectives.objective import find_objectives
from search.objectives.pareto_front import hypervolume
from search.objectives.trial_targets import TrialTargets
from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.factory import SAMPLERS, make_sampler
from search.study.study import TrialRecord, records
from spaces.plans import TrainingPlan
from spaces.space_document import make_space, preset_choices

WORKLOAD = Workload(
    name="digits_8x8_residual",
    model=SmallResidualNetwork,
    data=load,
    training=TrainingPlan(epochs=4, batch_size=32, learning_rate=0.2),
)
RUNTIMES = ("eager", "torchscript", "onnxruntime", "openvino")
NAMES = ("gain", "random")
OBJECTIVES = find_objectives(("accuracy", "speedup"))


class Lines:
    """An observer that prints a line for each trial.

    Args:
        name: What the lines begin with.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def stage_started(self, trial: int | None, stage: str) -> None:
        """Nothing is printed."""

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """Nothing is printed."""

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        """The figures of the trial, or why it has none."""
        found = trial.measurement
        text = f"{found['accuracy']:.3f} {found['speedup']:.2f}x" if found else trial.failure
        self.note(f"trial {trial.number}: {text}; hypervolume {hypervolume:.4f}, {seconds:.0f} s")

    def note(self, text: str) -> None:
        """What a person should know."""
        print(f"{self._name} {text}", file=sys.stderr, flush=True)


def curve(chains: Chains, runner: LocalRunner, name: str, trials: int) -> list[float]:
    """The hypervolume after each trial of a study."""
    study = optuna.create_study(directions=[one.direction for one in OBJECTIVES])
    targets = TrialTargets(OBJECTIVES, ())
    study.sampler = make_sampler(name, study, chains.space, targets, chains.seed)
    if name == "random":
        inner = SAMPLERS[name](chains.space, targets, chains.seed)
        study.sampler = DistinctSampler(inner, chains.space, set(), [chains.space.baseline()], seed=chains.seed)
    observer = Lines(f"{name}, seed {chains.seed},")
    Driver(SearchContext(study, runner, chains, OBJECTIVES, (), observer), targets, trials).run()
    baseline, *others = [record.measurement for record in records(study)]
    assert baseline is not None
    points: list[Any] = [losses(OBJECTIVES, baseline, baseline)]
    found = [hypervolume(np.array(points))]
    for one in others:
        points += [losses(OBJECTIVES, one, baseline)] if one else []
        found.append(hypervolume(np.array(points)))
    return found


def measure(seeds: int, trials: int, folder: Path) -> Iterator[dict[str, Any]]:
    """The curves of both samplers, a row for each seed."""
    runner = LocalRunner(folder)
    workload = f"{Path(__file__).absolute()}:WORKLOAD"
    choices = {**preset_choices("full"), "runtime": list(RUNTIMES)}
    environment, facts = runner.inspect(workload, choices)
    for seed in range(seeds):
        # Each study has a space of its own, which remembers what it found.
        chains = {name: Chains(make_space(choices, environment), facts, workload, seed) for name in NAMES}
        yield {"seed": seed, **{name: curve(chains[name], runner, name, trials) for name in NAMES}}


def as_text(rows: Sequence[dict[str, Any]], trials: int) -> Iterator[str]:
    """The table: hypervolumes after a third, two thirds and all of the trials."""
    at = sorted({max(1, trials // 3), max(1, 2 * trials // 3), trials})
    yield f"{'':14}" + "".join(f"{f'after {count}':>10}" for count in at)
    for row in rows:
        for name in NAMES:
            label = f"{name}, {row['seed']}"
            yield f"{label:14}" + "".join(f"{row[name][count - 1]:10.4f}" for count in at)
    gains = [row["gain"][-1] - row["random"][-1] for row in rows]
    better = sum(gain > 0 for gain in gains)
    yield f"gain was better in {better} of {len(gains)}, by {statistics.mean(gains):.4f} on average"


def main() -> None:
    """Read the flags, run the studies and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=30, help="of each study")
    parser.add_argument("--keep", type=Path, help="a folder for the stages; what it has is not computed again")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    disable_telemetry()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        rows = list(measure(given.seeds, given.trials, (given.keep or Path(temporary)).absolute()))
    print(json.dumps({"trials": given.trials, "rows": rows}) if given.json else "\n".join(as_text(rows, given.trials)))


if __name__ == "__main__":
    main()
