"""Chains of stages: what shares work, and what each stage asks for."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from spaces_tests.environments import ENVIRONMENTS

from runners.chains.chain import Chains
from runners.chains.post_training import PostTrainingChains
from runners.runner import StageTask, WorkloadFacts
from spaces.axis import Axis
from spaces.configuration import Configuration, Scalar
from spaces.environment import BackendFacts, Environment
from spaces.model_context import ModelContext
from spaces.search_space import SearchSpace
from spaces.space_document import all_techniques, make_space
from spaces.steps import Change, Step, Train
from spaces.technique import Parameter, Stage, Technique

FACTS = WorkloadFacts("digits", "f" * 64, training={"epochs": 3})
MACHINE = Environment(
    cpu_cores=4,
    cpu_flags=("amx_bf16",),
    backends={
        "eager": BackendFacts(("fp32", "bf16")),
        "onnxruntime": BackendFacts(("fp32", "int8")),
        "openvino": BackendFacts(("fp32", "bf16", "int8")),
    },
)


@pytest.fixture
def chains() -> Chains:
    everything = {
        p.name: "all" for technique in all_techniques() for p in technique.parameters if not p.only_where_named
    }
    return Chains(make_space(everything, MACHINE), FACTS, "digits", seed=0)


def _candidate(chains: Chains, **choices: object) -> Configuration:
    return Configuration({**chains.space.baseline(), **choices})  # type: ignore[arg-type]


def _stages(tasks: tuple[StageTask, ...]) -> list[str]:
    return [task.stage for task in tasks]


def test_the_baseline_is_the_teacher_lowered_and_measured(chains: Chains) -> None:
    assert _stages(chains.chain(chains.space.baseline())) == ["teacher", "lowering", "measuring"]


def test_a_candidate_with_everything_has_every_stage(chains: Chains) -> None:
    candidate = _candidate(
        chains,
        student_width=0.5,
        channel_pruning=0.5,
        distillation_weight=0.9,
        distillation_temperature=4.0,
        training_workers=2,
        numeric_precision="int8",
        runtime="openvino",
    )
    tasks = chains.chain(candidate)
    assert _stages(tasks) == [
        *("teacher", "transforming", "transforming", "soft_targets", "training"),
        *("quantising", "lowering", "measuring"),
    ]
    training = tasks[4]
    assert training.settings["distillation_temperature"] == 4.0
    assert training.settings["workers"] == 2
    assert training.settings["epochs"] == 3
    assert training.cpus == 2
    assert training.inputs["teacher"] == tasks[0].key


def test_every_stage_reads_only_earlier_ones(chains: Chains) -> None:
    for candidate in list(chains.space.configurations())[::97]:
        known: set[str] = set()
        for task in chains.chain(candidate):
            assert set(task.inputs.values()) <= known
            known.add(task.key)


def test_candidates_that_share_a_student_train_it_once(chains: Chains) -> None:
    keys = set()
    for width in (0.75, 0.5, 0.25):
        for precision, runtime in (
            ("fp32", "eager"),
            ("fp32", "openvino"),
            ("bf16", "openvino"),
            ("int8", "openvino"),
            ("int8", "onnxruntime"),
        ):
            candidate = _candidate(
                chains,
                student_width=width,
                distillation_weight=0.0,
                training_workers=1,
                numeric_precision=precision,
                runtime=runtime,
            )
            keys |= {task.key for task in chains.chain(candidate) if task.stage == "training"}
    assert len(keys) == 3


def test_a_measurement_has_the_machine_to_itself(chains: Chains) -> None:
    measuring = chains.chain(chains.space.baseline())[-1]
    assert measuring.exclusive
    assert measuring.cpus == MACHINE.cpu_cores


@pytest.mark.parametrize(
    ("own", "choice", "field", "wanted"),
    [
        ({"workers": 2}, {"training_workers": 2}, "workers", 2),
        ({"workers": 2}, {"training_workers": 1}, "workers", 1),
        ({"distillation_weight": 0.5}, {"distillation_weight": 0.5}, "distillation_weight", 0.5),
        ({"distillation_weight": 0.5}, {"distillation_weight": 0.0}, "distillation_weight", 0.0),
    ],
)
def test_a_choice_wins_over_the_plan_of_the_workload(
    own: dict[str, Any], choice: dict[str, Any], field: str, wanted: float
) -> None:
    space = make_space({**dict.fromkeys(choice, "all"), "student_width": [0.5]}, MACHINE)
    chains = Chains(space, replace(FACTS, training={"epochs": 3, **own}), "digits", 0)
    candidate = Configuration({**space.baseline(), "student_width": 0.5, **choice})
    training = next(task for task in chains.chain(candidate) if task.stage == "training")
    assert training.settings[field] == wanted


def test_training_asks_for_accelerators_where_there_are_some() -> None:
    space = make_space(
        {"training_workers": [2], "student_width": [0.5]}, replace(MACHINE, accelerators=2, accelerator="cuda")
    )
    chains = Chains(space, FACTS, "digits", 0)
    candidate = Configuration({**space.baseline(), "student_width": 0.5, "training_workers": 2})
    gpus = {task.stage: task.gpus for task in chains.chain(candidate)}
    assert gpus == {"teacher": 1, "transforming": 0, "training": 2, "lowering": 0, "measuring": 1}


def test_evaluating_an_artifact_asks_for_an_accelerator_as_measuring_does() -> None:
    space = make_space({"runtime": ["eager"]}, replace(MACHINE, accelerators=2, accelerator="cuda"))
    chain = PostTrainingChains(space, replace(FACTS, pretrained=True), "digits", 0).chain(space.baseline())
    assert {t.stage: t.gpus for t in chain} == {"teacher": 1, "lowering": 0, "evaluating": 1, "measuring": 1}


def test_weights_from_an_accelerator_are_not_taken_for_those_from_a_processor() -> None:
    machines = [
        replace(MACHINE, cpu_flags=("amx_bf16",)),
        replace(MACHINE, cpu_flags=("amx_bf16",), accelerators=1, accelerator="cuda"),
        replace(MACHINE, cpu_flags=(), accelerators=1, accelerator="cuda", accelerator_bf16=True),
    ]
    spaces = [make_space({"student_width": [0.5]}, machine) for machine in machines]
    chains = [
        Chains(space, FACTS, "digits", 0).chain(Configuration({**space.baseline(), "student_width": 0.5}))
        for space in spaces
    ]
    for stage, settings in (("teacher", lambda task: task.settings["plan"]), ("training", lambda task: task.settings)):
        tasks = [next(task for task in chain if task.stage == stage) for chain in chains]
        assert len({task.key for task in tasks}) == 3
        assert [settings(task)["autocast"] for task in tasks] == ["bf16", "fp32", "bf16"]


def test_the_final_measurement_is_another_than_the_one_in_the_search(chains: Chains) -> None:
    baseline = chains.space.baseline()
    searched, final, later = chains.chain(baseline)[-1], chains.final(baseline, 20), chains.final(baseline, 40)
    assert final.settings["splits"] == ["train", "validation", "test"]
    assert searched.settings["splits"] == ["validation"]
    assert len({searched.key, final.key, later.key}) == 3
    assert final.inputs == searched.inputs


def test_a_member_whose_speed_is_known_is_only_evaluated_finally_and_others_beside_it(chains: Chains) -> None:
    baseline = chains.space.baseline()
    searched, final = chains.chain(baseline)[-1], chains.final(baseline, 20, measured="a" * 64)
    assert final.inputs == {"parent": searched.inputs["parent"], "speed": "a" * 64}
    assert final.settings["splits"] == ["train", "validation", "test"]
    assert "budget_s" not in final.settings
    assert not final.exclusive
    assert final.cpus == searched.settings["serving"]["threads"]
    assert final.key != chains.final(baseline, 20, occasion=1, measured="a" * 64).key


def test_a_front_is_timed_in_one_stage_that_reads_what_its_members_were_lowered_to(chains: Chains) -> None:
    baseline = chains.space.baseline()
    other = next(candidate for candidate in chains.space.configurations() if candidate != baseline)
    task = chains.comparing({0: baseline, 7: other}, 20)
    assert task.exclusive
    assert task.inputs == {
        "teacher": chains.chain(baseline)[0].key,
        "trial 0": chains.chain(baseline)[-2].key,
        "trial 7": chains.chain(other)[-2].key,
    }
    assert task.key != chains.comparing({0: baseline, 7: other}, 20, occasion=1).key


def test_each_study_is_calibrated_for_itself(chains: Chains) -> None:
    first, second = chains.calibrating("first", [1]), chains.calibrating("second", [1])
    assert first.exclusive
    assert first.key != second.key


def _in_levels(chains: Chains, *ends: int) -> Chains:
    return replace(chains, rungs=lambda epochs: ends)


def _trainings(tasks: tuple[StageTask, ...]) -> list[StageTask]:
    return [task for task in tasks if task.stage == "training"]


def test_each_level_is_a_stage_after_the_one_before(chains: Chains) -> None:
    tasks = _in_levels(chains, 1, 2, 3).chain(_candidate(chains, student_width=0.5))
    levels = _trainings(tasks)
    assert [(task.settings["from_epoch"], task.settings["to_epoch"]) for task in levels] == [(0, 1), (1, 2), (2, 3)]
    parents = [tasks[1], *levels]
    assert [task.inputs["parent"] for task in levels] == [task.key for task in parents[:-1]]
    assert tasks[-2].inputs["parent"] == levels[-1].key
    assert all(task.settings["epochs"] == 3 for task in levels), "the schedule spans all levels"


def test_a_level_does_not_depend_on_how_many_come_after_but_on_the_whole_plan(chains: Chains) -> None:
    candidate = _candidate(chains, student_width=0.5)
    first, second = (_trainings(_in_levels(chains, *ends).chain(candidate)) for ends in ((1, 2, 3), (1, 3)))
    assert first[0].key == second[0].key
    assert first[-1].key != second[-1].key
    longer = replace(_in_levels(chains, 1, 4), facts=replace(FACTS, training={"epochs": 4}))
    assert _trainings(longer.chain(candidate))[0].key != first[0].key


@pytest.mark.parametrize("ends", [(1, 2), (2, 2, 3), (0, 3), (3, 1, 3)])
def test_levels_that_do_not_rise_to_the_last_epoch_are_our_mistake(chains: Chains, ends: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError, match="the levels"):
        _in_levels(chains, *ends).chain(_candidate(chains, student_width=0.5))


def test_a_candidate_is_screened_without_training_from_the_same_network(chains: Chains) -> None:
    candidate = _candidate(chains, student_width=0.5, numeric_precision="int8", runtime="openvino")
    screening, chain = chains.screening(candidate), chains.chain(candidate, screened=True)
    assert _stages(screening) == ["teacher", "transforming", "settling", "quantising", "lowering", "measuring"]
    assert screening[:2] == chain[:2], "shared"
    assert screening[-1].settings["splits"] == []
    assert screening[-2].settings == chain[-2].settings
    assert screening[3].settings == {**chain[-3].settings, "images": 16}, "calibrated on fewer images"
    assert chain[-4].stage == "training", "gives the network that is quantised"
    assert chain[-1].inputs == {"parent": chain[-2].key, "network": chain[-4].key, "speed": screening[-1].key}
    assert chain[:-1] == chains.chain(candidate)[:-1], "the two forms differ in the last stage alone"


def test_candidates_that_differ_in_training_alone_are_screened_once(chains: Chains) -> None:
    keys = {
        chains.screening(_candidate(chains, student_width=0.5, distillation_weight=w, training_workers=n))[-1].key
        for w in (0.0, 0.9)
        for n in (1, 2)
    }
    assert len(keys) == 1


def test_where_nothing_is_trained_there_is_nothing_to_screen(chains: Chains) -> None:
    candidate = _candidate(chains, numeric_precision="int8", runtime="openvino")
    assert chains.screening(candidate) == ()
    assert chains.chain(candidate, screened=True) == chains.chain(candidate)


class EarlyExit(Technique):
    """Stops early on easy images, so only the trained weights tell how long it takes."""

    name = "early_exit"
    stage = Stage.PRUNE
    parameters = (Parameter("early_exit", (0, 1), 0, "0 or 1"),)
    speed_depends_on_weights = True

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject


class Undeclared(EarlyExit):
    """Broken: does not say so, and is timed untrained."""

    speed_depends_on_weights = False


@pytest.mark.parametrize(
    ("technique", "screened"),
    [(EarlyExit, False), (Undeclared, True)],
)
def test_a_technique_whose_speed_depends_on_the_weights_is_not_screened(
    technique: Callable[[], Technique], screened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.stage_keys.stage_code", lambda *given: "its file is no technique's")
    one = technique()
    space = SearchSpace((Axis(one, one.parameters[0], (0, 1)),), MACHINE)
    chains = Chains(space, FACTS, "digits", 0)
    candidate = Configuration({"early_exit": 1})
    assert bool(chains.screening(candidate)) == screened
    assert ("speed" in chains.chain(candidate, screened=True)[-1].inputs) == screened


class Iterative(Technique):
    """Cuts a network in steps, and trains it between them."""

    name = "iterative"
    stage = Stage.PRUNE
    parameters = (Parameter("cuts", (0, 1, 2, 3), 0, "0 to 3"),)

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        first, *others = (Change({"cut": number}) for number in range(int(settings["cuts"])))
        return (first, *(step for change in others for step in (Train(2), change)))

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject


class AfterTraining(Iterative):
    """Does so once the network is trained, and trains it on."""

    name = "after_training"
    stage = Stage.QUANTISE
    changes_network = True  # type: ignore[assignment]
    parameters = (Parameter("tuned", (0, 1), 0, "0 or 1"),)

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        return (Change(settings), Train(1))


@pytest.fixture
def stepwise(monkeypatch: pytest.MonkeyPatch) -> Chains:
    """Chains of the two techniques above."""
    monkeypatch.setattr("runners.stage_keys.stage_code", lambda *given: "its file is no technique's")
    one, other = Iterative(), AfterTraining()
    axes = Axis(one, one.parameters[0], (0, 1, 2, 3)), Axis(other, other.parameters[0], (0, 1))
    return Chains(SearchSpace(axes, MACHINE), FACTS, "digits", 0, lambda epochs: (1, epochs))


def test_a_technique_goes_back_and_forth_between_changing_and_training(stepwise: Chains) -> None:
    tasks = stepwise.chain(Configuration({"cuts": 2, "tuned": 1}))
    changed = [(task.stage, task.settings.get("cut", task.settings.get("to_epoch"))) for task in tasks[1:6]]
    assert changed == [
        ("transforming", 0),
        ("fine_tuning", 2),
        ("transforming", 1),
        ("training", 1),
        ("training", 3),
    ]
    assert _stages(tasks[6:]) == ["transforming", "fine_tuning", "lowering", "measuring"]
    assert tasks[6].settings == {"technique": "after_training", "tuned": 1}
    for before, task in itertools.pairwise(tasks[:-1]):
        assert task.inputs["parent"] == before.key


def test_candidates_share_the_steps_with_which_they_begin(stepwise: Chains) -> None:
    two, three = (stepwise.chain(Configuration({"cuts": cuts, "tuned": 0})) for cuts in (2, 3))
    assert [task.key for task in two[:4]] == [task.key for task in three[:4]]
    assert two[4].stage == "training"
    assert three[4].stage == "fine_tuning"


def test_what_is_only_timed_is_changed_and_not_trained_between_the_changes(stepwise: Chains) -> None:
    screening = stepwise.screening(Configuration({"cuts": 3, "tuned": 1}))
    stages = ["teacher", *["transforming"] * 3, "settling", "transforming", "lowering", "measuring"]
    assert _stages(screening) == stages, "new weights are settled where others are trained"
    alone = stepwise.screening(Configuration({"cuts": 0, "tuned": 1}))
    assert _stages(alone) == ["teacher", "transforming", "lowering", "measuring"]


def test_the_teacher_itself_is_changed_after_its_training_and_trained_on(stepwise: Chains) -> None:
    chain = stepwise.chain(Configuration({"cuts": 0, "tuned": 1}))
    assert _stages(chain) == ["teacher", "transforming", "fine_tuning", "lowering", "measuring"]


@pytest.fixture
def aware() -> Chains:
    """Chains of a space with quantisation-aware training."""
    space = make_space(
        {
            "student_width": [1.0, 0.5],
            "numeric_precision": ["fp32", "int8"],
            "quantisation_aware_epochs": [0, 2],
            "runtime": ["eager", "onnxruntime", "openvino"],
        },
        MACHINE,
    )
    return Chains(space, FACTS, "digits", seed=0)


def _aware(chains: Chains, **choices: object) -> Configuration:
    point = {"numeric_precision": "int8", "quantisation_aware_epochs": 2, "runtime": "openvino"}
    return _candidate(chains, **{**point, **choices})


def test_a_network_that_is_trained_with_its_quantisers_is_not_quantised_again(aware: Chains) -> None:
    tasks = aware.chain(_aware(aware, student_width=0.5))
    assert _stages(tasks) == [
        *("teacher", "transforming", "training", "transforming", "soft_targets", "fine_tuning"),
        *("exporting", "lowering", "measuring"),
    ]
    tuned, exporting, lowering, measuring = tasks[-4:]
    assert lowering.inputs == {"parent": tuned.key, "onnx": exporting.key}
    assert measuring.inputs["network"] == tuned.key
    assert tasks[3].settings == {"technique": "quantisation_aware_training"}, "whatever the epochs"


def test_it_is_tuned_in_fp32_at_a_lower_rate_and_distilled_from_the_teacher(aware: Chains) -> None:
    tasks = aware.chain(_aware(aware, student_width=0.5))
    trained, tuned = tasks[2].settings, tasks[5].settings
    assert tuned["learning_rate"] == pytest.approx(0.01 * trained["learning_rate"])
    assert (trained["distillation_weight"], tuned["distillation_weight"]) == (0.0, 0.5)
    assert (trained["autocast"], tuned["autocast"]) == ("bf16", "fp32")
    assert (tuned["from_epoch"], tuned["to_epoch"], tuned["epochs"]) == (0, 2, 2)
    assert tasks[5].inputs["teacher"] == tasks[0].key


def test_the_runtimes_share_what_is_tuned_and_its_speed_is_measured_untrained(aware: Chains) -> None:
    first, second = (aware.chain(_aware(aware, runtime=name)) for name in ("onnxruntime", "openvino"))
    assert first[:4] == second[:4]
    screening = aware.screening(_aware(aware, student_width=0.5))
    assert _stages(screening) == [
        *("teacher", "transforming", "settling", "transforming"),
        *("exporting", "lowering", "measuring"),
    ]
    assert _stages(aware.screening(_aware(aware)))[:2] == ["teacher", "transforming"], "the teacher's own weights"


def test_all_shares_of_layers_in_floating_point_read_one_ranking_of_the_trained_network() -> None:
    choices = {"student_width": [1.0, 0.5], "numeric_precision": ["int8"], "float_share": [0.0, 0.1, 0.25]}
    space = make_space({**choices, "runtime": ["onnxruntime", "openvino"]}, MACHINE)
    chains = Chains(space, FACTS, "digits", seed=0)

    def chain(share: float, **others: Any) -> tuple[StageTask, ...]:
        point = {"student_width": 0.5, "numeric_precision": "int8", "runtime": "openvino", "float_share": share}
        return chains.chain(Configuration({**space.baseline(), **point, **others}))

    none, tenth, quarter = chain(0.0), chain(0.1), chain(0.25)
    assert _stages(none) == ["teacher", "transforming", "training", "quantising", "lowering", "measuring"]
    assert "float_share" not in none[3].settings
    assert _stages(tenth)[3:] == ["exporting", "ranking", "quantising", "lowering", "measuring"]
    assert tenth[:5] == quarter[:5]
    trained, exporting, ranking, quantising = tenth[2:6]
    assert ranking.inputs == {"parent": trained.key, "onnx": exporting.key}
    assert quantising.inputs == {**ranking.inputs, "ranking": ranking.key}
    assert (quantising.settings["float_share"], "float_share" in ranking.settings) == (0.1, False)
    assert tenth[-1].inputs["network"] == trained.key
    narrow = Configuration({**space.baseline(), "student_width": 0.5, "float_share": 0.1})
    assert chains.screening(narrow) == (), "which layers stay is found on the trained network"


def test_after_quantisation_aware_training_no_layer_is_kept() -> None:
    choices = {"quantisation_aware_epochs": [0, 1], "float_share": [0.0, 0.1], "numeric_precision": ["int8"]}
    space = make_space({**choices, "runtime": ["openvino"]}, MACHINE)
    drawn = {(each.get("quantisation_aware_epochs"), each.get("float_share")) for each in space.configurations()}
    assert drawn == {(0, 0.0), (0, 0.1), (1, None)}


class Detail(Technique):
    """Sets something of the quantiser and something of the runtime."""

    name = "detail"
    stage = Stage.OPTIONS
    parameters = (Parameter("detail", ("usual", "other"), "usual", "usual or other"),)

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject.with_quantisation(range=settings["detail"]).with_options(level=settings["detail"])


def test_settings_of_the_quantiser_and_of_the_runtime_reach_the_stages_that_read_them() -> None:
    space = make_space({"numeric_precision": ["int8"], "runtime": ["onnxruntime"]}, MACHINE)
    detail = Axis(Detail(), Detail.parameters[0], ("usual", "other"))
    chains = Chains(SearchSpace((*space.axes, detail), MACHINE), FACTS, "digits", 0)
    point = {**space.baseline(), "numeric_precision": "int8", "runtime": "onnxruntime"}
    for value in ("usual", "other"):
        quantising, lowering, _ = chains.chain(Configuration({**point, "detail": value}))[-3:]
        assert {"precision": "int8", "range": value}.items() <= quantising.settings.items()
        assert lowering.settings["options"] == {"level": value}


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_no_stage_asks_for_more_cores_than_there_are(environment: Environment) -> None:
    everything = {
        p.name: "all" for technique in all_techniques() for p in technique.parameters if not p.only_where_named
    }
    chains = Chains(make_space(everything, environment), FACTS, "digits", 0)
    for candidate in list(chains.space.configurations())[::53]:
        for tasks in (chains.chain(candidate), chains.chain(candidate, screened=True), chains.screening(candidate)):
            assert all(1 <= task.cpus <= environment.cpu_cores for task in tasks)


def test_a_high_percentile_asks_every_timing_for_more_calls_and_changes_nothing_else(chains: Chains) -> None:
    high, baseline = replace(chains, least_calls=1000), chains.space.baseline()

    def timings(of: Chains) -> list[StageTask]:
        return [of.chain(baseline)[-1], of.final(baseline, 4), of.comparing({0: baseline}, 4)]

    for more, plain in zip(timings(high), timings(chains), strict=True):
        assert more.settings == {**plain.settings, "least_calls": 1000}
        assert more.key != plain.key
    assert high.calibrating("study", [1]).key == chains.calibrating("study", [1]).key
    assert high.chain(baseline)[0].key == chains.chain(baseline)[0].key


@pytest.mark.parametrize(
    ("choices", "cores", "plans"),
    [
        ({}, 4, [(1, 1)]),
        ({"threads": [1, 2]}, 2, [(1, 1), (1, 2)]),
        ({"threads": "all", "replicas": "all"}, 4, [(1, 1), (1, 4), (2, 2), (4, 1)]),
        ({"threads": [1, 64]}, 4, [(1, 1)]),
        ({"threads": [1, 3], "replicas": [1, 2]}, 4, [(1, 1), (1, 3), (2, 1)]),
    ],
)
def test_the_baseline_is_served_in_every_way_that_fills_the_cores_and_by_one_thread(
    choices: dict[str, Any], cores: int, plans: list[tuple[int, int]]
) -> None:
    space = make_space({**choices, "runtime": "all"}, replace(MACHINE, cpu_cores=cores))
    chains = Chains(space, FACTS, "digits", 0)
    baseline = space.baseline()
    settings = chains.chain(baseline)[-1].settings
    assert [(plan["replicas"], plan["threads"]) for plan in settings["servings"]] == plans
    assert "servings" not in chains.chain(Configuration({**baseline, "runtime": "onnxruntime"}))[-1].settings
    two = Chains(make_space({**choices}, replace(space.environment, baseline_threads=2)), FACTS, "digits", 0)
    others = two.chain(two.space.baseline())[-1].settings["servings"]
    assert others[0] == {"replicas": 1, "threads": 2}, "its own way first"
    assert {"replicas": 1, "threads": 1} in others
    best = {"replicas": 1, "threads": 2}
    assert chains.final(baseline, 3, served_with=best).settings["servings"] == [best], "the search has found it"


def test_only_an_accelerator_is_tried_with_tf32_and_every_timing_beside_it_says_so(chains: Chains) -> None:
    assert "tuned" not in chains.calibrating("study", [1]).settings
    machine = replace(MACHINE, accelerators=1, accelerator="cuda")
    on_it = Chains(make_space({"runtime": "all"}, machine), FACTS, "digits", 0)
    assert on_it.calibrating("study", [1]).settings["tuned"] is None
    assert on_it.calibrating("study", [1], tuned=True).settings["tuned"] is True
    baseline = on_it.space.baseline()
    assert "baseline_tuned" not in on_it.chain(baseline)[-1].settings
    tuned = Chains(make_space({"runtime": "all"}, replace(machine, baseline_tuned=True)), FACTS, "digits", 0)
    for task in (tuned.chain(baseline)[-1], tuned.final(baseline, 3), tuned.comparing({0: baseline}, 3)):
        assert task.settings["baseline_tuned"] is True


def _named(**offered: object) -> Chains:
    document = {"student_width": [1.0, 0.5, 0.25], "channel_pruning": [0.0, 0.5], "distillation_weight": [0.0, 0.7]}
    return Chains(make_space({**document, **offered}, MACHINE), FACTS, "digits", seed=0)


def test_an_assistant_is_trained_behind_the_teacher_and_takes_its_place() -> None:
    chains = _named(distillation_assistant="every")
    candidate = _candidate(chains, student_width=0.25, distillation_weight=0.7, distillation_assistant=0.5)
    tasks = chains.chain(candidate)
    learning = ["transforming", "soft_targets", "fine_tuning", "transforming", "soft_targets", "training"]
    assert _stages(tasks)[:7] == ["teacher", *learning]
    teacher, made, of_teacher, taught, student, of_assistant, training = tasks[:7]
    assert made.settings == {"technique": "student_width", "student_width": 0.5}
    assert of_teacher.inputs == {"parent": teacher.key}
    assert taught.inputs == {"parent": made.key, "teacher": teacher.key, "soft_targets": of_teacher.key}
    assert taught.settings["distillation_weight"] == 0.7
    assert student.inputs == {"parent": teacher.key}
    assert of_assistant.inputs == {"parent": taught.key}
    assert training.inputs == {"parent": student.key, "teacher": taught.key, "soft_targets": of_assistant.key}
    assert tasks[-1].inputs["teacher"] == teacher.key


def test_candidates_that_differ_otherwise_share_their_assistant() -> None:
    chains = _named(distillation_assistant="every", distillation_method="every")
    one = _candidate(chains, student_width=0.25, distillation_weight=0.7, distillation_assistant=0.5)
    other = Configuration({**one, "channel_pruning": 0.5, "distillation_method": "attention"})
    first, second = chains.chain(one), chains.chain(other)
    assert [task.key for task in first[:4]] == [task.key for task in second[:4]]


def test_trainings_with_the_same_batches_share_what_the_teacher_gives_for_them() -> None:
    chains = _named(distillation_temperature=[2.0, 4.0], distillation_method="every")

    def taught(**choices: Scalar) -> list[str]:
        chain = chains.chain(_candidate(chains, distillation_weight=0.7, **choices))
        return [task.key for task in chain if task.stage == "soft_targets"]

    one = taught(student_width=0.5, distillation_temperature=2.0)
    assert len(one) == 1
    assert taught(student_width=0.25, channel_pruning=0.5, distillation_temperature=4.0) == one
    assert taught(student_width=0.5, distillation_method="features") == [], "its layers are read in each training"
    other_batches = replace(chains, facts=replace(FACTS, training={**FACTS.training, "batch_size": 8}))
    half = _candidate(chains, student_width=0.5, distillation_weight=0.7)
    (task,) = (task for task in other_batches.chain(half) if task.stage == "soft_targets")
    assert task.key not in one


def test_a_training_with_inputs_without_labels_asks_the_teacher_itself() -> None:
    chains = _named()
    half = _candidate(chains, student_width=0.5, distillation_weight=0.7)
    more = replace(chains, facts=replace(FACTS, examples={**FACTS.examples, "unlabelled": 5}))
    assert "soft_targets" in _stages(chains.chain(half))
    assert "soft_targets" not in _stages(more.chain(half))


def test_a_student_is_trained_before_and_after_it_is_pruned_and_shares_the_first() -> None:
    chains = _named(train_before_pruning=[True], channel_pruning=[0.25, 0.5])
    half, quarter = (
        chains.chain(
            _candidate(
                chains, student_width=0.5, channel_pruning=share, distillation_weight=0.7, train_before_pruning=True
            )
        )
        for share in (0.5, 0.25)
    )
    learning = ["soft_targets", "fine_tuning", "transforming", "soft_targets", "training"]
    assert _stages(half)[:7] == ["teacher", "transforming", *learning]
    student, first, pruned, second = half[1], half[3], half[4], half[6]
    assert [task.inputs["parent"] for task in (first, pruned, second)] == [student.key, first.key, pruned.key]
    assert first.settings["epochs"] == second.settings["epochs"] == 3
    assert half[2].key == half[5].key, "both trainings see the same batches"
    assert first.key == quarter[3].key
    assert pruned.key != quarter[4].key
    timed = chains.screening(_candidate(chains, student_width=0.5, channel_pruning=0.5, train_before_pruning=True))
    assert _stages(timed)[:4] == ["teacher", "transforming", "transforming", "settling"]
