"""A search space draws exactly the configurations that can run, and reproduces a given one."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import optuna
import pytest
from spaces_tests.environments import BARE, ENVIRONMENTS, LAPTOP
from spaces_tests.machines import MACHINES

from spaces.configuration import Configuration, Scalar
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.search_space import Axis, SearchSpace
from spaces.space_document import all_techniques, make_space, preset_choices, preset_names
from spaces.technique import Earlier, Parameter, Stage, Technique

MIXED: dict[str, object] = {
    "student_width": [1.0, 0.5],
    "distillation_weight": [0.0, 0.7],
    "distillation_temperature": [2.0, 4.0],
    "numeric_precision": "all",
    "runtime": "all",
}


class Dice:
    """A trial that draws at random and records the parameters."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.asked: dict[str, tuple[Scalar, ...]] = {}

    def suggest_categorical(self, name: str, choices: tuple[Scalar, ...]) -> Scalar:
        assert self.asked.setdefault(name, choices) == choices, f"{name} changed its choices"
        return self.random.choice(choices)


class Fixed:
    """A trial with given values; other parameters raise an error."""

    def __init__(self, answers: Mapping[str, Scalar]) -> None:
        self.answers = dict(answers)

    def suggest_categorical(self, name: str, choices: tuple[Scalar, ...]) -> Scalar:
        assert self.answers[name] in choices
        return self.answers.pop(name)


def reasons_against(configuration: Mapping[str, Scalar], environment: Environment) -> Iterator[str]:
    """Why a configuration cannot run, from the techniques alone and not from the space."""
    chosen: dict[str, Scalar] = {}
    changing: list[Technique] = []
    for technique, parameter in ((t, p) for t in all_techniques() for p in t.parameters):
        if parameter.only_where_named and parameter.name not in configuration:
            continue
        stages, keeps = frozenset(each.stage for each in changing), all(each.keeps_weights for each in changing)
        earlier = Earlier(dict(chosen), bool(changing), stages, keeps)
        if technique.relevant(parameter, earlier, environment) != (parameter.name in configuration):
            yield f"{parameter.name} is there and should not be, or the other way round"
        if parameter.name in configuration:
            value = chosen[parameter.name] = configuration[parameter.name]
            acts = value != technique.neutral(parameter, environment)
            reason = technique.unsupported(parameter, value, earlier, environment)
            if reason:
                yield reason
            if acts:
                yield from (limit.reason for limit in environment.model_limits if limit.covers(chosen))
            yield from (environment.missing[one] for one in technique.needs if acts and one in environment.missing)
            changing += [technique] if acts and technique.changes_network else []


def preset(name: str, environment: Environment) -> SearchSpace:
    return make_space(preset_choices(name), environment)


@pytest.mark.parametrize("place", ENVIRONMENTS)
@pytest.mark.parametrize("name", ["cpu", "post-training", "quick"])
def test_every_configuration_of_a_preset_can_run(name: str, place: str) -> None:
    environment = ENVIRONMENTS[place]
    configurations = list(preset(name, environment).configurations())
    assert configurations
    for configuration in configurations:
        assert not list(reasons_against(configuration, environment)), configuration


@pytest.mark.parametrize("place", MACHINES)
@pytest.mark.parametrize("name", preset_names())
def test_whatever_is_drawn_of_a_preset_can_run(name: str, place: str) -> None:
    space, dice = preset(name, MACHINES[place]), Dice(seed=0)
    for configuration in {space.draw(dice) for _ in range(100)}:
        assert not list(reasons_against(configuration, MACHINES[place])), configuration


