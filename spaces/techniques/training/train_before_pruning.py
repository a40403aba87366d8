"""A student is trained before it is pruned, so that pruning knows which of its channels matter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class TrainBeforePruning(Technique):
    """Train, prune, train again (Han et al., arXiv 1506.02626), for a student too.

    Without it a student is pruned while it has new weights, whose size says nothing. The training before is the same as
    the one after, and candidates that differ in how they are pruned share it.
    """

    name = "train_before_pruning"
    stage = Stage.TRAIN
    parameters = (
        Parameter(
            "train_before_pruning", (False, True), False, "true or false", "trained-twice={}", only_where_named=True
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, bool)

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return {Stage.STUDENT, Stage.PRUNE} <= earlier.changed_in

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, train_before_pruning=bool(settings["train_before_pruning"]))


TECHNIQUE = TrainBeforePruning()
