"""Low rank: layers are replaced by products of smaller ones that keep most of their weights, and fine-tuned."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class LowRank(Technique):
    """Truncated SVD of linear layers and 1x1 convolutions, Tucker-2 of the others (Kim et al., arXiv 1511.06530).

    That convolutions have little rank to lose is from Denton et al., arXiv 1404.0736.
    """

    name = "low_rank"
    stage = Stage.PRUNE
    parameters = (
        Parameter(
            "low_rank",
            (1.0, 0.9, 0.8, 0.7),
            1.0,
            "the share of energy kept, above 0 and up to 1",
            "energy={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 < value <= 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.keeps_weights  # new weights, as those of a student, do not say what can be left out

    def layers_depend_on_weights(self, settings: Mapping[str, Scalar]) -> bool:
        return True

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.network_changes.low_rank_layers import factor_layers

        assert context is not None
        energy = float(settings["low_rank"]) if context.trained else None
        context.record["ranks"] = factor_layers(subject.eval(), context.example, energy)
        return subject

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.low_rank_layers import rebuild_layers

        rebuild_layers(network, record["ranks"])
        return network


TECHNIQUE = LowRank()
