"""The choices of channel pruning: when each is drawn, the steps that share their beginning, what is told beforehand."""

from typing import Any

import pytest
import torch
from spaces_tests.environments import LAPTOP
from torch import nn

from spaces.errors import RequestError
from spaces.model_context import ModelContext
from spaces.slimming.widths import SCOPES
from spaces.space_document import make_space
from spaces.steps import Change, Train
from spaces.techniques.channel_pruning import TECHNIQUE


def drawn(**choices: Any) -> list[dict[str, Any]]:
    """The configurations of a space with these choices, without what is not of pruning."""
    names = [parameter.name for parameter in TECHNIQUE.parameters]
    space = make_space(choices, LAPTOP)
    return [{name: c[name] for name in names if name in c} for c in space.configurations()]


def test_how_to_prune_is_drawn_only_where_something_is_pruned() -> None:
    choices = {"pruning_criterion": ["l1", "l2"], "pruning_steps": [1, 2], "pruning_epochs": [1, 3]}
    found = drawn(channel_pruning=[0.0, 0.5], **choices)
    assert {"channel_pruning": 0.0} in found
    assert [c["pruning_epochs"] for c in found if c.get("pruning_steps") == 2] == [1, 3, 1, 3]
    assert all("pruning_epochs" not in c for c in found if c.get("pruning_steps") == 1)
    assert len(found) == 1 + 2 * 3


def test_in_one_layer_lamp_is_no_other_criterion_than_l2_and_told_to_be() -> None:
    found = drawn(channel_pruning=0.5, pruning_scope=[*SCOPES], pruning_criterion=["l2", "lamp"])
    assert {c["pruning_scope"] for c in found if c["pruning_criterion"] == "lamp"} == {"global", "isomorphic"}
    reasons = make_space({"channel_pruning": 0.5, "pruning_criterion": ["l2", "lamp"]}, LAPTOP).reasons()
    assert [(name, value) for name, value, _ in reasons] == [("pruning_criterion", "lamp")]
    assert "as l2 does" in reasons[0][2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pruning_criterion", "magnitude"),
        ("pruning_scope", "local"),
        ("width_multiple", -8),
        ("width_multiple", 8.0),
        ("pruning_steps", 0),
        ("pruning_epochs", True),
        ("channel_pruning", 1.0),
    ],
)
def test_what_is_no_choice_is_one_sentence_with_what_is_allowed(name: str, value: Any) -> None:
    with pytest.raises(RequestError, match=rf"{name} cannot be .*; allowed is "):
        make_space({name: [value]}, LAPTOP)


def test_neutral_choices_are_the_step_that_is_taken_without_them() -> None:
    neutral = {parameter.name: parameter.neutral for parameter in TECHNIQUE.parameters}
    assert TECHNIQUE.steps({**neutral, "channel_pruning": 0.5}) == (Change({"channel_pruning": 0.5}),)


def test_candidates_that_remove_the_same_share_a_step_share_their_beginning() -> None:
    half, quarter, eighth = (
        TECHNIQUE.steps({"channel_pruning": share, "pruning_steps": number, "pruning_epochs": 2})
        for share, number in ((0.5, 1), (0.75, 2), (0.875, 3))
    )
    assert half == (Change({"channel_pruning": 0.5}),)
    assert quarter == (*half, Train(2), *half)
    assert eighth == (*half, Train(2), *quarter)


@pytest.mark.parametrize("multiple", [0, 1, 8, 16])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_steps_end_within_one_multiple_of_the_widths_of_one_step(number: int, multiple: int) -> None:
    def pruned(steps: int) -> list[int]:
        torch.manual_seed(0)
        widths = (32, 48, 64, 100, 128)
        layers = [nn.Linear(one, other) for one, other in zip((8, *widths), (*widths, 3), strict=True)]
        network, x = nn.Sequential(*layers).eval(), torch.randn(1, 8)
        settings = {"channel_pruning": 0.7, "width_multiple": multiple, "pruning_steps": steps}
        for step in TECHNIQUE.steps(settings):
            if isinstance(step, Change):
                TECHNIQUE.apply(network, step.settings, ModelContext((x,), 0, lambda: network))
        return [layer.out_features for layer in layers[:-1]]

    at_once, in_steps = pruned(1), pruned(number)
    assert all(width % (multiple or 4) == 0 for width in (*at_once, *in_steps))
    assert all(abs(one - other) <= (multiple or 8) for one, other in zip(at_once, in_steps, strict=True))


def test_the_criterion_and_the_scope_go_with_every_step() -> None:
    how = {"pruning_criterion": "taylor", "pruning_scope": "global"}
    steps = TECHNIQUE.steps({"channel_pruning": 0.5, **how, "pruning_steps": 3})
    changes = [step.settings for step in steps if isinstance(step, Change)]
    assert len(changes) == 3
    assert all(how.items() <= change.items() for change in changes)
    shares = [float(change["channel_pruning"]) for change in changes]
    assert (1 - shares[0]) ** 3 == pytest.approx(0.5, abs=1e-5)
    assert len({*shares}) == 1
