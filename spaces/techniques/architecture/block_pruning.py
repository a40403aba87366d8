"""Block pruning: the blocks that the trained network misses least are removed, and the rest is fine-tuned."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique

EXAMPLES = 32
"""Calibration examples on which the outputs without a block are compared with those of the whole network."""


class BlockPruning(Technique):
    """Whole blocks leave a trained network (Elkerdawy et al., arXiv 2007.05667): those whose loss changes it least.

    That residual networks lose little by the loss of single blocks is from Veit et al., arXiv 1605.06431.
    """

    name = "block_pruning"
    stage = Stage.PRUNE
    parameters = (
        Parameter(
            "block_pruning",
            (0.0, 0.25, 0.5, 0.75),
            0.0,
            "the share of blocks removed, from 0 to 1",
            "blocks_removed={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 <= value <= 1

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.keeps_weights  # new weights, as those of a student, do not say what can be left out

    def layers_depend_on_weights(self, settings: Mapping[str, Scalar]) -> bool:
        return True

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        from spaces.network_changes import removable_blocks as removable
        from spaces.network_changes.block_importance import importances
        from spaces.network_changes.trial_call import require_runs

        assert context is not None
        share = float(settings["block_pruning"])
        blocks = removable.removable_blocks(subject.eval(), context.example)
        count = removable.share_of(removable.most_that_leave(subject, blocks), share, f"removing {share:g}")
        importance = importances(subject, blocks, context.calibration(EXAMPLES) or [context.example])
        chosen = removable.leaving(subject, sorted(blocks, key=lambda name: importance[name]), count)
        context.record.update({"blocks": chosen, "importance": importance})
        removable.remove_blocks(subject, chosen)
        require_runs(subject, context.example, "the network does not run without some of its blocks")
        return subject

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.removable_blocks import remove_blocks

        return remove_blocks(network, record["blocks"])


TECHNIQUE = BlockPruning()
