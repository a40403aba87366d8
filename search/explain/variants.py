"""What has to be timed and trained to explain a candidate: itself without each choice, and without each two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runners.chains.chain import Chains, Variant
from runners.machine.resources import TRAINING_STAGES
from runners.measuring.contrasts import BASELINE
from runners.runner import StageTask
from search.explain.taking_back import TakenBack, made_choices, pairs_of, take_back
from spaces.configuration import Configuration
from spaces.technique import Stage

MEMBER = "member"
"""The name of the candidate itself among what is timed."""
KINDS = {
    Stage.STUDENT: "algorithm",
    Stage.PRUNE: "algorithm",
    Stage.TRAIN: "algorithm",
    Stage.QUANTISE: "number format",
    Stage.LOWER: "software",
    Stage.OPTIONS: "software",
    Stage.SERVE: "hardware",
}
"""What the choices of each stage are about."""


@dataclass(frozen=True)
class Variants:
    """A candidate and what it becomes where choices are taken back.

    Attributes:
        chains: Turns configurations into stages.
        member: The candidate.
        choices: Its choices that differ from the teacher's.
        singles: The candidate without each choice.
        pairs: The candidate without each two.
    """

    chains: Chains
    member: Configuration
    choices: tuple[str, ...]
    singles: Mapping[str, TakenBack]
    pairs: Mapping[tuple[str, str], TakenBack]
    _artifacts: dict[Configuration, tuple[StageTask, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, chains: Chains, member: Configuration) -> "Variants":
        """The variants of ``member``."""
        space = chains.space
        choices = made_choices(space, member)
        singles = {name: take_back(space, member, (name,)) for name in choices}
        pairs = {pair: take_back(space, member, pair) for pair in pairs_of(choices)}
        return cls(chains, member, choices, singles, pairs)

    def artifact(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages to the artifact that is timed: the untrained one, unless a technique's speed needs the trained."""
        if configuration not in self._artifacts:
            tasks = self.chains.screening(configuration) or self.chains.chain(configuration)
            end = max(index for index, task in enumerate(tasks) if task.stage == "lowering")
            self._artifacts[configuration] = tasks[: end + 1]
        return self._artifacts[configuration]

    def trained(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages to the accuracy of ``configuration``."""
        tasks = self.chains.chain(configuration)
        end = max(index for index, task in enumerate(tasks) if task.stage == "lowering")
        return (*tasks[: end + 1], self.chains.evaluating(configuration))

    def kind_of(self, choice: str) -> str:
        """Whether a choice is one of the ``algorithm``, the ``number format``, the ``software`` or the ``hardware``."""
        return next(KINDS[axis.technique.stage] for axis in self.chains.space.axes if axis.name == choice)

    def same_speed(self, configuration: Configuration, other: Configuration) -> bool:
        """Whether both have one artifact and are called alike, so that there is nothing to time."""
        return self._called(configuration) == self._called(other)

    def is_independent(self, pair: tuple[str, str]) -> bool:
        """Whether each of two choices can be taken back without the other, and each changes what is timed."""
        implied = {more for name in pair for more in self.singles[name].implied}
        entangled = not implied.isdisjoint(pair) or implied != set(self.pairs[pair].implied)
        changed = (not self.same_speed(self.member, self.singles[name].configuration) for name in pair)
        return not entangled and all(changed)

    def arms(self, configurations: Mapping[str, Configuration]) -> tuple[dict[str, Variant], dict[str, str]]:
        """What is timed of ``configurations``, each artifact once, and the arm of each name.

        The teacher untouched is the baseline, which is timed anyway.
        """
        arms: dict[str, Variant] = {}
        arm_of, known = {}, {self._called(self.chains.space.baseline()): BASELINE}
        for name, configuration in configurations.items():
            called = self._called(configuration)
            if called not in known:
                known[called] = name
                arms[name] = Variant(configuration, self.artifact(configuration)[-1])
            arm_of[name] = known[called]
        return arms, arm_of

    def _called(self, configuration: Configuration) -> tuple[str, object, object]:
        """What the time of a call depends on: the artifact, and how it is served."""
        serving = (configuration.get("threads"), configuration.get("replicas"))
        return self.artifact(configuration)[-1].key, *serving


def trainings(tasks: tuple[StageTask, ...], is_stored: Callable[[str], bool]) -> list[StageTask]:
    """The stages among ``tasks`` that would train now, because the stage store has no result of theirs."""
    return [task for task in tasks if task.stage in TRAINING_STAGES and not is_stored(task.key)]
