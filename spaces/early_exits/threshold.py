"""The confidence from which on an exit is taken, chosen on validation data."""

from typing import Any

import torch
from torch import Tensor

from spaces.early_exits.network import NEVER, all_outputs, confidence, exits_of
from spaces.model_context import ModelContext

TRIED = 100
"""Thresholds that are tried."""
UNKNOWN = 0.5
"""The threshold where there are no data to choose it by, as where a change is only tried."""


def set_threshold(network: Any, loss: float, context: ModelContext) -> None:
    """Give all exits the lowest threshold with which the answers lose at most ``loss``; `NEVER` where none does.

    Args:
        network: With exits, trained; changed in place.
        loss: How much worse the metric of the workload may be than that of the last outputs, on the validation split.
        context: Gives the validation split, and judges outputs on it.
    """
    batches = list(context.validation())
    threshold = _lowest(network.eval(), batches, loss, context) if batches else UNKNOWN
    for each in exits_of(network):
        each.threshold.fill_(threshold)


def _lowest(network: Any, batches: list[Any], loss: float, context: ModelContext) -> float:
    with torch.no_grad():
        outputs = [torch.cat(each) for each in zip(*(all_outputs(network, batch) for batch in batches), strict=True)]
    confidences = [confidence(each) for each in outputs[:-1]]
    for threshold in _candidates(torch.cat(confidences)):
        if context.keeps_quality(_answers(outputs, confidences, threshold), outputs[-1], loss):
            return threshold
    return NEVER


def _candidates(confidences: Tensor) -> list[float]:
    """Thresholds from 0 up, each in the middle between two confidences that occur, so that none is close to one."""
    found: Tensor = torch.unique(confidences)  # sorted
    middles = (found[1:] + found[:-1]) / 2
    chosen = torch.linspace(0, len(middles) - 1, min(TRIED, len(middles))).long()
    return [0.0, *middles[chosen].tolist()]


def _answers(outputs: list[Tensor], confidences: list[Tensor], threshold: float) -> Tensor:
    """What the network answers with this ``threshold``: the outputs of the first exit that is sure."""
    answers = outputs[-1]
    for early, sure in zip(reversed(outputs[:-1]), reversed(confidences), strict=True):
        answers = torch.where((sure >= threshold).unsqueeze(1), early, answers)
    return answers
