"""Mixed precision: the layers that lose most when they are quantised stay in floating point."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique
from spaces.techniques.int8_quantisation import DYNAMIC, NNCF, quantiser_of

SHARE, CONTROL = "float_share", "accuracy_control"


class SensitiveLayers(Technique):
    """A share of the layers, ranked by what quantising each alone does to the outputs (Wu et al., arXiv 2004.09602).

    The ranking is measured in ``runners/lowering/sensitivity.py``. Or as many as it takes, by NNCF's accuracy control:
    see `runners.quantisers.accuracy_control`.
    """

    name = "sensitive_layers"
    stage = Stage.OPTIONS
    speed_depends_on_weights = True  # which layers stay is found on the trained network
    parameters = (
        Parameter(
            SHARE,
            (0.0, 0.1, 0.25),
            0.0,
            "the share of layers in floating point, from 0 to below 1",
            "float={}",
            only_where_named=True,
        ),
        Parameter(
            CONTROL,
            (0.0, 0.01),
            0.0,
            "the share of answers that may change, from 0 to below 1",
            "control={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 <= value < 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        tuned = earlier.choices.get("quantisation_aware_epochs", 0)
        own = environment.quantises(earlier.choices.get("runtime"))
        return earlier.choices.get("numeric_precision") == "int8" and not tuned and not own

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        quantiser = quantiser_of(earlier, environment)
        if not value:
            return None
        if parameter.name == SHARE and quantiser == DYNAMIC:
            return "ONNX Runtime's dynamic quantisation rounds inside of a layer, so none can be measured alone"
        if parameter.name == CONTROL and quantiser != NNCF:
            return "accuracy control is NNCF's alone; choose int8_quantiser: nncf"
        if parameter.name == CONTROL and earlier.choices.get(SHARE):
            return "float_share has chosen the layers that stay in floating point"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject.with_quantisation(**{name: float(value) for name, value in settings.items() if value})


TECHNIQUE = SensitiveLayers()
