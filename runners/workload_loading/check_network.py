"""Checks of a workload's network: that it fits into memory, takes the inputs, and answers the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from runners.inputs import Arrays, read, rows, shortened
from runners.judged_network import judged, own_network
from runners.judged_output import how_to_choose, outputs_text
from runners.machine.device import memory_gib
from runners.workload import Workload
from runners.workload_loading.check_ids import check_ids
from runners.workload_loading.split_overlap import spread
from runners.workload_loading.user_code import type_of, user_code
from spaces.errors import RequestError

SAME_ANSWER = 1e-3
"""Largest difference between two answers to one input, as a share of the largest output: threads vary the sums."""
LOOKED_AT = 16
"""Examples of each split whose size is looked at where it may differ."""


def check_network(workload: Workload, inputs: Arrays) -> Tensor:
    """The outputs for ``inputs``, of a network that is made for that, ``(n, ...)``.

    Raises:
        RequestError: One sentence on the first thing that is wrong.
    """
    network = _made(workload)
    with user_code("reading its data"):
        check_ids(workload, network)
    outputs = _outputs(network, inputs)
    if not torch.isfinite(outputs).all():
        raise RequestError("its model answers with NaN or infinity; check its weights and the scale of the inputs")
    if (alone := _outputs(network, rows(inputs, slice(0, 1)))).shape[1:] != outputs.shape[1:]:
        raise RequestError(
            f"its model answers 1 example with shape {tuple(alone.shape)} and {len(outputs)} with "
            f"{tuple(outputs.shape)}; give one row for each input, whatever their number"
        )
    largest = float(outputs.abs().max())
    if float((_outputs(network, inputs) - outputs).abs().max()) > SAME_ANSWER * largest:
        raise RequestError(
            "its model answers the same inputs otherwise each time, in evaluation mode too; switch off what it draws "
            "at random where self.training is False"
        )
    if workload.dynamic:
        _check_dynamic(workload, network, inputs, outputs)
    if workload.pretrained:
        _check_pretrained(workload, own_network(network))
    return outputs


def _check_dynamic(workload: Workload, network: nn.Module, inputs: Arrays, outputs: Tensor) -> None:
    """Call it with another size; outputs whose size follows it can be joined only where all examples are alike."""
    dynamic = workload.example_inputs.dynamic
    shorter = _outputs(network, shortened(inputs, dynamic), ", cut to three quarters of its length,")
    if shorter.shape == outputs.shape:
        return
    number, place = next((number, place) for number, place in enumerate(dynamic) if place is not None)
    sizes = {
        read(split, np.array([index]))[0][number].shape[place]
        for split in workload.splits.values()
        for index in spread(len(split), LOOKED_AT)
    }
    if len(sizes) > 1:
        raise RequestError(
            f"the size of its outputs follows that of its inputs, which is from {min(sizes)} to {max(sizes)}, so that "
            "the outputs of several batches cannot be joined; give all examples and targets the same size by padding, "
            "and leave the padding out in loss and metric"
        )


def shapes_text(inputs: Arrays) -> str:
    """The shapes of inputs as they stand in a sentence, with their types where one is not float32."""
    are_float = all(array.dtype == np.float32 for array in inputs)
    return " and ".join(f"{array.shape}" if are_float else f"{array.shape} {array.dtype}" for array in inputs)


def _made(workload: Workload) -> nn.Module:
    if isinstance(workload.model, nn.Module):
        raise RequestError("its model is a network; give a function that makes one, such as its class or a lambda")
    with user_code("making its model"), _within_memory():
        network = workload.model()
    if not isinstance(network, nn.Module):
        raise RequestError(f"model() gives {type_of(network)}; it must give a torch.nn.Module")
    return judged(network, workload.keywords, workload.output).eval()


@contextmanager
def _within_memory() -> Iterator[None]:
    """Context in which a network is made: refused as soon as its parameters no longer fit into memory twice.

    Every step after it holds them twice: with their gradients, or with the copy that is written.
    """
    limit, held = memory_gib(), 0

    def count(_: nn.Module, name: str, parameter: Any) -> None:
        nonlocal held
        held += 0 if parameter is None else parameter.numel() * parameter.element_size()
        if 2 * held / 2**30 > limit:
            raise RequestError(_too_large(f"has parameters of {held / 2**30:.3g} GiB and more"))

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise RequestError(_too_large("asks for more memory than there is")) from error
        raise
    finally:
        hook.remove()


def _too_large(what: str) -> str:
    return (
        f"its model {what}, and this machine has {memory_gib():.3g} GiB of memory, into which they have to fit twice; "
        "give a smaller model, or use a machine with more memory"
    )


def _outputs(network: nn.Module, inputs: Arrays, cut: str = "") -> Tensor:
    whole = any(array.dtype == np.int64 for array in inputs)
    advice = " (whole numbers reach it as int64; give those that are quantities as float32)" if whole else ""
    with user_code(f"its model on inputs of shape {shapes_text(inputs)}{cut}{advice}"), torch.no_grad():
        outputs = network(*map(torch.from_numpy, inputs))
    if not isinstance(outputs, Tensor):
        raise RequestError(f"its model answers with {outputs_text(outputs)}; {how_to_choose(outputs)}")
    if outputs.dim() < 1 or outputs.shape[0] != len(inputs[0]):
        raise RequestError(
            f"its model answers {len(inputs[0])} examples with shape {tuple(outputs.shape)}; the first must be the "
            "batch",
        )
    return outputs


def _check_pretrained(workload: Workload, network: nn.Module) -> None:
    from runners.lowering.weights import weights_digest

    with user_code("making its model again"):
        again = workload.model()
    if weights_digest(again) != weights_digest(network):
        raise RequestError(
            "it is pretrained, but model() gives other weights at each call; load the trained ones in it"
        )
