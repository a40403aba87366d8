"""Options of a runtime are drawn for the runtimes that take them, and only where they change anything."""

from dataclasses import replace

import pytest
from spaces_tests.environments import LAPTOP

from spaces.environment import BackendFacts, Environment
from spaces.space_document import find_technique, make_space
from spaces.technique import Earlier

MACHINE = replace(
    LAPTOP,
    backends={
        "eager": BackendFacts(("fp32",), takes=("memory_format", "batch_norm_folding")),
        "inductor": BackendFacts(("fp32",), takes=("compile_mode",)),
        "onnxruntime": BackendFacts(("fp32",)),
    },
)
ASKED = {
    "runtime": "all",
    "memory_format": "all",
    "batch_norm_folding": "all",
    "compile_mode": "all",
}


def drawn(machine: Environment) -> set[tuple[object, ...]]:
    found = make_space(ASKED, machine).configurations()
    return {tuple(one.get(name) for name in ASKED) for one in found}


def test_each_is_drawn_for_the_runtimes_that_take_it() -> None:
    eager = {("eager", layout, fold, None) for layout in ("contiguous", "channels_last") for fold in (False, True)}
    compiled = {("inductor", None, None, mode) for mode in ("default", "max-autotune")}
    assert drawn(MACHINE) == {*eager, *compiled, ("onnxruntime", None, None, None)}


def test_cuda_graphs_are_drawn_with_an_nvidia_gpu_alone_and_the_reason_is_told() -> None:
    graphs = ("inductor", None, None, "reduce-overhead")
    assert graphs in drawn(replace(MACHINE, accelerators=1, accelerator="cuda"))
    assert graphs not in drawn(replace(MACHINE, accelerators=1, accelerator="xpu"))
    reasons = {value: reason for name, value, reason in make_space(ASKED, MACHINE).reasons() if name == "compile_mode"}
    assert reasons == {"reduce-overhead": "reduce-overhead uses CUDA graphs, and changes nothing without an NVIDIA GPU"}


@pytest.mark.parametrize("name", ["memory_format", "batch_norm_folding", "compile_mode"])
def test_a_space_that_does_not_name_them_has_none(name: str) -> None:
    assert all(name not in one for one in make_space({"runtime": "all"}, MACHINE).configurations())


def test_the_machine_keeps_them_on_its_way_through_json() -> None:
    assert Environment.from_json(MACHINE.to_json()).backends == MACHINE.backends


@pytest.mark.parametrize(
    ("flags", "precision", "zeros", "said"),
    [
        (("amx_int8",), "int8", 0.8, None),
        (("avx512_vnni",), "int8", 0.8, "needs a CPU with AMX"),
        (("amx_int8",), "fp32", 0.8, "is for int8"),
        (("amx_int8",), "int8", 0.0, "fewer than 50% of the weights are zero"),
    ],
)
def test_sparse_weights_are_unpacked_by_openvino_on_amx_in_int8(
    flags: tuple[str, ...], precision: str, zeros: float, said: str | None
) -> None:
    technique = find_technique("sparse_decompression")
    earlier = Earlier({"numeric_precision": precision, "weight_sparsity": zeros}, model_changed=True)
    reason = technique.unsupported(technique.parameters[0], True, earlier, Environment(cpu_flags=flags))
    assert reason is None if said is None else said in str(reason)


@pytest.mark.parametrize(("clusters", "folds"), [(0, {False, True}), (16, {False})])
def test_what_shared_weights_have_folded_is_not_folded_again(clusters: int, folds: set[bool]) -> None:
    asked = {"runtime": "eager", "batch_norm_folding": [False, True], "weight_clusters": [clusters]}
    assert {one["batch_norm_folding"] for one in make_space(asked, MACHINE).configurations()} == folds
