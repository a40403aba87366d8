"""Change the network by one technique: cut a student, prune channels, or whatever a technique's file says."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from runners.inputs import Arrays, network_batch
from runners.lowering.calibration import calibration_rows
from runners.lowering.recipe import Recipe, rebuilt, recipe_of, set_recipe
from runners.lowering.weights import load_network, save_network, weights_digest
from runners.machine.telemetry import disable_telemetry
from runners.measuring.candidate_figures import CandidateFigures
from runners.measuring.footprint import count_macs, count_parameters
from runners.measuring.varied_inputs import TIMED_INPUTS, inputs_to_time
from runners.quality.allowed_loss import AllowedLoss
from runners.runner import StageFailed
from runners.stages.job import StageJob
from runners.training.loss import losses_of_examples
from runners.workload import Workload
from spaces.configuration import Scalar
from spaces.model_context import ModelContext
from spaces.network_changes.parametrisations import remove_parametrisations
from spaces.space_document import find_technique
from spaces.technique import Technique


def run(job: StageJob) -> dict[str, Any]:
    """Write the changed network. Figures: the parent's, with ``macs`` and ``parameters`` counted again.

    What computes the weights of a network, such as quantisers and masks, is not counted.

    Raises:
        StageFailed: The technique changed nothing, or the network no longer gives outputs of its old shape.
    """
    disable_telemetry()  # a technique may use a library that would send something
    torch.manual_seed(job.task.seed)
    settings = dict(job.task.settings)
    technique = find_technique(settings.pop("technique"))
    network = load_network(job.workload.network, job.parent.folder)
    example = job.workload.example_inputs.arrays
    initial = partial(initial_network, job.workload, recipe_of(network))
    calibration = partial(_examples, job)
    judge = AllowedLoss(job.workload)
    losses = partial(losses_of_examples, job.workload, job.task.seed)
    context = ModelContext(
        _tensors(example),
        job.task.seed,
        initial,
        calibration=calibration,
        losses=losses,
        validation=judge.inputs,
        keeps_quality=judge.keeps_quality,
        dynamic=job.workload.example_inputs.dynamic,
        begun=partial(begun_network, job.workload),
    )
    network = change_network(network, technique, settings, context)
    save_network(network, job.folder)
    if technique.skips_layers:
        return _over_inputs(job, network).to_json()
    if technique.quantises:
        return job.figures.to_json()
    remove_parametrisations(network)
    macs, parameters = count_macs(network, example), count_parameters(network)
    return replace(job.figures, macs=macs, parameters=parameters).to_json()


def _over_inputs(job: StageJob, network: nn.Module) -> CandidateFigures:
    """The figures of a network that leaves layers out: the mean of ``macs`` over `TIMED_INPUTS` inputs."""
    found = [count_macs(network, each) for each in inputs_to_time(job.workload, 1, TIMED_INPUTS)]
    macs, parameters = round(sum(found) / len(found)), count_parameters(network)
    return replace(job.figures, macs=macs, parameters=parameters, timed_inputs=TIMED_INPUTS)


def change_network(
    network: nn.Module, technique: Technique, settings: Mapping[str, Scalar], context: ModelContext
) -> nn.Module:
    """``network`` changed by ``technique``, perhaps in place; what was parametrised has plain weights first.

    A technique that acts again on what it alone changed last finds its own parametrisations as it left them.

    Raises:
        StageFailed: The technique changed nothing, or the network no longer gives outputs of its old shape.
    """
    recipe = recipe_of(network)
    if not recipe or recipe[-1]["technique"] != technique.name:
        remove_parametrisations(network)
    before, shape = weights_digest(network), _output_shape(network, context.example)
    changed: nn.Module = technique.apply(network, settings, context)
    own = [{"technique": technique.name, "record": context.record}] if context.record else []
    set_recipe(changed, [*recipe, *own])
    if weights_digest(changed) == before:
        raise StageFailed(f"{technique.name} changed nothing with {settings}: the trial would repeat another")
    if (after := _output_shape(changed, context.example)) != shape:
        raise StageFailed(f"{technique.name} changed the output from {shape} to {after}")
    return changed


def begun_network(workload: Workload) -> nn.Module:
    """The network of ``workload`` as its training begins, with the weights that ``model()`` loads."""
    network: nn.Module = workload.network()
    remove_parametrisations(network)
    return network


def initial_network(workload: Workload, recipe: Recipe = ()) -> nn.Module:
    """A new network of ``workload`` with the layers of ``recipe`` and new initial weights, none of them parametrised.

    Those of a pretrained model, and those that ``model()`` loads, are drawn anew, layer by layer, as torch draws them;
    what is no layer of torch's keeps its values.
    """
    network = workload.network()
    remove_parametrisations(network)
    for layer in network.modules() if workload.pretrained else _loaded(network, workload):
        layer.requires_grad_(True)
        reset = getattr(layer, "reset_parameters", None)
        if reset is not None:
            reset()
    return rebuilt(network, recipe)


def _loaded(network: nn.Module, workload: Workload) -> list[nn.Module]:
    """The layers of ``network`` whose weights ``model()`` does not draw: another call of it gives the same numbers.

    Weights that are all one number, as those of a new normalisation, say nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch.initial_seed() % 2**32 + 1)
        again = workload.network()
    remove_parametrisations(again)
    others = dict(again.named_modules())
    return [
        layer
        for name, layer in network.named_modules()
        if any(
            weight.numel() > 1 and weight.min() < weight.max() and torch.equal(weight, others[name].get_parameter(key))
            for key, weight in layer.named_parameters(recurse=False)
        )
    ]


def _examples(job: StageJob, count: int) -> list[tuple[torch.Tensor, ...]]:
    return [_tensors(row) for row in calibration_rows(job.workload, job.task.seed, count)]


def _tensors(arrays: Arrays) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(network_batch(array)) for array in arrays)


def _output_shape(network: nn.Module, example: tuple[torch.Tensor, ...]) -> tuple[int, ...]:
    with torch.inference_mode():
        return tuple(network.eval()(*example).shape)