def test_the_check_for_what_can_run_finds_what_cannot() -> None:
    baseline = dict(preset("cpu", LAPTOP).baseline())
    assert not list(reasons_against(baseline, LAPTOP))
    assert list(reasons_against({**baseline, "numeric_precision": "int8"}, LAPTOP))
    assert list(reasons_against({**baseline, "distillation_weight": 0.5}, LAPTOP))
    pruned = {**baseline, "channel_pruning": 0.5, "distillation_weight": 0.0, "training_workers": 1}
    assert not list(reasons_against(pruned, LAPTOP))
    assert list(reasons_against(pruned, ENVIRONMENTS["a model that cannot be pruned"]))


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_drawing_at_random_reaches_exactly_the_enumeration(place: str) -> None:
    space = make_space(MIXED, ENVIRONMENTS[place])
    dice = Dice(seed=0)
    assert {space.draw(dice) for _ in range(1500)} == set(space.configurations())


def test_the_enumeration_repeats_nothing() -> None:
    configurations = list(preset("cpu", LAPTOP).configurations())
    assert len(configurations) == len(set(configurations))


def test_int8_is_not_offered_where_no_runtime_runs_it() -> None:
    drawn = make_space(MIXED, ENVIRONMENTS["no runtime for int8"]).configurations()
    assert {configuration["numeric_precision"] for configuration in drawn} == {"fp32", "bf16"}


def test_a_runtime_is_offered_only_for_the_precisions_that_it_runs() -> None:
    pairs = {(c["numeric_precision"], c["runtime"]) for c in make_space(MIXED, LAPTOP).configurations()}
    assert pairs == {
        ("fp32", "eager"),
        ("fp32", "torchscript"),
        ("fp32", "onnxruntime"),
        ("fp32", "openvino"),
        ("bf16", "eager"),
        ("bf16", "openvino"),
        ("int8", "onnxruntime"),
        ("int8", "openvino"),
    }


def test_a_value_that_leaves_no_option_two_choices_later_is_not_drawn() -> None:
    only_int8_runtimes: dict[str, object] = {"numeric_precision": ["fp32", "int8"], "runtime": ["tensorrt"]}
    environment = replace(
        LAPTOP, backends={**LAPTOP.backends, "tensorrt": replace(LAPTOP.backends["openvino"], precisions=("int8",))}
    )
    drawn = list(make_space(only_int8_runtimes, environment).configurations())
    assert [(c["numeric_precision"], c["runtime"]) for c in drawn] == [("int8", "tensorrt")]


def test_replicas_and_threads_never_ask_for_more_than_the_cores() -> None:
    drawn = make_space({"replicas": "all", "threads": "all"}, ENVIRONMENTS["an odd number of cores"]).configurations()
    busy = {(int(c["replicas"]), int(c["threads"])) for c in drawn}
    assert {(1, 6), (6, 1), (2, 2)} <= busy
    assert all(replicas * threads <= 6 for replicas, threads in busy)


def test_no_more_workers_train_than_a_batch_has_examples() -> None:
    space = make_space(
        {"student_width": [0.5], "training_workers": [1, 2, 3]}, replace(LAPTOP, cpu_cores=4, training_batch=2)
    )
    assert {c["training_workers"] for c in space.configurations()} == {1, 2}
    ((_, value, reason),) = space.reasons()
    assert (value, reason) == (3, "3 training workers share a batch of 2, and each needs an example")


def test_a_model_that_cannot_be_pruned_is_not_pruned_and_the_reason_is_given() -> None:
    space = make_space({"channel_pruning": [0.0, 0.5]}, ENVIRONMENTS["a model that cannot be pruned"])
    assert {c["channel_pruning"] for c in space.configurations()} == {0.0}
    assert space.reasons() == [("channel_pruning", 0.5, "the model reshapes by a fixed size")]


def test_an_unavailable_choice_names_the_missing_package() -> None:
    space = make_space({"student_width": [1.0, 0.5]}, ENVIRONMENTS["optional packages missing"])
    assert space.reasons() == [("student_width", 0.5, "needs `pip install torch-pruning`")]


def test_a_value_without_a_later_option_is_unavailable() -> None:
    space = make_space(MIXED, ENVIRONMENTS["no runtime for int8"])
    assert space.reasons() == [
        ("numeric_precision", "int8", "no offered runtime goes with it: eager does not support int8 here")
    ]


