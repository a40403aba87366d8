"""Transfer: the network with the weights that the workload starts from, trained as the candidate says."""

from collections.abc import Mapping
from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.technique import Earlier, Parameter, Stage, Technique


class Transfer(Technique):
    """A candidate of the teacher's size that does not begin with the teacher's trained weights (Yosinski et al., arXiv
    1411.1792).

    It begins where the training of the teacher began, such as with weights from other data and a new head. So a search
    finds how much of it to freeze, at which learning rate and for how long to train it.
    """

    name = "transfer"
    stage = Stage.STUDENT
    parameters = (Parameter("transfer", (False, True), False, "true or false", "transfer={}", only_where_named=True),)

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        return isinstance(value, bool)

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if value and Stage.STUDENT in earlier.changed_in:
            return "it takes the whole network with the weights that it starts from, and a student is another network"
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        assert context is not None
        torch.manual_seed(context.seed)
        return (context.begun or context.initial)()


TECHNIQUE = Transfer()
