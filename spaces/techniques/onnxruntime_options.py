"""Settings of ONNX Runtime: how far it optimises the graph, what it computes on, and whether onnxslim goes before."""

from spaces.configuration import Scalar
from spaces.environment import BackendFacts, Environment
from spaces.runtime_option import RuntimeOption
from spaces.technique import Earlier, Parameter

LEVELS = ("all", "extended", "basic", "disabled")
PROVIDERS = {
    "cpu": "onnxruntime",
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "openvino": "onnxruntime-openvino",
    "coreml": "onnxruntime",
}
"""The execution providers, each with the package that brings it, where its hardware is."""


class OnnxRuntimeOptions(RuntimeOption):
    """Settings of a session of ONNX Runtime, by the names of its documentation.

    Lower levels of optimisation are offered for networks in which a fusion costs more than it saves. Not offered is
    the parallel execution of branches (``ORT_PARALLEL`` with inter-op threads): with two threads a call took 1.1 to 6
    times as long as with two intra-op threads, in GoogLeNet too (MobileNetV2, GoogLeNet, ResNet-18 and Swin-T at 96x96
    on two cores of an AMD EPYC, in turn in one process).
    """

    name = "onnxruntime_options"
    parameters = (
        Parameter("graph_level", LEVELS, "all", f"one of {', '.join(LEVELS)}", "graph={}", only_where_named=True),
        Parameter(
            "execution_provider",
            tuple(PROVIDERS),
            "cpu",
            f"one of {', '.join(PROVIDERS)}",
            "on {}",
            only_where_named=True,
        ),
        Parameter("onnxslim", (False, True), False, "true or false", "onnxslim={}", only_where_named=True),
    )

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """What is here: execution providers and onnxslim depend on what is installed."""
        return _offered(parameter, environment)

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return any(value is choice or value == choice for choice in parameter.choices if type(choice) is type(value))

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value in _offered(parameter, environment):
            return None
        if parameter.name == "onnxslim":
            return "needs `pip install 'frontrunner[onnxslim]'`"
        return (
            f"the installed ONNX Runtime has no execution provider {value} here; `pip install {PROVIDERS[str(value)]}` "
            "brings it where its hardware is"
        )


def _offered(parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
    facts = environment.backends.get("onnxruntime", BackendFacts(()))
    if parameter.name == "graph_level":
        return parameter.choices
    return tuple(dict.fromkeys((parameter.neutral, *facts.options.get(parameter.name, ()))))


TECHNIQUE = OnnxRuntimeOptions()
