"""Channel pruning: the channels with the smallest weights are removed, and the rest is fine-tuned."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.technique import ModelContext, Parameter, Stage, Technique


class ChannelPruning(Technique):
    """Structured pruning by weight magnitude (Li et al., arXiv 1608.08710) in groups of coupled layers.

    Whole channels are removed, so every runtime gets faster without sparse kernels. Groups of coupled layers are found
    in the dependency graph (Fang et al., arXiv 2301.12900).
    """

    name = "channel_pruning"
    stage = Stage.PRUNE
    needs = ("torch_pruning",)
    parameters = (
        Parameter(
            "channel_pruning",
            (0.0, 0.25, 0.5, 0.75),
            0.0,
            "the share of channels removed, from 0 to below 1",
            "pruned={}",
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.slimming.slim import slim

        assert context is not None
        slim(subject, context.example, keep=1.0 - float(settings["channel_pruning"]), criterion="magnitude")
        return subject


TECHNIQUE = ChannelPruning()
