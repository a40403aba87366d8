"""Student depth: the teacher's architecture with a share of its blocks, trained from new weights."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.model_context import ModelContext
from spaces.technique import Parameter, Stage, Technique


class StudentDepth(Technique):
    """Fewer blocks in the stages of a network, with new initial weights (He et al., arXiv 1512.03385, table 1).

    The blocks are found by their shapes, so the workload needs no constructor that takes a depth. They leave evenly
    spaced over the depth.
    """

    name = "student_depth"
    stage = Stage.STUDENT
    keeps_weights = False
    parameters = (
        Parameter(
            "student_depth",
            (1.0, 0.5, 0.25),
            1.0,
            "the share of blocks that stay, from 0 to 1",
            "depth={}",
            only_where_named=True,
        ),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return is_number(value) and 0 <= value <= 1

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.network_changes import removable_blocks as removable
        from spaces.network_changes.trial_call import require_runs

        assert context is not None
        torch.manual_seed(context.seed)
        student, share = context.initial().eval(), float(settings["student_depth"])
        blocks = removable.removable_blocks(student, context.example)
        free = removable.leaving(student, blocks[::-1], len(blocks))[::-1]
        count = removable.share_of(len(free), 1.0 - share, f"keeping {share:g}")
        context.record["blocks"] = [free[int((number + 0.5) * len(free) / count)] for number in range(count)]
        removable.remove_blocks(student, context.record["blocks"])
        require_runs(student, context.example, "the network does not run without some of its blocks")
        return student

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.removable_blocks import remove_blocks

        return remove_blocks(network, record["blocks"])


TECHNIQUE = StudentDepth()
