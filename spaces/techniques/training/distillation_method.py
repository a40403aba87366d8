"""By which method a changed network learns from its teacher: soft targets alone, or layers compared besides."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.plans import DISTILLATION_METHODS, SOFT_TARGETS
from spaces.technique import Earlier, Parameter, Stage, Technique


class DistillationMethod(Technique):
    """What is compared beside the outputs.

    It is the values of layers (FitNets, arXiv 1412.6550), where feature maps are strong (attention transfer, arXiv
    1612.03928), or how alike the examples of a batch are (similarity-preserving distillation, arXiv 1907.09682).

    Which layers are compared is found in ``runners/models/compared_layers.py``, and how far they are from each other in
    ``runners/training/layer_distance.py``.
    """

    name = "distillation_method"
    stage = Stage.TRAIN
    parameters = (
        Parameter(
            "distillation_method",
            DISTILLATION_METHODS,
            SOFT_TARGETS,
            f"one of {', '.join(DISTILLATION_METHODS)}",
            "{}",
            only_where_named=True,
        ),
        Parameter(
            "distillation_layer_weight",
            (0.3, 1.0, 3.0),
            1.0,
            "a number above 0 and up to 1000",
            "layers={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if parameter.name == "distillation_method":
            return value in DISTILLATION_METHODS
        return is_number(value) and 0 < value <= 1000

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        if parameter.name == "distillation_method":
            return earlier.model_changed
        return earlier.model_changed and earlier.choices.get("distillation_method", SOFT_TARGETS) != SOFT_TARGETS

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if parameter.name == "distillation_method" and value != SOFT_TARGETS and environment.own_fit:
            return "the loop of the workload (fit) computes its own loss; compare layers in it"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return replace(subject, **settings)


TECHNIQUE = DistillationMethod()
