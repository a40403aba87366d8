"""A training plan refuses what it does not allow in one sentence, and its optimiser brings its usual values."""

from dataclasses import fields

import pytest

from runners.workload_loading.image_settings import settings_schema
from spaces.errors import RequestError
from spaces.plans import FIELD_SCHEMAS, TrainingPlan


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 0}, "training: epochs is 0; give a whole number from 1"),
        ({"epochs": 2.5}, "training: epochs is 2.5; give a whole number from 1"),
        ({"batch_size": True}, "training: batch_size is True; give a whole number from 1"),
        ({"learning_rate": 0}, "training: learning_rate is 0; give a number above 0"),
        ({"learning_rate": float("nan")}, "training: learning_rate is nan; give a number above 0"),
        ({"weight_decay": -1}, "training: weight_decay is -1; give a number from 0"),
        ({"optimiser": "adam"}, "training: optimiser is 'adam'; give one of sgd, adamw"),
        ({"optimiser": ["sgd"]}, r"training: optimiser is \['sgd'\]; give one of sgd, adamw"),
        ({"schedule": "linear"}, "training: schedule is 'linear'; give one of one-cycle, cosine"),
        ({"warmup": 1}, "training: warmup is 1; give a number from 0 to below 1"),
        ({"label_smoothing": "0.1"}, "training: label_smoothing is '0.1'; give a number from 0 to below 1"),
        ({"mixup": -0.2}, "training: mixup is -0.2; give a number from 0"),
        ({"gradient_clipping": None}, "training: gradient_clipping is None; give a number from 0"),
        ({"accumulation": 0}, "training: accumulation is 0; give a whole number from 1"),
        ({"ema": 1.0}, "training: ema is 1.0; give a number from 0 to below 1"),
        ({"epochs": 10**400, "ema": float("inf")}, "training: ema is inf; give a number from 0 to below 1"),
        ({"distillation_weight": 1.1}, "training: distillation_weight is 1.1; give a number from 0 to 1"),
    ],
)
def test_a_value_that_is_not_allowed_is_told_with_what_is(given: dict[str, object], said: str) -> None:
    with pytest.raises(RequestError, match=f"^{said}$"):
        TrainingPlan(**given)  # type: ignore[arg-type]


def test_the_learning_rate_and_the_weight_decay_are_the_usual_ones_of_the_optimiser() -> None:
    sgd, adamw = TrainingPlan(), TrainingPlan(optimiser="adamw")
    assert (sgd.learning_rate, sgd.weight_decay) == (0.2, 5e-4)
    assert (adamw.learning_rate, adamw.weight_decay) == (1e-3, 0.05)
    assert TrainingPlan(optimiser="adamw", learning_rate=0.01).learning_rate == 0.01


def test_every_field_has_a_schema_and_a_study_file_shows_the_same() -> None:
    assert set(FIELD_SCHEMAS) == {field.name for field in fields(TrainingPlan)}
    shown = settings_schema()["properties"]["training"]["properties"]
    assert shown == {name: FIELD_SCHEMAS[name] for name in shown}
    assert {"optimiser", "warmup", "ema"} < set(shown)
