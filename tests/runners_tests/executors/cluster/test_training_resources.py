"""What trainings ask of a cluster where a person says so: how it is written, what is offered, where it runs."""

import json
from typing import Any

import pytest
from runners_tests.executors import runner_contract as contract
from runners_tests.executors.cluster.test_placement import Watched, at_one_time
from runners_tests.executors.cluster.test_placement import watched as watched  # a fixture

from runners.executors.cluster.node_size import NodeSize, at_most, in_words, ray_options
from runners.executors.cluster.training_resources import TrainingResources, read_training_resources
from runners.runner import StageTask
from spaces.environment import Environment
from spaces.errors import RequestError

GPUS = Environment(cpu_cores=8, accelerators=4, accelerator="cuda")
SMALL, LARGE = NodeSize(4, 1, 8.0, "T4", name="small"), NodeSize(8, 2, 24.0, "A10G", name="large")


def training(workers: int = 1, stage: str = "training") -> StageTask:
    return StageTask(stage, "a" * 64, {"workers": workers}, {}, "digits", 0, cpus=workers, gpus=workers)


def limits(environment: Environment) -> dict[int, str]:
    return {int(limit.choices["training_workers"]): limit.reason for limit in environment.model_limits}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, TrainingResources()),
        ("gpus=0.5", TrainingResources(0.5)),
        ("memory_gib=8, accelerator_type=A10G", TrainingResources(None, 8.0, "A10G")),
        ("gpus=2,memory_gib=1.5", TrainingResources(2.0, 1.5)),
    ],
)
def test_it_is_written_as_pairs(given: str | None, found: TrainingResources) -> None:
    assert read_training_resources(given) == found


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "give gpus=NUMBER, memory_gib=NUMBER"),
        ("gpu=1", "give gpus=NUMBER"),
        ("gpus=1,gpus=2", "give gpus=NUMBER"),
        ("accelerator_type=", "give gpus=NUMBER"),
        ("gpus=1.5", "a whole number, or a share below 1"),
        ("gpus=0", "gpus is '0'; give a number above 0"),
        ("memory_gib=8GiB", "memory_gib is '8GiB'; give a number above 0"),
        ("memory_gib=inf", "give a number above 0"),
    ],
)
def test_what_is_written_otherwise_is_refused(given: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        read_training_resources(given)


def test_what_trains_asks_for_it_once_for_each_worker_and_other_stages_do_not() -> None:
    resources = TrainingResources(0.5, 3.0, "A10G")
    asked = resources.added_to(training(workers=2))
    assert (asked.gpus, asked.memory_gib, asked.accelerator_type) == (1.0, 6.0, "A10G")
    assert ray_options(asked) == {"num_cpus": 2, "num_gpus": 1.0, "memory": 6 * 2**30, "accelerator_type": "A10G"}
    assert in_words(asked) == "2 CPUs and 1 GPU of type A10G and 6 GiB of memory"
    assert resources.added_to(training(stage="measuring")) == training(stage="measuring")
    assert TrainingResources().added_to(training(2)) == training(2)


def test_memory_and_type_are_never_less_than_asked_for() -> None:
    asked = TrainingResources(1.0, 10.0).added_to(training())
    assert not SMALL.holds(asked)
    assert LARGE.holds(asked)
    assert at_most(asked, [SMALL]) == asked
    assert not LARGE.holds(TrainingResources(accelerator_type="T4").added_to(training()))


def test_a_number_of_workers_that_no_node_holds_is_not_offered_and_the_reason_told() -> None:
    choices = {"training_workers": [1, 2, 4]}
    found = limits(TrainingResources(memory_gib=10.0).limited(GPUS, [SMALL, LARGE], choices))
    assert set(found) == {4}
    assert found[4].startswith("4 training workers ask for 4 CPUs and 4 GPUs and 40 GiB of memory, and no node of Ray")
    assert found[4].endswith("(the most memory of a node is 24 GiB)")
    assert set(limits(TrainingResources(0.5, 10.0).limited(GPUS, [SMALL, LARGE]))) == set(), "two fit, by default"
    assert TrainingResources().limited(GPUS, [], choices) == GPUS


@pytest.mark.parametrize(
    ("resources", "environment", "sentence"),
    [
        (TrainingResources(memory_gib=100.0), GPUS, "a training worker asks for 1 CPU and 1 GPU and 100 GiB of memory"),
        (TrainingResources(accelerator_type="H100"), GPUS, "types of accelerators there are A10G, T4"),
        (TrainingResources(gpus=0.5), Environment(cpu_cores=8), "has no accelerator, .*; leave gpus out"),
    ],
)
def test_where_not_one_worker_fits_the_request_is_refused(
    resources: TrainingResources, environment: Environment, sentence: str
) -> None:
    with pytest.raises(RequestError, match=f"--train-with: .*{sentence}"):
        resources.limited(environment, [SMALL, LARGE])


MEETING = """
import json, os, time
from pathlib import Path
from runners.workload import Workload
from runners.workloads.synthetic import make_network as plain, make_splits

TOLD = Path(__file__).parent / "told"


def make_network():
    \'\'\'Tells when and on which accelerator it was called, and waits until as many as ``together`` were called.\'\'\'
    begin, me = time.time(), TOLD / f"{os.getpid()}-{time.time_ns()}"
    me.with_suffix(".begun").touch()
    together = int(Path(__file__).with_name("together").read_text())
    while len([*TOLD.glob("*.begun")]) < together and time.time() < begin + 100:
        time.sleep(0.1)
    time.sleep(0.5)
    told = {"begin": begin, "end": time.time(), "devices": os.environ.get("CUDA_VISIBLE_DEVICES"), "node": "one"}
    me.with_suffix(".json").write_text(json.dumps(told))
    return plain()


WORKLOAD = Workload("meeting", make_network, make_splits, pretrained=True)
"""


def run_teachers(watched: Watched, train_with: str, together: int) -> list[dict[str, Any]]:
    """When and where two trainings of teachers ran, each of which waits until so many have begun."""
    from runners.executors.ray import RayRunner

    (watched.folder / "meeting.py").write_text(MEETING)
    (watched.folder / "together").write_text(str(together))
    reference, settings = str(watched.folder / "meeting.py"), {"plan": {}, "pretrained": True}
    tasks = [StageTask("teacher", f"{seed:064}", settings, {}, reference, seed, gpus=1) for seed in range(2)]
    with RayRunner(watched.folder / "store", watched.cluster.address, train_with=train_with) as runner:
        contract.check_every_task_comes_back_once(runner, tasks)
    return [json.loads(file.read_text()) for file in (watched.folder / "told").glob("*.json")]


@pytest.mark.slow
def test_trainings_that_ask_for_half_an_accelerator_run_on_one_at_one_time(watched: Watched) -> None:
    watched.cluster.add_node(num_cpus=2, num_gpus=1)
    told = run_teachers(watched, "gpus=0.5", together=2)
    assert [one["devices"] for one in told] == ["0", "0"]
    assert at_one_time(told)


@pytest.mark.slow
def test_trainings_for_which_a_node_has_not_the_memory_together_run_one_after_the_other(watched: Watched) -> None:
    watched.cluster.add_node(num_cpus=2, num_gpus=2, memory=4 * 2**30)
    told = run_teachers(watched, "memory_gib=3", together=1)
    assert len(told) == 2
    assert at_one_time([{**one, "devices": "any"} for one in told]) == []
