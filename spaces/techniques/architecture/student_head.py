"""Student head: the last layers of a network of ImageNet fitted to small pictures, trained from new weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.configuration import Scalar
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.technique import Parameter, Stage, Technique


class StudentHead(Technique):
    """The average over all positions and one linear layer (global average pooling, Lin et al., arXiv 1312.4400).

    AlexNet and VGG pool to 6x6 and 7x7 positions, of which a small picture leaves one to repeat, and have two wide
    linear layers behind them: most of their weights. MobileNetV3 has one such layer.
    """

    name = "student_head"
    stage = Stage.STUDENT
    keeps_weights = False
    parameters = (
        Parameter(
            "student_head", ("imagenet", "small"), "imagenet", "imagenet or small", "head={}", only_where_named=True
        ),
    )

    def excluded(self, parameter: Parameter, value: Scalar, network: Any, example: Sequence[Any]) -> str | None:
        from spaces.network_changes.small_head import find_head

        try:
            find_head(network, example)
        except WorkFailed as error:
            return str(error)
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.network_changes.small_head import find_head
        from spaces.network_changes.trial_call import require_runs

        assert context is not None
        torch.manual_seed(context.seed)
        student = context.initial().eval()
        context.record.update(find_head(student, context.example))
        student = self.rebuild(student, context.record)
        require_runs(student, context.example, "the network does not take a head for small pictures")
        return student

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.small_head import fit_head

        fit_head(network, record)
        return network


TECHNIQUE = StudentHead()