def test_a_value_that_some_earlier_choice_allows_is_available() -> None:
    int8_alone = replace(LAPTOP.backends["openvino"], precisions=("int8",))
    space = make_space(MIXED, replace(LAPTOP, backends={**LAPTOP.backends, "quick": int8_alone}))
    assert "quick" in {c["runtime"] for c in space.configurations()}
    assert "quick" not in {value for _, value, _ in space.reasons()}


def test_a_value_whose_later_option_needs_a_choice_between_is_available() -> None:
    values = {"numeric_precision": ["int8"], "runtime": ["eager", "openvino"], "accuracy_control": [0.02]}
    space = make_space(values, LAPTOP)
    assert [reason for name, _, reason in space.reasons() if name == "numeric_precision"] == []
    assert {each["accuracy_control"] for each in space.configurations()} == {0.02}


def test_every_value_that_is_never_drawn_is_unavailable() -> None:
    for environment in ENVIRONMENTS.values():
        space = preset("cpu", environment)
        drawn = {(name, value) for c in space.configurations() for name, value in c.items()}
        offered = {(axis.name, value) for axis in space.axes for value in axis.values}
        told = {(name, value) for name, value, _ in space.reasons()}
        assert told <= offered - drawn
        later = {"distillation_weight", "distillation_temperature", "training_workers"}  # Off only with the network.
        assert {one for one in offered - drawn - told if one[0] not in later} == set()


def test_training_is_chosen_only_for_a_network_that_changed() -> None:
    for configuration in preset("cpu", LAPTOP).configurations():
        changed = configuration["student_width"] != 1.0 or configuration["channel_pruning"] != 0.0
        assert ("training_workers" in configuration) == changed
        assert ("distillation_weight" in configuration) == changed
        assert ("distillation_temperature" in configuration) == (configuration.get("distillation_weight", 0.0) != 0.0)


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_the_baseline_is_the_unchanged_teacher(place: str) -> None:
    space = preset("cpu", ENVIRONMENTS[place])
    baseline = space.baseline()
    assert all(space.settings_of(technique, baseline) == {} for technique in space.techniques)
    assert baseline["runtime"] == "eager"
    assert baseline["threads"] == 1
    assert space.contains(baseline)


def test_the_baseline_is_known_even_where_the_space_does_not_offer_it() -> None:
    space = make_space({"student_width": [0.5, 0.25]}, LAPTOP)
    assert space.baseline()["student_width"] == 1.0
    assert not space.contains(space.baseline())


def test_settings_are_a_techniques_own_choices_unless_all_are_neutral() -> None:
    space = preset("cpu", LAPTOP)
    by_name = {technique.name: technique for technique in space.techniques}
    configuration = {**space.baseline(), "replicas": 2, "threads": 1, "distillation_weight": 0.0}
    assert space.settings_of(by_name["replicas"], configuration) == {"replicas": 2, "threads": 1}
    assert space.settings_of(by_name["distillation"], configuration) == {}
    assert space.settings_of(by_name["student_width"], {}) == {}


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_the_parameters_of_a_configuration_make_a_trial_draw_it(place: str) -> None:
    space = make_space(MIXED, ENVIRONMENTS[place])
    for configuration in space.configurations():
        trial = Fixed(space.trial_parameters(configuration))
        assert space.draw(trial) == configuration
        assert not trial.answers


def test_the_parameters_survive_json() -> None:
    space = preset("cpu", LAPTOP)
    for configuration in random.Random(0).sample(list(space.configurations()), 50):
        again = Configuration.from_json(configuration.canonical())
        assert space.draw(Fixed(space.trial_parameters(again))) == configuration


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"student_width": 0.3}, "student_width is 0.3.* 1.0, 0.5"),
        ({"runtime": "torchscript", "numeric_precision": "int8"}, "runtime is 'torchscript'"),
        ({"distillation_weight": 0.7}, "distillation_weight is not drawn"),
        ({"nonsense": 1}, "nonsense is not drawn"),
    ],
)
def test_a_configuration_outside_the_space_is_refused(change: dict[str, Scalar], word: str) -> None:
    space = make_space(MIXED, LAPTOP)
    with pytest.raises(RequestError, match=word):
        space.trial_parameters({**space.baseline(), **change})


