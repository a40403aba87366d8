"""What a search knows of the network before it draws: which changes fail on it, or change nothing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from runners.backends import find_backend
from runners.executors import model_limits
from runners.executors.model_limits import find_model_limits
from runners.executors.runtime_limits import find_runtime_limits
from runners.workload import Workload
from runners.workloads.synthetic import WORKLOAD
from spaces.configuration import Configuration, Scalar
from spaces.environment import BackendFacts, Environment
from spaces.model_context import ModelContext
from spaces.space_document import make_space
from spaces.technique import Parameter, Stage, Technique

HEAD = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
CHOICES = {"student_width": [1.0, 0.5, 0.25], "channel_pruning": [0.0, 0.5]}


def test_what_changes_nothing_for_this_network_is_never_drawn() -> None:
    """Layers of 16 channels at a quarter of their width have the fewest that a layer keeps."""
    limits = find_model_limits(WORKLOAD, Environment(), CHOICES)
    assert [limit.choices for limit in limits] == [{"student_width": 0.25, "channel_pruning": 0.5}]
    assert "removes none" in limits[0].reason
    space = make_space(CHOICES, Environment(model_limits=limits))
    drawn = {(c["student_width"], c["channel_pruning"]) for c in space.configurations()}
    assert drawn == {(1.0, 0.0), (1.0, 0.5), (0.5, 0.0), (0.5, 0.5), (0.25, 0.0)}


def test_what_cannot_be_drawn_alone_is_not_combined_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at, real = [], model_limits._changes_of

    def watched(techniques: Any, *given: Any) -> Any:
        looked_at.append(len(techniques))
        return real(techniques, *given)

    monkeypatch.setattr(model_limits, "_changes_of", watched)
    assert find_model_limits(WORKLOAD, Environment(cannot_train="it is a program"), CHOICES) == ()
    assert looked_at == [1, 1]


class Unusual(nn.Module):
    """Has an operator that ncnn does not have."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.erfinv(images.tanh()).flatten(1)[:, :4]


@pytest.mark.skipif(find_backend("ncnn").unsupported() is not None, reason="not installed")
def test_a_runtime_without_an_operator_of_the_network_is_told_before_it_is_tried() -> None:
    workload = replace(WORKLOAD, model=Unusual)
    limits = find_runtime_limits(workload, {"runtime": ["eager", "ncnn"]})
    assert [limit.choices for limit in limits] == [{"runtime": "ncnn"}]
    environment = Environment(
        backends={name: BackendFacts(("fp32",)) for name in ("eager", "ncnn")}, model_limits=limits
    )
    space = make_space({"runtime": ["eager", "ncnn"]}, environment)
    assert [configuration["runtime"] for configuration in space.configurations()] == ["eager"]
    assert [(value, "erfinv" in reason) for _, value, reason in space.reasons()] == [("ncnn", True)]


@pytest.mark.skipif(find_backend("ncnn").unsupported() is not None, reason="not installed")
def test_a_format_in_which_a_runtime_fails_on_the_network_is_told_before_it_is_tried() -> None:
    grouped = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 4, 3, groups=2), *HEAD)
    workload = replace(WORKLOAD, model=lambda: grouped)
    limits = find_runtime_limits(workload, {"runtime": "ncnn", "numeric_precision": ["fp32", "bf16"]})
    assert [limit.choices for limit in limits] == [{"runtime": "ncnn", "numeric_precision": "bf16"}]
    assert "several channels a group" in limits[0].reason


def test_a_search_that_names_no_such_runtime_tries_none() -> None:
    def never() -> Any:
        raise AssertionError("no network is needed")

    workload = replace(WORKLOAD, model=never)
    assert find_runtime_limits(workload, {"runtime": ["eager", "onnxruntime"]}) == ()
    assert find_runtime_limits(workload, {"runtime": "all"}) == find_runtime_limits(workload, None) == ()


def test_limits_travel_as_json() -> None:
    environment = Environment(model_limits=find_model_limits(WORKLOAD, Environment(), CHOICES), own_loss=True)
    assert Environment.from_json(environment.to_json()) == environment


class TwoParameters(Technique):
    """Fails with the last value of its second parameter, with an `IndexError` of its own."""

    name = "two_parameters"
    stage = Stage.PRUNE
    parameters = (Parameter("first", (0, 1), 0, "0 or 1"), Parameter("second", (0, 1, 2), 0, "0 to 2"))

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        factors = [(1.0, 0.9), (1.0, 0.8)]
        scale = factors[0][int(settings["first"])] * factors[1][int(settings["second"])]
        with torch.no_grad():
            subject[0].weight.mul_(scale)
        return subject


def test_every_parameter_of_a_technique_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_limits, "all_techniques", lambda: (TwoParameters(),))
    monkeypatch.setattr("spaces.space_document.all_techniques", lambda: (TwoParameters(),))
    limits = find_model_limits(WORKLOAD, Environment())
    assert [dict(limit.choices) for limit in limits] == [{"first": 0, "second": 2}, {"first": 1, "second": 2}]
    assert all("fails on this network" in limit.reason and "IndexError" in limit.reason for limit in limits)


