"""Student stem: the first layers of a network of ImageNet fitted to small pictures, trained from new weights."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.technique import ModelContext, Parameter, Stage, Technique


class StudentStem(Technique):
    """A 3x3 convolution and no pooling, as residual networks for CIFAR-10 have (He et al., arXiv 1512.03385).

    Networks for ImageNet divide the sides of a picture by two or four before their first block, which leaves little of
    one of 32x32.
    """

    name = "student_stem"
    stage = Stage.STUDENT
    keeps_weights = False
    parameters = (
        Parameter(
            "student_stem", ("imagenet", "small"), "imagenet", "imagenet or small", "stem={}", only_where_named=True
        ),
    )

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.network_changes.small_stem import find_stem
        from spaces.network_changes.trial_call import require_runs

        assert context is not None
        torch.manual_seed(context.seed)
        student = context.initial().eval()
        context.record.update(find_stem(student, context.example))
        student = self.rebuild(student, context.record)
        require_runs(student, context.example, "the network does not take a stem for small pictures")
        return student

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.small_stem import fit_stem

        fit_stem(network, record)
        return network


TECHNIQUE = StudentStem()
