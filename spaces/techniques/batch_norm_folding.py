"""Batch-norm folding: the scale and shift of a batch normalisation become part of the convolution before it."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.technique import Earlier, ModelContext, Parameter, Stage, Technique


class BatchNormFolding(Technique):
    """One layer where there were two, for runtimes that do not do so themselves (Jacob et al., arXiv 1712.05877)."""

    name = "batch_norm_folding"
    stage = Stage.OPTIONS
    parameters = (
        Parameter("batch_norm_folding", (False, True), False, "true or false", "folded={}", only_where_named=True),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, bool)

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return environment.takes("batch_norm_folding", earlier.choices.get("runtime", "eager"))

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject.with_options(**settings)


TECHNIQUE = BatchNormFolding()
