"""Settings of a training and of its levels come back from JSON as they were."""

import json

import pytest

from runners.training.settings import Level, TrainingSettings
from spaces.environment import Environment
from spaces.plans import TrainingPlan

PLAN = TrainingPlan(epochs=5, workers=2, distillation_weight=0.5)
PROCESSOR = Environment(cpu_cores=2, cpu_flags=("amx_bf16",))
VECTORS_ALONE = Environment(cpu_cores=2, cpu_flags=("avx512_bf16",))
ACCELERATOR = Environment(cpu_cores=2, cpu_flags=("amx_bf16",), accelerators=1, accelerator="cuda")


@pytest.mark.parametrize(("machine", "autocast"), [(PROCESSOR, "bf16"), (VECTORS_ALONE, "fp32"), (ACCELERATOR, "fp32")])
def test_a_level_comes_back_from_json_and_an_accelerator_is_told_where_there_is_one(
    machine: Environment, autocast: str
) -> None:
    level = Level(TrainingSettings.on(machine, PLAN), range(1, 3), seed=7)
    written = json.loads(json.dumps(level.to_json()))
    assert (written["autocast"], written["from_epoch"], written["to_epoch"]) == (autocast, 1, 3)
    assert ("accelerator" in written) == bool(machine.accelerators)
    assert Level.from_json(written, seed=7) == level


def test_a_whole_training_is_all_epochs_of_the_plan() -> None:
    assert Level.whole(TrainingSettings(PLAN), seed=0).epochs == range(5)
