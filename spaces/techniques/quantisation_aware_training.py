"""Quantisation-aware training: the trained network is tuned with its weights and activations rounded as int8 does."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.steps import Change, Step, Train
from spaces.technique import Earlier, Parameter, Stage, Technique

EXAMPLES = 64
"""Calibration examples from which the first ranges are found; training goes on with them."""
LEARNING_RATE = 0.01
"""Share of the learning rate of the candidate's plan. Folded weights are steep: with a tenth of 0.2 the workload digits
diverged."""
DISTILLATION = 0.5


class QuantisationAwareTraining(Technique):
    """Fake quantisers and a straight-through estimator (Jacob et al., arXiv 1712.05877), with trained ranges.

    It is tuned from the trained network and distilled from the teacher (Mishra & Marr, arXiv 1711.05852). Batch
    normalisations are folded into their layers before, as the runtimes do, so that what is rounded in training is what
    is rounded when it runs.
    """

    name = "quantisation_aware_training"
    stage = Stage.QUANTISE
    quantises = True
    adds_layers = True  # its quantisers
    needs = ("nncf",)
    parameters = (
        Parameter(
            "quantisation_aware_epochs",
            (0, 1, 2),
            0,
            "a whole number from 0",
            "qat={}",
            only_where_named=True,
        ),
    )

    @property
    def changes_network(self) -> bool:
        return True

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_whole_number(value) and value >= 0

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.choices.get("numeric_precision") == "int8"

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value and environment.own_fit:
            return (
                "the loop of the workload (fit) trains the network inside of that which rounds, so nothing is rounded"
            )
        if value and earlier.skips_layers:
            return "NNCF records one way through a network, and layers behind an early exit would have no quantisers"
        if value and (earlier.choices.get("weight_sparsity") or earlier.choices.get("weight_clusters")):
            return "it trains every weight for itself, and those that are zero or share a value would not stay so"
        return None

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        epochs = int(settings["quantisation_aware_epochs"])
        # bf16 has about as many digits as int8: rounding twice is not what the runtime does.
        return Change({}), Train(epochs, LEARNING_RATE, DISTILLATION, autocast=False)

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.network_changes.batch_norm_folding import fold_batch_norms
        from spaces.network_changes.fake_quantisers import insert_quantisers

        assert context is not None
        folded = fold_batch_norms(subject, context.example)
        quantised, config = insert_quantisers(subject, context.calibration(EXAMPLES))
        context.record.update({"folded": folded, "quantisers": config})
        return quantised

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.batch_norm_folding import fold_structure
        from spaces.network_changes.fake_quantisers import rebuild_quantisers

        fold_structure(network, record["folded"])
        return rebuild_quantisers(network, record["quantisers"])

    def exported(self, network: Any) -> Any:
        from spaces.network_changes.fake_quantisers import write_quantisers

        return write_quantisers(network)


TECHNIQUE = QuantisationAwareTraining()
