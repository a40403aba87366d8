"""Layers in floating point: by a share, or as many as accuracy control takes, which is NNCF's alone."""

import pytest
from spaces_tests.environments import LAPTOP

from spaces.configuration import Scalar
from spaces.plans import LoweringPlan
from spaces.space_document import make_space
from spaces.technique import Earlier
from spaces.techniques.sensitive_layers import CONTROL, SHARE, TECHNIQUE

BY_NAME = {parameter.name: parameter for parameter in TECHNIQUE.parameters}


@pytest.mark.parametrize(
    ("name", "value", "others", "why"),
    [
        (CONTROL, 0.01, {"runtime": "onnxruntime"}, "accuracy control is NNCF's alone"),
        (CONTROL, 0.01, {"runtime": "onnxruntime", "int8_quantiser": "nncf"}, None),
        (CONTROL, 0.01, {"runtime": "openvino", "int8_quantiser": "onnxruntime"}, "accuracy control is NNCF's alone"),
        (CONTROL, 0.01, {"runtime": "openvino", SHARE: 0.1}, "float_share has chosen"),
        (CONTROL, 0.01, {"runtime": "openvino", SHARE: 0.0}, None),
        (CONTROL, 0.0, {"runtime": "onnxruntime", SHARE: 0.1}, None),
        (SHARE, 0.1, {"runtime": "onnxruntime", "int8_quantiser": "onnxruntime-dynamic"}, "rounds inside of a layer"),
        (SHARE, 0.1, {"runtime": "onnxruntime"}, None),
    ],
)
def test_it_is_off_where_the_quantiser_has_no_such(
    name: str, value: float, others: dict[str, Scalar], why: str | None
) -> None:
    earlier = Earlier({"numeric_precision": "int8", **others}, model_changed=False)
    reason = TECHNIQUE.unsupported(BY_NAME[name], value, earlier, LAPTOP)
    assert reason is None if why is None else why in str(reason)


def test_what_is_chosen_becomes_a_setting_and_nothing_else_does() -> None:
    assert TECHNIQUE.apply(LoweringPlan(), {SHARE: 0.0, CONTROL: 0.0}, None) == LoweringPlan()
    chosen = TECHNIQUE.apply(LoweringPlan(), {SHARE: 0.0, CONTROL: 0.01}, None)
    assert chosen.quantisation == {"accuracy_control": 0.01}


def test_a_space_that_names_both_never_draws_both() -> None:
    choices = {"numeric_precision": ["int8"], "runtime": ["openvino"], SHARE: [0.0, 0.1], CONTROL: [0.0, 0.01]}
    drawn = [(each[SHARE], each[CONTROL]) for each in make_space(choices, LAPTOP).configurations()]
    assert sorted(drawn) == [(0.0, 0.0), (0.0, 0.01), (0.1, 0.0)]