def test_a_part_that_failed_is_not_tried_again_with_others() -> None:
    def fixed() -> nn.Module:
        class Fixed(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.last = nn.Conv2d(1, 16, 3), nn.Linear(16 * 36, 4)

            def forward(self, images: torch.Tensor) -> torch.Tensor:
                return self.last(self.first(images).reshape(len(images), 16 * 36))  # type: ignore[no-any-return]

        return Fixed()

    limits = find_model_limits(replace(WORKLOAD, model=fixed), Environment(), CHOICES)
    assert [dict(limit.choices) for limit in limits] == [
        {"student_width": 0.5},
        {"channel_pruning": 0.5},
        {"student_width": 0.25},
    ]


def test_every_change_is_tried_alone_before_two_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list[list[str]]()
    monkeypatch.setattr(
        model_limits, "why_not_changed", lambda workload, changes: tried.append([t.name for t, _ in changes])
    )
    find_model_limits(WORKLOAD, Environment(), CHOICES)
    assert [len(names) for names in tried] == [1, 1, 1, 2, 2]
    monkeypatch.setattr(model_limits, "MAX_TRIED", 3)
    tried.clear()
    find_model_limits(WORKLOAD, Environment(), CHOICES)
    assert tried == [["student_width"], ["channel_pruning"], ["student_width"]]


def test_where_time_is_short_every_technique_has_been_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_limits, "MAX_TRIED", 3)
    choices = {
        "student_width": [1.0, 0.75, 0.5, 0.25],
        "channel_pruning": [0.0, 0.25, 0.5],
        "attention_heads": [0.0, 0.5],
    }
    limits = find_model_limits(WORKLOAD, Environment(), choices)
    assert [dict(limit.choices) for limit in limits] == [{"attention_heads": 0.5}]


def test_what_fails_on_the_teacher_is_still_drawn_for_a_student_that_takes_it() -> None:
    choices = {"student": ["teacher", "shufflenet_v2_x0_5"], "student_stem": ["imagenet", "small"]}
    limits = find_model_limits(
        replace(WORKLOAD, model=lambda: nn.Sequential(nn.Conv2d(1, 4, 3), *HEAD)), Environment(), choices
    )
    assert [dict(limit.choices) for limit in limits] == [{"student": "teacher", "student_stem": "small"}]
    space = make_space(choices, Environment(model_limits=limits))
    drawn = [(found["student"], found["student_stem"]) for found in space.configurations()]
    assert drawn == [("teacher", "imagenet"), ("shufflenet_v2_x0_5", "imagenet"), ("shufflenet_v2_x0_5", "small")]


def test_a_temperature_is_not_drawn_for_a_loss_that_has_none() -> None:
    choices = {"student_width": [0.5], "distillation_weight": [0.5], "distillation_temperature": [2.0, 4.0]}
    drawn = [dict(c) for c in make_space(choices, Environment(own_loss=True)).configurations()]
    assert len(drawn) == 1
    assert "distillation_temperature" not in drawn[0]
    assert len(list(make_space(choices, Environment()).configurations())) == 2


def test_a_space_that_the_baseline_alone_is_in_has_nothing_to_try() -> None:
    def never() -> Any:
        raise AssertionError("no network is needed")

    workload = Workload(name="none", model=never, data=lambda: {"train": (np.zeros((1, 1)), np.zeros(1))})
    assert find_model_limits(workload, Environment(), {"student_width": [1.0]}) == ()
    assert Configuration(make_space({}, Environment()).baseline())["student_width"] == 1.0


def test_what_the_layers_of_a_network_show_is_told_without_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_limits, "TRYING_S", -1.0)
    choices = {"channel_pruning": [0.5], "pruning_criterion": ["l1", "batch-norm-scale"]}
    limits = find_model_limits(WORKLOAD, Environment(), choices)
    assert [limit.choices for limit in limits] == [{"pruning_criterion": "batch-norm-scale"}]
    space = make_space(choices, Environment(model_limits=limits))
    assert {configuration["pruning_criterion"] for configuration in space.configurations()} == {"l1"}
    assert "no batch normalisation with a scale" in space.reasons()[0][2]
    assert not find_model_limits(WORKLOAD, Environment(), {"channel_pruning": [0.5]})


def test_what_the_layers_of_another_network_in_its_place_show_is_told_without_a_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_limits, "TRYING_S", -1.0)
    students, shares, heads = ("teacher", "mobilenet_v3_small"), [0.0, 0.5], ["imagenet", "small"]
    choices = {"student": [*students], "attention_heads": shares, "student_head": heads}
    limits = find_model_limits(WORKLOAD, Environment(), choices)
    assert [dict(limit.choices) for limit in limits] == [
        {"student": "teacher", "student_head": "small"},
        {"student": "teacher", "attention_heads": 0.5},
        {"student": "mobilenet_v3_small", "attention_heads": 0.5},
    ]
    drawn = {
        (c["student"], c["student_head"])
        for c in make_space(choices, Environment(model_limits=limits)).configurations()
    }
    assert drawn == {("teacher", "imagenet"), ("mobilenet_v3_small", "imagenet"), ("mobilenet_v3_small", "small")}
