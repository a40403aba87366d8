"""A network with exits gives each input its own answer, leaves out what is not needed, and loses what it may lose."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from spaces_tests.small_network import make_network
from torch import Tensor

from runners.inputs import ExampleInputs
from runners.lowering.exported_program import exported_program
from spaces.early_exits.network import NEVER, EarlyExit, all_outputs, confidence, exits_of
from spaces.early_exits.threshold import set_threshold
from spaces.model_context import ModelContext
from spaces.space_document import find_technique

X = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 4


def _with_exits(count: int) -> EarlyExit:
    torch.manual_seed(0)
    context = ModelContext((X[:1],), 0, make_network)
    network: EarlyExit = find_technique("early_exit").apply(make_network(), {"early_exits": count}, context)
    return network.eval()


def _set(network: EarlyExit, threshold: float) -> EarlyExit:
    for each in exits_of(network):
        each.threshold.fill_(threshold)
    return network


def _middle(network: EarlyExit) -> float:
    with torch.no_grad():
        return float(confidence(all_outputs(network, (X,))[0]).median()) + 1e-6


def test_without_a_sure_head_the_network_is_what_it_was() -> None:
    network = _with_exits(2)
    assert torch.equal(network(X), all_outputs(network, (X,))[-1])


def test_each_input_has_the_answer_that_it_has_alone() -> None:
    network = _with_exits(2)
    _set(network, _middle(network))
    together = network(X)
    assert torch.allclose(together, torch.cat([network(each[None]) for each in X]), atol=1e-5)
    early, _, last = all_outputs(network, (X,))
    sure = confidence(early) >= network.threshold
    assert torch.equal(together[sure], early[sure])
    assert 0 < int(sure.sum()) < len(X)
    assert not torch.equal(together, last)


def test_the_rest_is_computed_only_where_one_input_is_not_sure() -> None:
    network, called = _with_exits(1), []
    _set(network, _middle(network))
    network.rest.register_forward_hook(lambda *_: called.append(True))
    sure = confidence(network.head(network.first(X))) >= network.threshold
    network(X[sure])
    assert not called
    network(X)
    assert called == [True]


def test_training_gives_the_last_output_and_keeps_those_of_the_exits() -> None:
    network = _set(_with_exits(2), 0.0).train()
    last, early = network(X), [each.take_early() for each in exits_of(network)]
    expected = all_outputs(network, (X,))
    assert [torch.allclose(a, b) for a, b in zip([*early, last], expected, strict=True)] == [True] * 3
    assert all(each.requires_grad for each in early)


def _context(labels: Tensor) -> ModelContext:
    def correct(outputs: Tensor) -> float:
        return float((outputs.argmax(1) == labels).float().mean())

    def inputs() -> Iterator[tuple[Any, ...]]:
        yield (X[:20],)
        yield (X[20:],)

    def keeps(outputs: Tensor, reference: Tensor, loss: float) -> bool:
        return correct(reference) - correct(outputs) <= loss

    return ModelContext((X[:1],), 0, make_network, validation=inputs, keeps_quality=keeps)


@pytest.mark.parametrize("loss", [0.0, 0.25])
def test_the_threshold_is_the_lowest_that_loses_no_more_than_is_allowed(loss: float) -> None:
    network = _with_exits(1)
    last = all_outputs(network, (X,))[-1].argmax(1)
    set_threshold(network, loss, _context(last))
    share = float((network(X).argmax(1) == last).float().mean())
    assert share >= 1 - loss
    confidences = confidence(all_outputs(network, (X,))[0]).detach().sort().values
    lower = confidences[confidences < network.threshold]
    if len(lower):  # one more input that leaves early loses more
        _set(network, float(lower[-1]))
        assert float((network(X).argmax(1) == last).float().mean()) < 1 - loss


def test_nothing_leaves_early_where_that_always_loses_too_much() -> None:
    network = _with_exits(1)
    early, last = (each.argmax(1) for each in all_outputs(network, (X,)))
    assert not torch.equal(early, last)
    context = _context(last)
    context = ModelContext((X[:1],), 0, make_network, validation=context.validation, keeps_quality=lambda *_: False)
    set_threshold(network, 0.0, context)
    assert float(network.threshold) == NEVER


def test_a_program_exported_with_a_free_batch_answers_as_the_network_does() -> None:
    network = _with_exits(1)
    _set(network, _middle(network))
    program = exported_program(network, ExampleInputs.of(X[:1].numpy()))
    for rows in (X[:1], X[:3], X):
        assert torch.allclose(program.module()(rows), network(rows), atol=1e-5)
