"""Student stem: the first layers of a network of ImageNet fitted to small pictures, trained from new weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.configuration import Scalar
from spaces.errors import WorkFailed
from spaces.model_context import ModelContext
from spaces.technique import Parameter, Stage, Technique

STRIDES = {"small": (1, False), "small-stride-2": (2, False), "small-pooled": (2, True)}
"""The stride of the convolution, and whether a pooling behind it stays, by the name of the stem."""


class StudentStem(Technique):
    """A 3x3 convolution and no pooling, as residual networks for CIFAR-10 have (He et al., arXiv 1512.03385).

    Networks for ImageNet divide the sides of a picture by two or four before their first block, which leaves little of
    one of 32x32. Between the two is a stem that divides them by two. With the strides of ImageNet's stem, the smaller
    convolution alone saves time where the rest of the network is narrow.
    """

    name = "student_stem"
    stage = Stage.STUDENT
    keeps_weights = False
    parameters = (
        Parameter(
            "student_stem",
            ("imagenet", *STRIDES),
            "imagenet",
            f"imagenet, {', '.join([*STRIDES][:-1])} or {[*STRIDES][-1]}",
            "stem={}",
            only_where_named=True,
        ),
    )

    def excluded(self, parameter: Parameter, value: Scalar, network: Any, example: Sequence[Any]) -> str | None:
        from spaces.network_changes.small_stem import find_stem

        try:
            find_stem(network, example)
        except WorkFailed as error:
            return str(error)
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.network_changes.small_stem import find_stem
        from spaces.network_changes.trial_call import require_runs

        assert context is not None
        torch.manual_seed(context.seed)
        student = context.initial().eval()
        stride, keeps_pooling = STRIDES[str(settings["student_stem"])]
        context.record.update(find_stem(student, context.example), stride=stride, keeps_pooling=keeps_pooling)
        student = self.rebuild(student, context.record)
        require_runs(student, context.example, "the network does not take a stem for small pictures")
        return student

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.network_changes.small_stem import fit_stem

        fit_stem(network, record, record["stride"], keeps_pooling=record["keeps_pooling"])
        return network


TECHNIQUE = StudentStem()
