"""Which strategies of training are offered with which workers, and what else is drawn only beside them."""

from typing import Any

import pytest

from spaces.environment import Environment
from spaces.space_document import find_technique
from spaces.technique import Earlier

TWO_GPUS = Environment(cpu_cores=8, accelerators=2, accelerator="cuda", training_batch=32)
CORES = Environment(cpu_cores=8, training_batch=32)


def reason(value: str, environment: Environment = CORES, **choices: Any) -> str | None:
    technique = find_technique("training_strategy")
    earlier = Earlier({"training_workers": 2, **choices}, model_changed=True)
    return technique.unsupported(technique.parameters[0], value, earlier, environment)


@pytest.mark.parametrize("strategy", ["data-tensor", "data-pipeline"])
def test_pairs_need_two_pairs_at_least(strategy: str) -> None:
    for workers in (2, 3, 5):
        assert "pairs, two pairs at least" in str(reason(strategy, training_workers=workers))
    assert reason(strategy, training_workers=4) is None


def test_threads_need_an_accelerator_each() -> None:
    assert "several accelerators of one process, and this machine has 0" in str(reason("data-parallel-threads"))
    assert reason("data-parallel-threads", TWO_GPUS) is None
    assert "this machine has 2" in str(reason("data-parallel-threads", TWO_GPUS, training_workers=3))


@pytest.mark.parametrize("choices", [{"accumulation": 2}, {"trainable": 0.5}, {"distillation_method": "features"}])
def test_a_pipeline_excludes_what_its_stages_cannot_do(choices: dict[str, Any]) -> None:
    assert reason("pipeline", **choices)
    assert reason("sharded", **choices) is None


def test_workers_have_a_core_and_an_accelerator_each() -> None:
    technique = find_technique("data_parallel")
    (workers,) = technique.parameters
    earlier = Earlier({}, model_changed=True)
    assert technique.unsupported(workers, 2, earlier, TWO_GPUS) is None
    assert "need an accelerator each, and there are 2" in str(technique.unsupported(workers, 3, earlier, TWO_GPUS))
    assert "need 9 cores, and there are 8" in str(technique.unsupported(workers, 9, earlier, CORES))


def test_what_belongs_to_a_strategy_is_drawn_beside_it_alone() -> None:
    names = {"worker_pipeline": "pipeline", "worker_batch_norm": "sharded", "worker_communication": "data-parallel"}
    for name, strategy in names.items():
        technique = find_technique(name)
        parameter = technique.parameters[0]
        several = Earlier({"training_workers": 2, "training_strategy": strategy}, model_changed=True)
        alone = Earlier({"training_workers": 1, "training_strategy": strategy}, model_changed=True)
        assert technique.relevant(parameter, several, CORES)
        assert not technique.relevant(parameter, alone, CORES)
    communication = find_technique("worker_communication")
    tensor = Earlier({"training_workers": 2, "training_strategy": "tensor-parallel"}, model_changed=True)
    assert "send no gradients" in str(communication.unsupported(communication.parameters[0], "bf16", tensor, CORES))
