"""Batch-norm folding: the scale and shift of a batch normalisation become part of the convolution before it."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.runtime_option import RuntimeOption
from spaces.technique import Earlier, Parameter


class BatchNormFolding(RuntimeOption):
    """One layer where there were two, for runtimes that do not do so themselves (Jacob et al., arXiv 1712.05877)."""

    name = "batch_norm_folding"
    parameters = (
        Parameter("batch_norm_folding", (False, True), False, "true or false", "folded={}", only_where_named=True),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, bool)

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value and earlier.choices.get("weight_clusters"):
            return "the network is trained with its batch normalisations folded, as layers with shared weights are"
        return None

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.batch_norm_folding import fold_structure

        fold_structure(network, record["folded"])
        return network


TECHNIQUE = BatchNormFolding()
