"""The choices of int8: drawn only where they change anything, and off with a reason where a quantiser has no such."""

from dataclasses import replace

from spaces_tests.environments import LAPTOP

from spaces.configuration import Configuration, Scalar
from spaces.plans import LoweringPlan
from spaces.space_document import make_space
from spaces.technique import Earlier
from spaces.techniques.int8_quantisation import CALIBRATED, EXAMPLES, SETTINGS, TECHNIQUE

BY_NAME = {parameter.name: parameter for parameter in TECHNIQUE.parameters}


def after(runtime: str, **others: Scalar) -> Earlier:
    return Earlier({"numeric_precision": "int8", "runtime": runtime, **others}, False)


def offered(name: str, earlier: Earlier) -> list[Scalar]:
    if not TECHNIQUE.relevant(BY_NAME[name], earlier, LAPTOP):
        return []
    values = BY_NAME[name].choices
    return [value for value in values if TECHNIQUE.unsupported(BY_NAME[name], value, earlier, LAPTOP) is None]


def test_nothing_is_drawn_where_nothing_is_quantised() -> None:
    fp32, tuned = Earlier({"numeric_precision": "fp32", "runtime": "openvino"}, False), {"quantisation_aware_epochs": 1}
    for earlier in (fp32, after("eager"), after("openvino", **tuned)):
        assert not any(offered(name, earlier) for name in SETTINGS)


def test_each_runtime_is_offered_the_other_quantiser_and_not_its_own_under_two_names() -> None:
    assert offered("int8_quantiser", after("openvino")) == ["default", "onnxruntime"]
    assert offered("int8_quantiser", after("onnxruntime")) == ["default", "nncf", "onnxruntime-dynamic"]


def test_a_quantiser_that_is_not_installed_is_off_with_how_to_install_it() -> None:
    bare = replace(LAPTOP, missing={"nncf": "needs `pip install 'nncf'`"})
    quantiser = BY_NAME["int8_quantiser"]
    assert TECHNIQUE.unsupported(quantiser, "nncf", after("onnxruntime"), bare) == "needs `pip install 'nncf'`"
    assert TECHNIQUE.unsupported(quantiser, "onnxruntime-dynamic", after("onnxruntime"), bare) is None


def test_range_estimators_are_those_of_the_quantiser() -> None:
    assert offered("int8_range", after("openvino")) == ["default", "min-max", "percentile", "histogram"]
    of_ort = ["default", "mean-min-max", "percentile", "entropy"]
    assert offered("int8_range", after("onnxruntime")) == of_ort
    assert offered("int8_range", after("openvino", int8_quantiser="onnxruntime")) == of_ort


def test_what_is_found_at_each_call_is_not_calibrated() -> None:
    earlier = after("onnxruntime", int8_quantiser="onnxruntime-dynamic")
    assert {name for name in SETTINGS if not offered(name, earlier)} == set(CALIBRATED)


def test_every_reason_names_the_quantiser() -> None:
    space = make_space({"numeric_precision": "all", "runtime": "all", **dict.fromkeys(SETTINGS, "all")}, LAPTOP)
    earlier = after("onnxruntime")
    for axis in space.axes:
        if axis.name in SETTINGS:
            reasons = [axis.reason(value, earlier, LAPTOP) for value in axis.values]
            assert all(reason is None or reason.startswith(("ONNX Runtime", "onnxruntime")) for reason in reasons)


def test_only_what_differs_from_the_default_is_set() -> None:
    neutral = {name: BY_NAME[name].neutral for name in SETTINGS}
    assert TECHNIQUE.apply(LoweringPlan(), neutral, None) == LoweringPlan()
    chosen = {**neutral, "int8_examples": 32, "int8_range": "percentile", "int8_reduced_range": True}
    expected = {"images": 32, "range": "percentile", "reduced_range": True}
    assert TECHNIQUE.apply(LoweringPlan(), chosen, None).quantisation == expected


def test_a_number_of_examples_is_a_whole_number_from_one() -> None:
    examples = BY_NAME["int8_examples"]
    assert [value for value in (1, EXAMPLES, 7.5, 0, True, "8") if TECHNIQUE.accepts(examples, value)] == [1, EXAMPLES]


def test_a_space_that_names_them_draws_each_configuration_once() -> None:
    space = make_space({"numeric_precision": "all", "runtime": ["openvino"], "int8_range": "all"}, LAPTOP)
    drawn = list(space.configurations())
    assert len(set(map(Configuration.canonical, drawn))) == len(drawn) == 2 + 4
