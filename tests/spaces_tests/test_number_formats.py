"""Each number format says what it needs of a machine, of its processor and of its accelerator apart."""

from dataclasses import replace

import pytest
from spaces_tests.environments import LAPTOP

from runners.backends import all_backends
from runners.lowering.agreement import TOLERANCES
from spaces.environment import BackendFacts, Environment
from spaces.number_formats import NUMBER_FORMATS
from spaces.space_document import make_space

GPU = replace(
    LAPTOP,
    cpu_flags=(),
    accelerators=1,
    accelerator="cuda",
    accelerator_bf16=True,
    accelerator_capability=(9, 0),
    backends={
        "eager": BackendFacts(tuple(NUMBER_FORMATS), on_accelerator=True),
        "openvino": BackendFacts(tuple(NUMBER_FORMATS)),
    },
)
"""A GPU beside a processor with nothing but fp32 and int8."""


def drawn(environment: Environment, *formats: str) -> set[tuple[object, object]]:
    space = make_space({"numeric_precision": ["fp32", *formats], "runtime": "all"}, environment)
    return {(found["numeric_precision"], found["runtime"]) for found in space.configurations()}


def test_the_default_formats_are_those_that_every_machine_may_have() -> None:
    (axis,) = (axis for axis in make_space({"numeric_precision": "all"}, GPU).axes if axis.name == "numeric_precision")
    assert axis.values == ("fp32", "bf16", "int8")
    assert axis.technique.every(axis.parameter, GPU) == tuple(NUMBER_FORMATS)


@pytest.mark.parametrize("name", ["bf16", "fp16", "tf32"])
def test_what_the_accelerator_alone_computes_is_drawn_with_runtimes_that_use_it(name: str) -> None:
    assert drawn(GPU, name) == {("fp32", "eager"), ("fp32", "openvino"), (name, "eager")}
    reason = NUMBER_FORMATS[name].unsupported_in("openvino", GPU)
    assert reason is not None
    assert reason.startswith(f"openvino computes {name} on the processor, and ")


@pytest.mark.parametrize(("name", "flag"), [("bf16", "amx_bf16"), ("fp16", "avx512_fp16"), ("fp16", "asimdhp")])
def test_what_the_processor_alone_computes_is_drawn_with_runtimes_that_stay_on_it(name: str, flag: str) -> None:
    old = replace(GPU, cpu_flags=(flag,), accelerator="meta", accelerator_bf16=False, accelerator_capability=())
    assert drawn(old, name) == {("fp32", "eager"), ("fp32", "openvino"), (name, "openvino")}


@pytest.mark.parametrize(
    ("name", "capability", "words"),
    [("tf32", (7, 5), "8.0"), ("fp8", (8, 6), "8.9"), ("nvfp4", (9, 0), "10.0")],
)
def test_an_older_gpu_lacks_a_format_and_the_reason_names_what_has_it(
    name: str, capability: tuple[int, int], words: str
) -> None:
    for machine in (replace(GPU, accelerator_capability=capability), LAPTOP, replace(GPU, accelerator_capability=())):
        reason = NUMBER_FORMATS[name].unsupported(machine)
        assert reason is not None
        assert reason.startswith(f"needs an NVIDIA GPU of compute capability {words} or higher")
    newer = replace(GPU, accelerator_capability=tuple(map(int, words.split("."))))
    assert NUMBER_FORMATS[name].unsupported(newer) is None


def test_tf32_is_no_choice_where_the_baseline_and_fp32_have_it() -> None:
    assert drawn(replace(GPU, baseline_tuned=True), "tf32") == {("fp32", "eager"), ("fp32", "openvino")}


TOOLS = replace(
    LAPTOP,
    missing={"nncf": "needs `pip install 'nncf'`"},
    backends={
        "onnxruntime": BackendFacts(tuple(NUMBER_FORMATS), quantiser="onnxruntime"),
        "openvino": BackendFacts(tuple(NUMBER_FORMATS), quantiser="nncf"),
        "tensorrt": BackendFacts(tuple(NUMBER_FORMATS)),
    },
)
"""A processor without NNCF, with a runtime that brings its own tool, and two that do not."""


