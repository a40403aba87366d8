"""Settings of techniques on one workload: built and evaluated by stages of a search, timed beside each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from parts.technique_rows import Setting

from runners.chains.chain import Chains, Variant
from runners.executors.inspection import inspect_on_this_machine
from runners.measuring.contrasts import BASELINE, Contrast
from runners.quality.answers import Answers, answers_of_stage
from runners.runner import StageFailed, StageTask
from runners.stages.run import run_stage
from runners.store.location import open_store
from spaces.configuration import Configuration, Scalar
from spaces.space_document import all_techniques, make_space

TIMED_TOGETHER = 24
"""Artifacts that one process holds at once."""
OCCASIONS = 2
"""How often those are timed of which a speed cannot be trusted the first time."""


@dataclass(frozen=True)
class Built:
    """What came of one setting before it was timed.

    Attributes:
        configuration: All its choices.
        lowering: The stage that wrote its artifact.
        accuracy: Of the artifact on the validation split.
        accuracy_test: On the test split; None where there is none.
        answers: What it answered, by split.
        stored_mib: Of the file in which the artifact is stored.
        macs: Multiply-accumulate operations of its network for one input.
        seconds: What its stages took when they were computed, from the trained teacher to the artifact.
    """

    configuration: Configuration
    lowering: StageTask
    accuracy: float
    accuracy_test: float | None
    answers: Mapping[str, Answers]
    stored_mib: float
    macs: int
    seconds: float


class TechniqueBench:
    """Carries out settings on one workload.

    Args:
        workload: A reference.
        used: All settings that will be asked for, of which a search tries first what changes the network.
        folder: Of the stages; what it has is not computed again.
    """

    def __init__(self, workload: Any, used: Iterable[Setting], folder: Path) -> None:
        self._workload, self._store = workload, open_store(folder)
        self._environment, self._facts = inspect_on_this_machine(workload, _offered(used))

    def build(self, setting: Setting) -> Built:
        """The artifact of ``setting``, evaluated.

        Raises:
            RequestError: It cannot run here.
            StageFailed: A stage failed.
        """
        chains = self._chains(setting)
        configuration = next(chains.space.configurations())
        *stages, _ = chains.chain(configuration)
        took = {task.key: self._run(task)[1] for task in stages}
        seconds = sum(took.values()) - took[chains.teacher().key]
        lowering = next(task for task in reversed(stages) if task.stage == "lowering")
        artifact, _ = self._run(lowering)
        last, _ = self._run(stages[-1])
        splits = [name for name in ("validation", "test") if name in self._facts.examples]
        evaluating = chains.evaluating(configuration)
        settings = {**evaluating.settings, "splits": splits}
        evaluated, _ = self._run(chains.task("evaluating", configuration, settings, evaluating.inputs))
        return Built(
            configuration,
            lowering,
            evaluated["accuracy"],
            evaluated.get("accuracy_test"),
            answers_of_stage(evaluated),
            last.get("stored_mib") or artifact["size_mib"],
            artifact["macs"],
            seconds,
        )

    def speedups(self, built: Mapping[str, Built]) -> dict[str, Contrast]:
        """The speed of each of ``built`` over the baseline, in turn with it and with others; each artifact once."""
        names = {one.lowering.key: name for name, one in built.items()}
        found: dict[str, Contrast] = {}
        waiting = iter([(name, built[name]) for name in names.values()])
        while group := dict(islice(waiting, TIMED_TOGETHER)):
            found |= self._timed(group)
        return {name: found[names[one.lowering.key]] for name, one in built.items()}

    def _timed(self, group: Mapping[str, Built]) -> dict[str, Contrast]:
        variants = {name: Variant(one.configuration, one.lowering) for name, one in group.items()}
        contrasts = {name: {BASELINE: 1, name: -1} for name in group}
        found: dict[str, Contrast] = {}
        for occasion in range(OCCASIONS):
            result, _ = self._run(self._chains({}).contrasting(variants, contrasts, occasion))
            now = {name: Contrast.from_json(one) for name, one in result["contrasts"].items()}
            found = {
                name: one if name not in found or found[name].unstable else found[name] for name, one in now.items()
            }
            if not any(one.unstable for one in found.values()):
                break
        return found

    def _chains(self, setting: Setting) -> Chains:
        space = make_space({name: [value] for name, value in setting.items()}, self._environment)
        return Chains(space, self._facts, self._workload, seed=0)

    def _run(self, task: StageTask) -> tuple[Mapping[str, Any], float]:
        """The result of a stage, and how long it took when it was computed."""
        outcome = run_stage(task, self._store)
        if outcome.failure:
            raise StageFailed(outcome.failure)
        stored = self._store.get(task.key)
        assert stored is not None
        return stored.result, stored.seconds


def _offered(used: Iterable[Setting]) -> dict[str, list[Scalar]]:
    """The values of each choice in the settings ``used``, and those that leave the network as it is."""
    offered: dict[str, dict[Scalar, None]] = {}
    neutral = {p.name: p.neutral for t in all_techniques() for p in t.parameters if t.accepts(p, p.neutral)}
    for setting in used:
        for name, value in setting.items():
            offered.setdefault(name, {neutral[name]: None} if name in neutral else {})[value] = None
    return {name: [*values] for name, values in offered.items()}
