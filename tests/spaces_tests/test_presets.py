"""Every preset on a machine of its kind, and on all others: what it lists runs there, or is off with the reason."""

import re
from functools import cache
from itertools import islice
from typing import get_args

import pytest
from spaces_tests.machines import BOARD, GPU_NODE, LAPTOP, MACHINES, OLD_GPU, TPU_HOST

from runners.backends import all_backends, backend_names
from runners.machine.device import describe
from search.commands.cli.search_options import Space
from search.request.space_file import check_choices
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.number_formats import NUMBER_FORMATS
from spaces.search_space import SearchSpace
from spaces.space_document import all_techniques, make_space, preset_choices, preset_names

KIND = {
    "post-training": "a laptop",
    "cpu": "a laptop",
    "gpu": "a node of eight GPUs",
    "tpu": "a TPU host",
    "edge": "a phone-like board",
    "quick": "a laptop",
    "four-step": "a laptop",
    "full": "a node of eight GPUs",
}
"""The machine for which each preset is made."""


@cache
def machine(name: str) -> Environment:
    return describe(all_backends()) if name == "this machine" else MACHINES[name]


def space(preset: str, environment: Environment) -> SearchSpace:
    return make_space(preset_choices(preset), environment)


def drawn(preset: str, environment: Environment, name: str) -> set[object]:
    """The values of one choice that can run, whatever else is chosen."""
    found = space(preset, environment)
    (values,) = (axis.values for axis in found.axes if axis.name == name)
    off = {value for choice, value, _ in found.reasons() if choice == name}
    return set(values) - off


def test_every_preset_has_a_kind_of_machine() -> None:
    assert set(KIND) == set(preset_names())


def test_the_help_of_a_search_names_every_preset() -> None:
    (option,) = get_args(Space)[1:]
    assert all(re.search(rf"\b{name}\b", option.help) for name in preset_names())


def _takes_long(preset: str, place: str) -> bool:
    return preset == "full" and place not in (KIND["full"], "this machine")


@pytest.mark.parametrize(
    ("preset", "place"),
    [
        pytest.param(preset, place, marks=[pytest.mark.slow] * _takes_long(preset, place))
        for place in [*MACHINES, "this machine"]
        for preset in preset_names()
    ],
)
def test_what_a_preset_lists_runs_or_is_off_with_one_sentence(preset: str, place: str) -> None:
    environment = machine(place)
    found = space(preset, environment)
    off = {(name, value): reason for name, value, reason in found.reasons()}
    for reason in off.values():
        assert len(reason.split()) > 2, reason
        assert not re.search(r"\n|\.\s+[A-Z]|\.$", reason), reason
    for axis in found.axes:
        for value in axis.values:
            alone = {**preset_choices(preset), axis.name: [value]}
            if (axis.name, value) in off:
                continue
            configurations = make_space(alone, environment).configurations()
            assert any(c.get(axis.name, value) == value for c in islice(configurations, 1)), (axis.name, value)


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_has_candidates_on_its_kind_of_machine(preset: str) -> None:
    environment = machine(KIND[preset])
    found = space(preset, environment)
    baseline = found.baseline()
    candidates = [c for c in islice(found.configurations(), 2000) if c != baseline]
    assert len(candidates) >= 5
    assert len({c["runtime"] for c in candidates} | drawn(preset, environment, "runtime")) >= (
        1 if preset == "tpu" else 2
    )
    check_choices(preset_choices(preset))


def test_the_gpu_preset_offers_what_this_gpu_multiplies() -> None:
    assert drawn("gpu", GPU_NODE, "numeric_precision") == {"fp32", "tf32", "bf16", "fp16", "int8"}
    assert drawn("gpu", OLD_GPU, "numeric_precision") == {"fp32", "fp16", "int8"}
    assert drawn("gpu", GPU_NODE, "training_workers") == {1, 2, 4, 8}
    assert drawn("gpu", GPU_NODE, "compile_mode") == {"default", "max-autotune", "reduce-overhead"}
    for name in drawn("gpu", GPU_NODE, "runtime"):
        assert GPU_NODE.backends[str(name)].on_accelerator, f"{name} does not run on a GPU"
    reasons = {(name, value): reason for name, value, reason in space("gpu", LAPTOP).reasons()}
    assert "compute capability 8.0" in reasons["numeric_precision", "tf32"]


def test_every_runtime_that_can_compute_on_an_nvidia_gpu_is_in_the_gpu_preset() -> None:
    able = {name for name, facts in GPU_NODE.backends.items() if facts.on_accelerator and not facts.unsupported}
    assert set(preset_choices("gpu")["runtime"]) >= able


def test_the_tpu_preset_offers_the_formats_of_a_tpu() -> None:
    assert drawn("tpu", TPU_HOST, "numeric_precision") == {"fp32", "bf16"}
    assert all(TPU_HOST.backends[str(name)].on_accelerator for name in drawn("tpu", TPU_HOST, "runtime"))


def test_the_edge_preset_offers_few_bits_and_runtimes_for_boards() -> None:
    assert drawn("edge", BOARD, "numeric_precision") == {"fp32", "fp16", "int8", "int8_weight_only", "int4_weight_only"}
    assert drawn("edge", BOARD, "runtime") >= {"ncnn", "executorch", "onnxruntime"}
    assert "fp16" not in drawn("edge", LAPTOP, "numeric_precision")


def test_the_quick_preset_is_small_and_trains_one_network() -> None:
    configurations = list(space("quick", LAPTOP).configurations())
    assert 5 <= len(configurations) <= 16
    assert len({(c["student_width"], c["channel_pruning"]) for c in configurations} - {(1.0, 0.0)}) == 1


def test_the_full_preset_names_every_choice_and_every_value_there_is() -> None:
    parameters = {parameter.name for technique in all_techniques() for parameter in technique.parameters}
    assert set(preset_choices("full")) == parameters
    values = {axis.name: set(axis.values) for axis in space("full", GPU_NODE).axes}
    assert values["runtime"] == set(backend_names())
    assert values["numeric_precision"] == set(NUMBER_FORMATS)
    for axis in space("full", GPU_NODE).axes:
        assert set(axis.technique.choices(axis.parameter, GPU_NODE)) <= values[axis.name]


@pytest.mark.parametrize(
    "choices",
    [
        {"numeric_precision": ["tf32"]},
        {"numeric_precision": ["fp8", "nvfp4"]},
        {"numeric_precision": ["fp16", "tf32"], "runtime": ["openvino"]},
        {"numeric_precision": ["int4_weight_only"], "runtime": ["eager", "torchscript"]},
    ],
)
def test_a_space_of_formats_that_this_machine_lacks_is_refused_with_each_reason(choices: dict[str, object]) -> None:
    with pytest.raises(RequestError, match=r"nothing in this space can run here \(.*\); offer others") as refusal:
        make_space(choices, LAPTOP)
    for name in choices["numeric_precision"]:  # type: ignore[attr-defined]
        assert f"numeric_precision {name}: " in str(refusal.value)
    assert "\n" not in str(refusal.value)
