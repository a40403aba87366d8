"""Student: a network of another family in place of the teacher, trained from new weights."""

import re
from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.named_networks.classifier import TIMM
from spaces.named_networks.torchvision_names import classifier_problem, registered_names
from spaces.technique import Earlier, Parameter, Stage, Technique

TEACHER = "teacher"
OTHERS = ("mobilenet_v3_large", "resnet18", "regnet_y_400mf", "efficientnet_b0")
"""Families that are offered beside the smallest ones where a space asks for every value."""


class Student(Technique):
    """A small architecture that learns from a large one of another kind (Hinton et al., arXiv 1503.02531).

    It is made by torchvision or timm, without a download, for the teacher's pictures and classes.
    """

    name = "student"
    stage = Stage.STUDENT
    keeps_weights = False
    replaces_network = True
    parameters = (
        Parameter(
            "student",
            (TEACHER, "shufflenet_v2_x0_5", "mobilenet_v3_small"),
            TEACHER,
            "teacher, a classification network of torchvision such as mobilenet_v3_small, or timm:NAME",
            "student={}",
            only_where_named=True,
        ),
    )

    def every(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        return (*parameter.choices, *OTHERS)

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if not isinstance(value, str):
            return False
        of_timm = re.fullmatch(rf"{TIMM}[\w.]+", value) is not None
        return value == TEACHER or of_timm or classifier_problem(value) is None

    def names(self, parameter: Parameter) -> tuple[str, ...]:
        return (TEACHER, *registered_names(""))

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if str(value).startswith(TIMM):
            return environment.missing.get("timm")
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.network_changes.pictures import number_of_classes, picture_size

        assert context is not None
        family = str(settings["student"])
        size = picture_size(context.example, f"the student {family}")
        classes = number_of_classes(subject, context.example, f"the student {family}")
        torch.manual_seed(context.seed)
        context.record.update({"family": family, "classes": classes, "size": list(size)})
        return self.rebuild(subject, context.record)

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        from spaces.named_networks.classifier import new_classifier

        channels, height, width = record["size"]
        return new_classifier(record["family"], record["classes"], (channels, height, width))


TECHNIQUE = Student()
