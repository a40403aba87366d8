"""Early exit: an input of which a head inside of the network is sure is answered there, and the rest is left out."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_number, is_whole_number
from spaces.environment import Environment
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.plans import PIPELINES
from spaces.steps import Change, Step, Train
from spaces.technique import Earlier, Parameter, Stage, Technique


class EarlyExit(Technique):
    """Heads behind blocks of the trained network, trained together with it, and one threshold for all.

    BranchyNet (Teerapittayanon et al., arXiv 1709.01686) and shallow-deep networks (Kaya et al., arXiv 1810.07052),
    from which the largest probability as the confidence is. The exits divide the operations evenly. The threshold is
    the lowest with which the answers to the validation split lose no more than is allowed.
    """

    name = "early_exit"
    stage = Stage.COMPRESS
    speed_depends_on_weights = True
    skips_layers = True
    adds_layers = True
    parameters = (
        Parameter("early_exits", (0, 1, 2, 3), 0, "a whole number from 0", "exits={}", only_where_named=True),
        Parameter(
            "exit_accuracy_loss",
            (0.0, 0.005, 0.01),
            0.0,
            "a number from 0 to 1: how much of the metric the exits may cost",
            "exit_loss={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if parameter.name == "early_exits":
            return is_whole_number(value) and value >= 0
        return is_number(value) and 0 <= value <= 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return parameter.name == "early_exits" or bool(earlier.choices.get("early_exits"))

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if parameter.name == "early_exits" and value and environment.own_fit:
            return "the loop of the workload (fit) trains by the last output alone: its exits would learn nothing"
        if parameter.name == "early_exits" and value and earlier.choices.get("training_strategy") in PIPELINES:
            return "a pipeline gives the last output alone: its exits would learn nothing"
        return None

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        count, loss = int(settings["early_exits"]), float(settings.get("exit_accuracy_loss", 0.0))
        return Change({"early_exits": count}), Train(), Change({"exit_accuracy_loss": loss})

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.early_exits.threshold import set_threshold

        assert context is not None
        if "early_exits" not in settings:
            set_threshold(subject, float(settings["exit_accuracy_loss"]), context)
            return subject
        return self._with_heads(subject, int(settings["early_exits"]), context)

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.early_exits.network import with_exits

        return with_exits(network, record["exits"], record["classes"])

    def _with_heads(self, network: Any, count: int, context: ModelContext) -> Any:
        import torch

        from spaces.early_exits.network import with_exits
        from spaces.early_exits.places import exit_places

        with torch.no_grad():
            outputs = network.eval()(*context.example)
        if outputs.dim() != 2 or outputs.shape[1] < 2:
            raise WorkFailed(
                f"an exit compares the classes of an input, and this network gives {tuple(outputs.shape[1:])} for one"
            )
        exits = [vars(place) for place in exit_places(network, context.example, count)]
        torch.manual_seed(context.seed)
        context.record.update({"exits": exits, "classes": int(outputs.shape[1])})
        return with_exits(network, exits, int(outputs.shape[1])).eval()


TECHNIQUE = EarlyExit()