def test_a_configuration_that_lacks_a_choice_is_refused() -> None:
    with pytest.raises(RequestError, match="has no student_width"):
        make_space(MIXED, LAPTOP).trial_parameters({})


def test_a_single_option_is_not_replaced_by_another_value() -> None:
    space = make_space({"student_width": [0.5]}, LAPTOP)
    with pytest.raises(RequestError, match="student_width is 1,"):
        space.trial_parameters(space.baseline())


def test_a_space_in_which_nothing_can_run_is_refused_with_the_reasons() -> None:
    with pytest.raises(RequestError, match=r"nothing in this space can run here .*eager does not support int8"):
        make_space({"numeric_precision": ["int8"], "runtime": ["eager"]}, LAPTOP)


def test_of_a_space_with_more_threads_than_cores_the_reason_is_that_alone() -> None:
    with pytest.raises(RequestError) as refused:
        make_space({"threads": [64]}, LAPTOP)
    assert str(refused.value) == (
        "nothing in this space can run here (threads 64: needs 64 cores, and there are 2); offer others"
    )
    assert make_space({"threads": [1, 64]}, LAPTOP).reasons() == [("threads", 64, "needs 64 cores, and there are 2")]


def study(seed: int = 0) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5), directions=["minimize", "maximize"]
    )


@pytest.mark.parametrize("place", ["laptop", "an odd number of cores", "no runtime for int8"])
def test_optuna_draws_thirty_times_and_only_what_can_run(place: str) -> None:
    environment = ENVIRONMENTS[place]
    space, trials = preset("cpu", environment), study()
    for _ in range(30):
        trial = trials.ask()
        configuration = space.draw(trial)
        assert not list(reasons_against(configuration, environment))
        trials.tell(trial, [len(configuration), float(configuration.get("student_width", 1.0))])
    assert len(trials.best_trials) >= 1


def test_optuna_draws_the_configuration_that_was_queued() -> None:
    space, trials = preset("cpu", LAPTOP), study()
    wanted = random.Random(1).sample(list(space.configurations()), 20)
    for configuration in [space.baseline(), *wanted]:
        trials.enqueue_trial(space.trial_parameters(configuration))
    for configuration in [space.baseline(), *wanted]:
        trial = trials.ask()
        assert space.draw(trial) == configuration
        assert trial.params == space.trial_parameters(configuration)
        trials.tell(trial, [1.0, 1.0])


def test_one_draw_does_not_enumerate_the_space() -> None:
    """A space of a hundred million combinations, so that enumerating all of them would take too long."""
    asked = [0]

    class Counting(Technique):
        name = "counting"
        stage = Stage.SERVE
        parameters = tuple(Parameter(f"p{i}", tuple(range(100)), 0, "0 to 99") for i in range(4))

        def unsupported(
            self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
        ) -> str | None:
            asked[0] += 1
            return None

        def apply(self, subject: Any, settings: Mapping[str, Scalar], context: Any) -> Any:
            return subject

    counting = Counting()
    space = SearchSpace(tuple(Axis(counting, p, p.choices) for p in counting.parameters), BARE)
    assert len(space.draw(Dice(0))) == 4
    assert asked[0] < 5000


def test_where_nothing_can_be_trained_nothing_that_needs_training_is_drawn() -> None:
    environment = replace(LAPTOP, cannot_train="there is nothing to train on")
    space = preset("cpu", environment)
    for configuration in space.configurations():
        assert (configuration["student_width"], configuration["channel_pruning"]) == (1.0, 0.0)
        assert "distillation_weight" not in configuration
    off = {name for name, _, reason in space.reasons() if reason == environment.cannot_train}
    assert {"student_width", "channel_pruning", "distillation_weight"} <= off
    assert off.isdisjoint({"numeric_precision", "runtime", "threads"})
    with pytest.raises(RequestError, match=r"student_width 0\.5: there is nothing to train on"):
        make_space({"student_width": [0.5]}, environment)
