"""The share of a worker in a pipeline: one stage of the network, or two, through which micro-batches go."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed import ProcessGroup
from torch.distributed.pipelining import Schedule1F1B, ScheduleGPipe, ScheduleInterleaved1F1B, SplitPoint, pipeline
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils._pytree import tree_map_only

from runners.lowering.weights import copy_network
from runners.models.blocks import blocks
from runners.models.called_layers import example_batch
from runners.training.batches import Batch
from runners.training.sharing.averaging_gradients import average_gradients
from runners.training.sharing.batch_norm import has_batch_norm
from runners.training.sharing.pipeline_split import split_points
from runners.training.sharing.shared_layers import why_layers_share
from runners.training.strategy import Share, Training, precision, with_tensors
from runners.workload import Workload
from spaces.errors import in_one_line
from spaces.plans import TrainingPlan

SCHEDULES: dict[str, Any] = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B}
"""Those in which each worker has one stage; in the interleaved one each has two."""


class PipelineShare(Share):
    """The stages of one worker. The network is cut on the first batch, whose shape all others have.

    Args:
        training: What is shared.
        group: The workers that have one network together, in the order of their stages.
        data: Those that have the same stages, and divide each batch; None where all have the whole batch.
    """

    def __init__(self, training: Training, group: ProcessGroup, data: ProcessGroup | None = None) -> None:
        super().__init__(training)
        self._group, self._data = group, data
        if data is not None:
            self.data_rank, self.data_workers = data.rank(), data.size()
        examples = training.examples // self.data_workers
        self._count = micro_batches(training.plan, examples, group.size())
        self._micro_batches: list[Batch] = []
        self._parts: list[nn.Module] = []
        self._stages = self._make_stages()
        self._schedule = self._make_schedule()
        self.computes_loss = any(stage.is_last for stage in self._stages)

    def parameters(self) -> dict[str, nn.Parameter]:
        return {f"network.{name}": each for part in self._parts for name, each in part.named_parameters()}

    def tensors(self) -> dict[str, Tensor]:
        own = {**super().tensors()}
        named = [pair for part in self._parts for pair in [*part.named_parameters(), *part.named_buffers()]]
        return {name: each.detach() for name, each in named if name in own}

    def add_gradients(self, batch: Batch) -> Tensor:
        own = batch.share_of(self.data_rank, self.data_workers).to(self.training.device)
        self._micro_batches = own.parts(self._count)
        first = any(stage.is_first for stage in self._stages)
        losses: list[Tensor] = []
        self._schedule.step(
            arg_mbs=[part.all_inputs for part in self._micro_batches] if first else None,
            target_mbs=list(range(len(self._micro_batches))),
            losses=losses,
            return_outputs=False,
        )
        if self._data is not None:
            average_gradients(self.parameters().values(), self._data, self.training.plan.communication)
        sizes = [len(part) for part in self._micro_batches]
        weighted = (loss.detach() * (size / len(own)) for loss, size in zip(losses, sizes, strict=bool(losses)))
        return sum(weighted, torch.zeros((), device=self.training.device))

    def clip(self, largest: float) -> None:
        parameters = list(self.parameters().values())
        squares = get_total_norm([each.grad for each in parameters if each.grad is not None]).square()
        distributed.all_reduce(squares, group=self._group)
        clip_grads_with_norm_(parameters, largest, squares.sqrt())

    def collect(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for worker in range(self._group.size()):
            own = tensors if worker == self._group.rank() else {}
            described: list[Any] = [[(name, tuple(each.shape), each.dtype) for name, each in own.items()]]
            distributed.broadcast_object_list(described, group=self._group, group_src=worker)
            for name, shape, number_format in described[0]:
                tensor = torch.empty(shape, dtype=number_format, device=self.training.device)
                if name in own:
                    tensor.copy_(own[name])
                distributed.broadcast(tensor, group=self._group, group_src=worker)
                found[name] = tensor
        return found

    def trained(self, spare: nn.Module | None) -> nn.Module:
        network, found = self.training.learning.network, self.collect(self.tensors())
        return network if spare is None else with_tensors(spare, found)

    def _make_stages(self) -> list[Any]:
        training, workers = self.training, self._group.size()
        network, count = training.learning.network, workers * stages_of_worker(training.plan)
        example = self._micro_batch()
        points: list[Any] = [split_points(network, example, count)]
        distributed.broadcast_object_list(points, group=self._group, group_src=0)
        pipe = pipeline(network, example, split_spec=dict.fromkeys(points[0], SplitPoint.BEGINNING))
        stages = []
        for index in range(self._group.rank(), count, workers):
            _send_contiguous(pipe.get_stage_module(index))
            stage = pipe.build_stage(index, training.device, self._group)
            part = stage.submod
            part.forward = partial(_compute, part.forward, training.device, training.level.settings.autocast)
            self._parts.append(part)
            stages.append(stage)
        return stages

    def _make_schedule(self) -> Any:
        plan = self.training.plan
        if plan.pipeline_schedule == "interleaved":
            return ScheduleInterleaved1F1B(self._stages, self._count, self._loss)
        return SCHEDULES[plan.pipeline_schedule](self._stages[0], self._count, self._loss)

    def _loss(self, outputs: Tensor, part: int) -> Tensor:
        return self.training.loss_of([outputs], [], self._micro_batches[part])

    def _micro_batch(self) -> tuple[Tensor, ...]:
        """Inputs with the shape of a micro-batch."""
        training = self.training
        rows = training.examples // self.data_workers // self._count
        rows *= 2 if training.adds_unlabelled else 1
        example = example_batch(training.workload.example_inputs.arrays, training.device)
        return tuple(each[:1].expand(rows, *each.shape[1:]).contiguous() for each in example)


def stages_of_worker(plan: TrainingPlan) -> int:
    """How many stages of a pipeline each worker has."""
    return 2 if plan.pipeline_schedule == "interleaved" else 1


def micro_batches(plan: TrainingPlan, examples: int, workers: int) -> int:
    """How many equal micro-batches so many ``examples`` are cut into: the most that ``plan`` allows, or 0.

    Where stages are interleaved they are a multiple of the workers.
    """
    several = workers if plan.pipeline_schedule == "interleaved" else 1
    possible = range(several, max(plan.micro_batches, several) + 1, several)
    return max((number for number in possible if examples % number == 0), default=0)


def why_no_pipeline(
    workload: Workload, network: nn.Module, plan: TrainingPlan, workers: int, shares: int
) -> str | None:
    """Why ``network`` cannot be trained in a pipeline of ``workers``, or None.

    Args:
        workload: Gives examples of the inputs, and the training split.
        network: On the CPU.
        plan: How it is to be trained.
        workers: Those that have one network together.
        shares: Into how many shares a batch is divided before it comes to a pipeline.
    """
    if has_batch_norm(network):
        return (
            "batch normalisation in a pipeline sees a micro-batch at a time, so that the network would be another one "
            "than from one process"
        )
    if reason := why_layers_share(network):
        return reason
    examples = min(plan.batch_size, len(workload.splits["train"]))
    if examples % shares:
        return f"{shares} pipelines cannot share a batch of {examples} evenly"
    if micro_batches(plan, examples // shares, workers) < 2:
        return f"{examples // shares} examples cannot be cut into equal micro-batches as its schedule needs them"
    if any(not parameter.requires_grad for parameter in network.parameters()):
        return "a stage of a pipeline passes gradients through all of its weights, and some of the network are frozen"
    example = example_batch(workload.example_inputs.arrays, torch.device("cpu"))
    found, needed = len(blocks(network, example)), workers * stages_of_worker(plan)
    if found < needed:
        return f"it needs {needed} blocks, and the network has {found}"
    try:
        pipeline(copy_network(network, workload.network).train(), example)
    except Exception as error:
        return f"torch.export cannot read the network, which pipelining needs ({in_one_line(error, limit=200)})"
    return None


def _send_contiguous(part: Any) -> None:
    """Let the buffers of a stage be contiguous, as gloo sends nothing else."""
    for node in part.graph.nodes:
        if isinstance(value := node.meta.get("val"), Tensor):
            node.meta["val"] = value.contiguous()


def _compute(forward: Callable[..., Any], device: torch.device, autocast: str, *inputs: Any) -> Any:
    """What a stage gives, computed in the number format ``autocast`` and given in fp32 to the next one."""
    with precision(device, autocast):
        outputs = forward(*inputs)
    return tree_map_only(Tensor, _as_sent, outputs)


def _as_sent(tensor: Tensor) -> Tensor:
    return (tensor.float() if tensor.is_floating_point() else tensor).contiguous()
