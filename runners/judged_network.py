"""A network whose inputs have names, or that gives more than one tensor, as one of positional tensors to one tensor."""

from collections.abc import Sequence

from torch import Tensor, nn

from runners.judged_output import Output, chosen_output


def judged(network: nn.Module, keywords: Sequence[str], output: Output) -> nn.Module:
    """``network`` as it is trained, lowered and timed: positional tensors in, the one tensor that is judged out.

    It is ``network`` itself where nothing is to be done: inputs without names, and no choice of an output.

    Args:
        network: As the workload makes it.
        keywords: The argument names of its inputs, in the order of the tensors; empty calls it by position.
        output: Which of its outputs is judged.
    """
    if not keywords and output is None:
        return network
    return JudgedNetwork(network, keywords, output)


def own_network(network: nn.Module) -> nn.Module:
    """The network that the workload made, out of what `judged` gave."""
    own: nn.Module = getattr(network, "judged_network", network)
    return own


class JudgedNetwork(nn.Module):
    """Calls ``judged_network`` and gives the one of its outputs that is judged.

    Args:
        network: Called by keyword, or by position where there are no ``keywords``.
        keywords: The argument names of the inputs in their order.
        output: Which of its outputs is judged.
    """

    def __init__(self, network: nn.Module, keywords: Sequence[str], output: Output) -> None:
        super().__init__()
        self.judged_network = network
        self._keywords, self._output = tuple(keywords), output

    def forward(self, *inputs: Tensor) -> Tensor:
        if self._keywords:
            outputs = self.judged_network(**dict(zip(self._keywords, inputs, strict=True)))
        else:
            outputs = self.judged_network(*inputs)
        judged: Tensor = chosen_output(outputs, self._output)
        return judged
