"""How int8 is quantised after training: the quantiser, how it finds ranges, and what it corrects."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import BackendFacts, Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique

DEFAULT = "default"
NNCF, ORT, DYNAMIC = "nncf", "onnxruntime", "onnxruntime-dynamic"
EXAMPLES = 128

SETTINGS = {
    "int8_quantiser": "quantiser",
    "int8_preparation": "preparation",
    "int8_range": "range",
    "int8_examples": "images",
    "int8_activations": "activations",
    "int8_weights": "weights",
    "int8_reduced_range": "reduced_range",
    "int8_correction": "correction",
}
"""The setting of the stage ``quantising`` that each parameter sets."""

CALIBRATED = ("int8_range", "int8_examples", "int8_activations", "int8_correction")
"""What changes nothing where ranges are found at each call."""

PREPARES = "NNCF prepares the graph itself, and has no option to leave it out"
UNCORRECTED = "ONNX Runtime corrects no biases"
LIMITS: Mapping[tuple[str, str, Scalar], str] = {
    (NNCF, "int8_preparation", "none"): PREPARES,
    (NNCF, "int8_range", "mean-min-max"): "NNCF takes the mean of minima and maxima by default",
    (NNCF, "int8_range", "entropy"): "NNCF has no estimator by entropy; it has one by the error of a histogram",
    (NNCF, "int8_activations", "symmetric"): "NNCF quantises activations symmetrically by default",
    (NNCF, "int8_weights", "per-channel"): "NNCF gives weights a scale a channel by default",
    (ORT, "int8_range", "min-max"): "ONNX Runtime takes min-max by default",
    (
        ORT,
        "int8_range",
        "histogram",
    ): "ONNX Runtime has no estimator by the error of a histogram; it has one by entropy",
    (ORT, "int8_activations", "asymmetric"): "ONNX Runtime quantises activations asymmetrically by default",
    (ORT, "int8_weights", "per-channel"): "ONNX Runtime is told to give weights a scale a channel by default",
    (ORT, "int8_correction", "none"): UNCORRECTED,
    (ORT, "int8_correction", "full-bias"): UNCORRECTED,
    (
        ORT,
        "int8_correction",
        "smooth-quant",
    ): "ONNX Runtime leaves smooth quantisation to the package neural-compressor",
    (DYNAMIC, "int8_weights", "per-tensor"): "ONNX Runtime's dynamic quantisation gives weights one scale by default",
}
"""Why a quantiser does not take a value: it has no such option, or takes that value by default."""


def _choice(name: str, *values: Scalar) -> Parameter:
    words = f"one of {', '.join(map(str, values))}"
    return Parameter(name, values, values[0], words, f"{name.removeprefix('int8_')}={{}}", only_where_named=True)


class Int8Quantisation(Technique):
    """Choices of quantisation to int8 after training (Jacob et al., arXiv 1712.05877; Krishnamoorthi, 1806.08342).

    ``default`` is what the runtime runs fastest, and what its quantiser takes of itself.
    """

    name = "int8_quantisation"
    stage = Stage.OPTIONS
    parameters = (
        _choice("int8_quantiser", DEFAULT, NNCF, ORT, DYNAMIC),
        _choice("int8_preparation", DEFAULT, "none"),
        _choice("int8_range", DEFAULT, "min-max", "mean-min-max", "percentile", "entropy", "histogram"),
        Parameter(
            "int8_examples",
            (32, EXAMPLES, 512),
            EXAMPLES,
            "a whole number from 1",
            "examples={}",
            only_where_named=True,
        ),
        _choice("int8_activations", DEFAULT, "symmetric", "asymmetric"),
        _choice("int8_weights", DEFAULT, "per-channel", "per-tensor"),
        _choice("int8_reduced_range", False, True),
        _choice("int8_correction", DEFAULT, "none", "full-bias", "smooth-quant"),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if parameter.name == "int8_examples":
            return is_whole_number(value) and value >= 1
        if parameter.name == "int8_reduced_range":
            return isinstance(value, bool)
        return isinstance(value, str) and value in parameter.choices

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        after_training = earlier.choices.get("quantisation_aware_epochs", 0) == 0
        if earlier.choices.get("numeric_precision") != "int8" or not after_training:
            return False
        if not _own_quantiser(earlier, environment):
            return False
        return quantiser_of(earlier, environment) != DYNAMIC or parameter.name not in CALIBRATED

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if parameter.name == "int8_quantiser":
            return _quantiser_reason(str(value), earlier, environment)
        return LIMITS.get((quantiser_of(earlier, environment), parameter.name, value))

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        neutral = {parameter.name: parameter.neutral for parameter in self.parameters}
        chosen = {name: value for name, value in settings.items() if value != neutral[name]}
        return subject.with_quantisation(**{SETTINGS[name]: value for name, value in chosen.items()})


def _own_quantiser(earlier: Earlier, environment: Environment) -> str:
    """The quantiser of the chosen runtime; empty where it runs no quantised ONNX file."""
    runtime = str(earlier.choices.get("runtime", ""))
    return environment.backends.get(runtime, BackendFacts(())).quantiser


def quantiser_of(earlier: Earlier, environment: Environment) -> str:
    """The quantiser that was chosen, or that of the runtime; empty where it runs no quantised ONNX file."""
    chosen = str(earlier.choices.get("int8_quantiser", DEFAULT))
    return _own_quantiser(earlier, environment) if chosen == DEFAULT else chosen


def _quantiser_reason(value: str, earlier: Earlier, environment: Environment) -> str | None:
    own = _own_quantiser(earlier, environment)
    if value == own:
        return f"{earlier.choices['runtime']} is quantised by {value} by default"
    if value in environment.missing:
        return environment.missing[value]
    if value == DYNAMIC and own == NNCF:
        # MobileNetV2 at 224x224, one thread: 15.7 ms, and 4.2 ms in fp32.
        return "OpenVINO runs what ONNX Runtime's dynamic quantisation writes slower than fp32"
    return None


TECHNIQUE = Int8Quantisation()
