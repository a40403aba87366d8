"""Weight sharing: the weights of a layer become a few values, and the artifact a file of their numbers."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_whole_number
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.steps import Change, Step, Train
from spaces.technique import Parameter, Stage, Technique

EPOCHS = 2
LEARNING_RATE = 0.05
"""Share of the learning rate of the candidate's plan, for values of folded weights."""
DISTILLATION = 0.5
MOST = 4096


class WeightClusters(Technique):
    """Deep compression (Han et al., arXiv 1510.00149): sparse weights share values, which are tuned and then coded.

    Batch normalisations are folded into their layers before, as runtimes do: folded later, every channel would get
    values of its own.
    """

    name = "weight_clusters"
    stage = Stage.COMPRESS
    needs = ("constriction",)
    packs = True
    parameters = (
        Parameter(
            "weight_clusters",
            (0, 16, 32, 256),
            0,
            f"0, or a whole number from 2 to {MOST}",
            "clusters={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_whole_number(value) and (value == 0 or 2 <= value <= MOST)

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        return Change(settings), Train(EPOCHS, LEARNING_RATE, DISTILLATION, autocast=False)

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.network_changes.batch_norm_folding import fold_batch_norms
        from spaces.network_changes.shared_values import share_values
        from spaces.network_changes.weight_masks import maskable

        assert context is not None
        most = int(settings["weight_clusters"])
        folded = fold_batch_norms(subject, context.example)
        layers = {name: layer for name, layer in maskable(subject).items() if layer.weight.numel() > most}
        if not layers:
            raise WorkFailed(f"no convolution or linear layer has more than {most} weights, so they share no values")
        counts = {name: share_values(layer, most) for name, layer in layers.items()}
        context.record.update({"folded": folded, "values": counts})
        return subject

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.batch_norm_folding import fold_structure
        from spaces.network_changes.shared_values import rebuild_shared_values

        fold_structure(network, record["folded"])
        rebuild_shared_values(network, record["values"])
        return network


TECHNIQUE = WeightClusters()
