"""What a technique that changes the network gets besides the network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


def no_examples(count: int) -> tuple[Any, ...]:
    """None, where a network is changed without data."""
    return ()


def no_losses(network: Any, count: int) -> Iterator[Any]:
    """None, where a network is changed without data."""
    return iter(())


def no_inputs() -> Iterator[Any]:
    """None, where a network is changed without data."""
    return iter(())


def nothing_to_compare(outputs: Any, reference: Any, loss: float) -> bool:
    """True, where there are no data on which outputs could be worse."""
    return True


@dataclass(frozen=True)
class ModelContext:
    """What a technique that changes the network gets besides the network.

    Attributes:
        example: A tuple with a tensor for each input of the network, of one example: ``(1, *input_shape)``.
        seed: Seed of all random numbers.
        initial: Makes the workload's network with new initial weights.
        begun: Makes it as its training begins, with the weights that the workload loads; None where those are new.
        record: Filled by a technique that puts other layers into the network: what `Technique.rebuild` needs to put
            them there again, in plain JSON types. It stays empty where only sizes and values of tensors change.
        calibration: Gives as many examples of the calibration split, or of the training split where there is none:
            each a tuple like ``example``. Where the split has fewer, there are fewer.
        trained: Whether the weights are those that the search will have. They are not where a change is only tried
            before a search, to see whether the network takes it: then nothing should fail because of their values.
        losses: Gives, for a network and a number, the loss of the network on as many examples of the training split:
            one tensor without dimensions for each, with its graph where gradients are on. There are none where the loss
            is not known.
        validation: Gives the inputs of the validation split in batches, each a tuple like ``example``, for what is
            chosen on a trained network. There are none where the network is changed without data.
        dynamic: For each input the dimension whose size may differ between calls, or None; empty where none has one.
        keeps_quality: Tells of two tensors of outputs for all these inputs whether the metric of the first one is
            worse than that of the second by at most a number: a fraction, or a share of a metric that is none.
    """

    example: Any
    seed: int
    initial: Callable[[], Any]
    record: dict[str, Any] = field(default_factory=dict)
    calibration: Callable[[int], Sequence[Any]] = no_examples
    trained: bool = True
    losses: Callable[[Any, int], Iterator[Any]] = no_losses
    validation: Callable[[], Iterator[Any]] = no_inputs
    keeps_quality: Callable[[Any, Any, float], bool] = nothing_to_compare
    dynamic: Sequence[int | None] = ()
    begun: Callable[[], Any] | None = None
