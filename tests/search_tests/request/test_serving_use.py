"""``--serve``: for which use all is timed, and what that means for the stages of a study."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import CHOICES, FACTS, MACHINE, Recording, table

from dashboards.baseline_text import baseline_text
from runners.chains.chain import Chains
from runners.chains.post_training import PostTrainingChains
from runners.serving.serving_plans import serving_plans
from search.commands.search import resume_search, run_search
from search.driver.baseline import offered_threads
from search.request.locations import Locations
from search.request.read_request import from_yaml, merge
from search.request.serving_use import ServingUse, parse_use, use_text
from spaces.errors import RequestError
from spaces.space_document import make_space

USE = ServingUse(batch=8, threads=2)


@pytest.mark.parametrize(
    ("given", "use"),
    [
        ("batch=8,threads=2", USE),
        (" threads = 2 , batch=8", USE),
        ({"batch": 8, "threads": 2}, USE),
        ("batch=1", ServingUse(batch=1)),
        ({"threads": 4}, ServingUse(threads=4)),
    ],
)
def test_a_use_is_a_text_or_a_mapping(given: object, use: ServingUse) -> None:
    assert parse_use(given) == use
    assert parse_use(use.to_json()) == use
    assert json.loads(json.dumps(use.to_json())) == use.to_json()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("8", "--serve '8': give batch=N, threads=N or both, such as batch=8,threads=2"),
        ("batch", "--serve batch: give batch=N"),
        ("batch=8,batch=9", "batch is given twice"),
        ("batch=0", "batch must be a whole number from 1 to 65536"),
        ("batch=many", "batch must be a whole number"),
        ("threads=-1", "threads must be a whole number from 1 to 1024"),
        ("thread=2", r"unknown key 'thread'; .* \(did you mean 'threads'\?\)"),
    ],
)
def test_a_wrong_use_is_one_sentence(given: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence) as refusal:
        merge({}, {"serve": given})
    assert "\n" not in str(refusal.value)


def test_in_a_study_file_a_wrong_number_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("trials: 3\nserve:\n  batch: 8\n  threads: two\n")
    with pytest.raises(RequestError, match=r"study.yaml:4: serve.threads two: threads must be a whole number"):
        from_yaml(file)
    file.write_text("serve: {batch: 8, threads: 2}\n")
    assert merge(from_yaml(file), {}).serve == USE
    assert merge(from_yaml(file), {"serve": "batch=4"}).serve == ServingUse(batch=4), "a flag overrides the file"


def test_the_threads_of_the_baseline_and_of_all_candidates_are_those_that_are_given() -> None:
    machine = USE.applied_to(MACHINE)
    space = make_space({"threads": "all", "runtime": "all", "replicas": "all"}, machine)
    assert {configuration["threads"] for configuration in space.configurations()} == {2}
    assert {configuration["replicas"] for configuration in space.configurations()} == {1}, "two would need four cores"
    assert space.baseline()["threads"] == 2
    assert offered_threads(space, {"threads": "all"}) == (2,)
    assert [(plan.replicas, plan.threads) for plan in serving_plans(space)] == [(1, 2)]
    left_out = make_space({"runtime": "all"}, machine)
    assert {configuration["threads"] for configuration in left_out.configurations()} == {2}


def test_other_threads_say_why_they_are_not_searched() -> None:
    space = make_space({"threads": [1, 2]}, USE.applied_to(MACHINE))
    assert ("threads", 1, "all is timed with 2 threads, as --serve asks for") in list(space.reasons())
    with pytest.raises(RequestError, match="as --serve asks for"):
        make_space({"threads": [1]}, USE.applied_to(MACHINE))


def test_more_threads_than_cores_are_refused_before_anything_runs() -> None:
    with pytest.raises(RequestError, match=r"^--serve threads=64: the machine that measures has 2 usable cores"):
        ServingUse(threads=64).applied_to(MACHINE)


@pytest.mark.parametrize("kind", [Chains, PostTrainingChains])
def test_every_timing_of_a_study_has_the_batch_and_no_stage_without_a_use(kind: Any) -> None:
    def timed(machine: Any) -> list[Any]:
        chains = kind(make_space({"runtime": "all", "threads": "all"}, machine), FACTS, "table", 0)
        chain = chains.chain(chains.space.baseline())
        tasks = [*chain, chains.calibrating("s", (2,)), chains.comparing({0: chains.space.baseline()}, 3)]
        return [task.settings for task in tasks if task.stage in ("measuring", "calibrating", "comparing")]

    assert {settings["batch"] for settings in timed(USE.applied_to(MACHINE))} == {8}
    assert all("batch" not in settings for settings in timed(ServingUse(threads=2).applied_to(MACHINE)))


def test_a_study_keeps_its_use_and_is_resumed_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, Any] = {"study": "s", "space": {**CHOICES, "threads": [1, 2]}, "trials": 2, "home": str(tmp_path)}
    runner = Recording(MACHINE, replace(FACTS, pretrained=True), table)
    document = run_search(merge({}, {**asked, "serve": "batch=8,threads=2"}), runner=runner)
    assert document["serve"] == {"batch": 8, "threads": 2}
    assert {member["configuration"]["threads"] for member in document["front"]} == {2}
    assert not runner.trained(), "of a model that comes with its weights, what needs no training is tried first"
    timed = [task.settings for task in runner.submitted if task.stage in ("measuring", "calibrating", "comparing")]
    assert {settings["batch"] for settings in timed if "speed" not in settings and "budget_s" in settings} == {8}
    assert "threads 1 is not searched: all is timed with 2 threads" in capsys.readouterr().err
    with pytest.raises(RequestError, match="exists with other settings: serve"):
        run_search(merge({}, asked), runner=Recording(MACHINE, replace(FACTS, pretrained=True), table))
    with pytest.MonkeyPatch.context() as patched:
        requests: list[Any] = []
        patched.setattr("search.commands.search.run_search", lambda request, **_: requests.append(request) or {})
        resume_search("s", Locations(tmp_path), trials=None, timeout=None)
    assert requests[0].serve == USE


def test_the_use_is_told_wherever_the_baseline_is() -> None:
    baseline = {"configuration": {"threads": 2}, "measurement": {"latency_p50_ms": 4.1, "batch": 8}}
    assert baseline_text(baseline) == "PyTorch eager, fp32, 2 threads, batch 8, 4.1 ms"
    assert use_text(USE.to_json()) == "8 inputs a call, on 2 threads"
    assert use_text(None) == "1 input a call, on as many threads as a candidate says"
