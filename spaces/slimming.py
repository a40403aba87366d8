"""Remove a share of the channels of a network, coupled layers together; imports torch only when it is called."""

from typing import Any, Literal


def slim(model: Any, example: Any, *, keep: float, criterion: Literal["magnitude", "random"]) -> None:
    """Keep about ``keep`` of the channels of every prunable layer of ``model``, in place.

    The layers that make the outputs keep their size. What torch-pruning cannot trace raises its own error.

    Args:
        model: A ``torch.nn.Module``.
        example: Input batch of one, shape ``(1, *input_shape)``.
        keep: Share of channels kept, above 0 and below 1.
        criterion: Which channels leave: those of smallest L1 norm, or any.
    """
    import torch
    import torch_pruning

    importances = {
        "magnitude": lambda: torch_pruning.importance.MagnitudeImportance(p=1),
        "random": lambda: torch_pruning.importance.RandomImportance(),
    }
    model.eval()
    pruner = torch_pruning.pruner.BasePruner(
        model,
        example,
        importance=importances[criterion](),
        pruning_ratio=1.0 - keep,
        ignored_layers=_output_layers(model, example),
    )
    with torch.enable_grad():
        pruner.step()


def _output_layers(model: Any, example: Any) -> list[Any]:
    """The layers whose output is the output of the network, found by running it once."""
    import torch

    last: list[Any] = []
    hooks = [
        module.register_forward_hook(lambda module, _, output: last.append((module, output)))
        for module in model.modules()
        if not list(module.children()) and list(module.parameters(recurse=False))
    ]
    with torch.no_grad():
        result = model(example)
    for hook in hooks:
        hook.remove()
    size = result.shape[1]
    return [module for module, output in last if _makes(module, output, result, size)]


def _makes(module: Any, output: Any, result: Any, size: int) -> bool:
    import torch

    same = isinstance(output, torch.Tensor) and output.data_ptr() == result.data_ptr()
    classifier = isinstance(module, torch.nn.Linear) and module.out_features == size
    return bool(same or classifier)