@pytest.mark.parametrize("name", ["int8", "int8_weight_only", "int4_weight_only"])
def test_a_quantised_format_is_off_in_the_runtimes_whose_tool_is_missing_and_on_in_others(name: str) -> None:
    number_format = NUMBER_FORMATS[name]
    assert drawn(replace(TOOLS, missing={}), name) == {(name, runtime) for runtime in TOOLS.backends} | {
        ("fp32", runtime) for runtime in TOOLS.backends
    }
    assert number_format.unsupported(TOOLS) is None
    for runtime in ("openvino", "tensorrt"):
        assert number_format.unsupported_in(runtime, TOOLS) == f"{name} for {runtime} needs `pip install 'nncf'`"
    assert number_format.unsupported_in("onnxruntime", TOOLS) is None


@pytest.mark.parametrize("name", ["int8", "int8_weight_only", "int4_weight_only"])
def test_a_quantised_format_is_off_where_every_runtime_lacks_its_tool(name: str) -> None:
    backends = {
        "eager": BackendFacts(("fp32",)),
        "onnxruntime": replace(TOOLS.backends["onnxruntime"], unsupported="needs onnxruntime"),
        "openvino": TOOLS.backends["openvino"],
    }
    assert NUMBER_FORMATS[name].unsupported(replace(TOOLS, backends=backends)) == "needs `pip install 'nncf'`"


def test_a_runtime_that_quantises_itself_needs_no_other_tool_and_takes_no_network_tuned_with_quantisers() -> None:
    machine = replace(TOOLS, backends={**TOOLS.backends, "own": BackendFacts(("int8",), quantises=True)})
    assert NUMBER_FORMATS["int8"].unsupported_in("own", machine) is None
    ready = replace(machine, missing={})
    choices = {
        "numeric_precision": ["int8"],
        "runtime": ["own", "openvino"],
        "quantisation_aware_epochs": [0, 1],
        "float_share": [0.0, 0.1],
    }
    found = [
        (each["runtime"], each["quantisation_aware_epochs"], each.choices.get("float_share", 0.0))
        for each in make_space(choices, ready).configurations()
    ]
    assert sorted(found) == [("openvino", 0, 0.0), ("openvino", 0, 0.1), ("openvino", 1, 0.0), ("own", 0, 0.0)]


def test_a_runtime_says_what_its_library_lacks_for_a_format() -> None:
    facts = BackendFacts(("fp32",), lacks={"bf16": "its convolutions have no bf16"})
    machine = replace(GPU, backends={"own": facts})
    expected = "own does not support bf16 here: its convolutions have no bf16"
    assert NUMBER_FORMATS["bf16"].unsupported_in("own", machine) == expected
    assert NUMBER_FORMATS["int8"].unsupported_in("own", machine) == "own does not support int8 here"
    assert Environment.from_json(machine.to_json()) == machine


def test_every_runtime_says_why_it_lacks_a_format_that_is_offered_by_default() -> None:
    for backend in all_backends().values():
        if not {"tensorrt", "torch_tensorrt", "tpu"} & {backend.name}:  # these are off without their hardware
            lacking = {name for name, each in NUMBER_FORMATS.items() if each.by_default} - {*backend.precisions}
            assert lacking == set(backend.lacks), backend.name


def test_every_format_that_a_runtime_runs_has_a_row_and_a_bound_on_its_differences() -> None:
    run = {precision for backend in all_backends().values() for precision in backend.precisions}
    assert run <= set(NUMBER_FORMATS)
    assert run <= set(TOLERANCES)


def test_facts_of_accelerators_travel_as_json_and_an_older_study_has_none() -> None:
    assert Environment.from_json(GPU.to_json()) == GPU
    document = LAPTOP.to_json()
    del document["accelerator_capability"]
    for facts in document["backends"].values():
        del facts["on_accelerator"]
    assert Environment.from_json(document) == LAPTOP
