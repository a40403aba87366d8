"""Attention heads: those that matter least leave, and the rest is fine-tuned."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.technique import Parameter, Stage, Technique

NO_HEADS = (
    "the network has no attention whose heads can be removed: PyTorch's MultiheadAttention with one width for queries, "
    "keys and values, or torchvision's of Swin and MaxViT"
)


class AttentionHeads(Technique):
    """Removes heads of trained attention by their importance (Michel et al., arXiv 1905.10650).

    What stays of an attention is as wide as its heads, and no longer as wide as its inputs, so other layers take the
    place of PyTorch's and torchvision's own.
    """

    name = "attention_heads"
    stage = Stage.PRUNE
    parameters = (
        Parameter(
            "attention_heads",
            (0.0, 0.25, 0.5),
            0.0,
            "the share of heads removed, from 0 to below 1",
            "heads removed={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 <= value < 1

    def excluded(self, parameter: Parameter, value: Scalar, network: Any, example: Sequence[Any]) -> str | None:
        from spaces.attention.heads import layers_with_heads

        return None if layers_with_heads(network) else NO_HEADS

    def layers_depend_on_weights(self, settings: Mapping[str, Scalar]) -> bool:
        return True

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.attention.heads import head_scores, layers_with_heads, lowest_heads

        assert context is not None
        subject.eval()
        layers = layers_with_heads(subject)
        if not layers:
            raise WorkFailed(NO_HEADS)
        total, share = sum(layers.values()), float(settings["attention_heads"])
        number = min(round(share * total), total - len(layers))
        if number < 1:
            raise WorkFailed(
                f"removing {share:g} of the heads removes none: there are {total} in {len(layers)} layers, and each "
                "layer keeps one"
            )
        context.record["kept"] = lowest_heads(head_scores(subject, context), number)
        return self.rebuild(subject, context.record)

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.attention.heads import keep_heads

        keep_heads(network, record["kept"])
        return network


TECHNIQUE = AttentionHeads()
