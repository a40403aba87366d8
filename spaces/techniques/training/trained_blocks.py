"""How much of a network is trained, and how fast each of its blocks: what transfer learning chooses."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class TrainedBlocks(Technique):
    """Frozen blocks at the inputs, and learning rates that fall from the head on (Howard & Ruder, arXiv 1801.06146).

    It is for networks that keep weights: pruned ones, and those of `transfer`. A student starts from new weights, which
    all have to be trained. The blocks are found in ``runners/models/blocks.py``.
    """

    name = "trained_blocks"
    stage = Stage.TRAIN
    parameters = (
        Parameter("trainable", (1.0, 0.5, 0.0), 1.0, "a share from 0 to 1", "trainable={}", only_where_named=True),
        Parameter(
            "layer_decay", (1.0, 0.8, 0.6), 1.0, "a factor above 0 and up to 1", "decay={}", only_where_named=True
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if not is_number(value) or not 0 <= value <= 1:
            return False
        return value > 0 or parameter.name == "trainable"

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.model_changed and earlier.keeps_weights

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value != 1 and environment.own_fit:
            return "the loop of the workload (fit) decides what it trains, and how fast"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, **{name: float(value) for name, value in settings.items()})


TECHNIQUE = TrainedBlocks()
