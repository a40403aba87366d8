"""The learning rate of every step of a training."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from runners.training.optimiser import RATE
from spaces.plans import TrainingPlan


def make_schedule(optimiser: Optimizer, plan: TrainingPlan, steps: int, done: int) -> LRScheduler:
    """The schedule of ``plan`` as it is after ``done`` of all ``steps``; each rate depends on nothing but the step."""
    schedule = _schedule(optimiser, plan, steps, last=-1)
    # The first schedule has put its bounds into the optimiser, which a later start asks for.
    return _schedule(optimiser, plan, steps, last=done - 1) if done else schedule


def cosine_share(step: int, steps: int, warmup: float) -> float:
    """The share of the peak at ``step``, counted from 0: rises over ``warmup`` of all ``steps``, then falls towards 0.

    It is above 0 at every step. torch's own `CosineAnnealingLR` computes a rate from the one before, so that one which
    goes on from a level would round otherwise than one in one go.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2


def _schedule(optimiser: Optimizer, plan: TrainingPlan, steps: int, last: int) -> LRScheduler:
    shares = [group.get(RATE, 1.0) for group in optimiser.param_groups]
    if plan.schedule == "one-cycle":
        peaks = [plan.learning_rate * share for share in shares]
        return OneCycleLR(optimiser, peaks, total_steps=steps, last_epoch=last)
    if last < 0:
        for group, share in zip(optimiser.param_groups, shares, strict=True):
            group["lr"] = plan.learning_rate * share
    return LambdaLR(optimiser, lambda step: cosine_share(step, steps, plan.warmup), last_epoch=last)
