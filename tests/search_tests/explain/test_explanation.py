"""The explanation of a trial of a simulated study, of which every effect is known."""

import json
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from search_tests.simulation import (
    FACTS,
    MACHINE,
    OBJECTIVES,
    Log,
    Recording,
    drive,
    make_chains,
    measurement,
    open_table_study,
    table,
)

from runners.runner import StageTask
from search.driver.search_context import SearchContext
from search.explain.explanation import explain
from search.explain.time_left import TimeLeft
from search.front.front_document import front_document, trial_documents
from search.study.attributes import STAGES
from spaces.configuration import Configuration
from spaces.errors import RequestError, WorkFailed

Table = Callable[[Configuration], Any]


def hardware_aware(configuration: Configuration) -> Any:
    """The table, in which int8 gains nothing on a network at full width and onnxruntime hates narrow ones."""
    figures = dict(table(configuration))
    if configuration["student_width"] != 1.0 and configuration["numeric_precision"] == "int8":
        figures["speedup"] *= 1.5
    return measurement(figures["accuracy"], figures["speedup"], size_mib=4.0 * float(configuration["student_width"]))


class Study:
    """A study of a table, searched at random, that can be explained."""

    def __init__(self, of: Table = table, trials: int = 30) -> None:
        self.runner = Recording(MACHINE, FACTS, of, seconds=lambda task: 1.0)
        self.chains = make_chains()
        self.study = open_table_study(None, self.chains.space, inner=optuna.samplers.RandomSampler(0))
        drive(self.study, self.runner, self.chains, trials)
        self.log = Log()

    def explained(self, number: int, left: TimeLeft | None = None) -> dict[str, Any]:
        """The explanation of a trial, after which the runner remembers what was asked of it alone."""
        self.runner.submitted.clear()
        self.before = {*self.runner._done}
        search = SearchContext(self.study, self.runner, self.chains, OBJECTIVES, (), self.log)
        trial = trial_documents(self.study)[number]
        front = front_document(self.study)
        return explain(search, trial, front, self.runner._done.__contains__, left or TimeLeft())

    def trained(self) -> list[StageTask]:
        """What the last explanation trained."""
        return [task for task in self.runner.submitted if task.stage == "training" and task.key not in self.before]

    def trial(self, **choices: Any) -> int:
        """The number of a complete trial with these choices."""
        found = (t for t in trial_documents(self.study) if choices.items() <= t["configuration"].items())
        return int(next(found)["trial"])


@pytest.fixture(autouse=True)
def _without_importances(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take seconds, and have tests of their own."""
    monkeypatch.setattr("search.explain.explanation.importances", lambda study, space: {})


FAST = {"student_width": 0.25, "channel_pruning": 0.5, "numeric_precision": "int8", "runtime": "openvino"}


@pytest.fixture(scope="module")
def plain() -> Study:
    """A study in which choices do not depend on each other; all of its space is tried."""
    return Study()


@pytest.fixture(scope="module")
def dependent() -> Study:
    """A study in which int8 gains more on narrow networks."""
    return Study(hardware_aware)


def test_what_a_choice_gives_is_the_ratio_of_the_trial_with_it_and_without_it(plain: Study) -> None:
    document = plain.explained(plain.trial(**FAST))
    gives = {one["choice"]: one["speed"]["ratio"] for one in document["choices"]}
    assert gives == {
        "student_width": pytest.approx(4**0.7),
        "channel_pruning": pytest.approx(2**0.7),
        "numeric_precision": pytest.approx(3.0),
        "runtime": pytest.approx(2.5 * 3.0),
    }
    assert document["together"]["ratio"] == pytest.approx(8**0.7 * 2.5 * 3.0)
    assert document["remainder"] == pytest.approx(1 / 3.0), "int8 is counted with the runtime, too"
    json.dumps(document, allow_nan=False)


def test_what_leaves_with_a_choice_is_named(plain: Study) -> None:
    (runtime,) = (one for one in plain.explained(plain.trial(**FAST))["choices"] if one["choice"] == "runtime")
    assert (runtime["neutral"], runtime["implied"]) == ("eager", ["numeric_precision"])
    assert runtime["text"] == "openvino (with int8)"
    assert runtime["without"]["numeric_precision"] == "fp32"


def test_the_cost_in_accuracy_is_the_difference_to_the_trial_without_the_choice(plain: Study) -> None:
    number = plain.trial(**FAST)
    document = plain.explained(number)
    for one in document["choices"]:
        expected = table(Configuration(one["without"]))["accuracy"] - document["measurement"]["accuracy"]
        assert one["accuracy"]["cost"] == pytest.approx(expected)
        assert one["accuracy"]["cost"] > 0 or one["choice"] == "runtime"


def test_choices_that_do_not_depend_on_each_other_have_no_synergy(plain: Study) -> None:
    pairs = plain.explained(plain.trial(**FAST))["pairs"]
    known = {tuple(pair["choices"]): pair["synergy"] for pair in pairs if pair["synergy"]}
    assert len(pairs) == 6
    assert ("numeric_precision", "runtime") not in known, "int8 cannot stay without its runtime"
    assert [one["ratio"] for one in known.values()] == [pytest.approx(1.0)] * 5
    assert not any(one["significant"] for one in known.values())


def test_what_two_choices_give_together_beyond_each_alone_is_found(dependent: Study) -> None:
    pairs = dependent.explained(dependent.trial(**FAST))["pairs"]
    known = {tuple(pair["choices"]): pair["synergy"] for pair in pairs if pair["synergy"]}
    together = known["student_width", "numeric_precision"]
    assert together["ratio"] == pytest.approx(1.5)
    assert together["significant"]
    assert known["channel_pruning", "numeric_precision"]["ratio"] == pytest.approx(1.0)
    assert known["student_width", "channel_pruning"]["ratio"] == pytest.approx(1.0)
    assert known["student_width", "runtime"]["ratio"] == pytest.approx(1.5), "the runtime leaves with int8"


def test_sizes_are_those_of_the_model_with_and_without_the_choice(dependent: Study) -> None:
    choices = dependent.explained(dependent.trial(**FAST))["choices"]
    sizes = {one["choice"]: one["figures"]["size_mib"] for one in choices}
    assert sizes["student_width"] == {"with": 1.0, "without": 4.0}
    assert sizes["channel_pruning"] == {"with": 1.0, "without": 1.0}


def test_all_is_timed_once_in_one_run_and_nothing_is_trained_again() -> None:
    study = Study(trials=60)
    study.explained(study.trial(**FAST))
    stages = [task.stage for task in study.runner.submitted]
    assert stages.count("comparing") == 1
    assert not study.trained()
    (timing,) = (task for task in study.runner.submitted if task.stage == "comparing")
    assert len(timing.settings["arms"]) == 1 + 4 + 5, "the member, without each choice, without each two"


def few_trials() -> tuple[Study, int]:
    """A study that never trained what its fastest trial is without a choice."""
    study = Study(trials=3)
    fastest = max(trial_documents(study.study)[1:], key=lambda t: len({*t["configuration"].items()} & {*FAST.items()}))
    return study, int(fastest["trial"])


def test_what_was_never_trained_is_trained_and_named() -> None:
    study, number = few_trials()
    document = study.explained(number)
    trained = {one["choice"] for one in document["choices"] if one["trained_now"]}
    assert trained
    assert {*document["trained"]} == trained
    assert all(one["accuracy"] for one in document["choices"])
    again = study.explained(number)
    assert again["trained"] == []
    assert not study.trained()
    assert [one["accuracy"] for one in again["choices"]] == [one["accuracy"] for one in document["choices"]]


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (TimeLeft(cached_only=True), "not trained, as --cached-only asks"),
        (TimeLeft(budget_s=100.0, training_s=90.0), "not trained: that takes about 90 s, more than the time budget"),
    ],
)
def test_what_may_not_be_trained_has_a_speed_and_no_accuracy(left: TimeLeft, why: str) -> None:
    study, number = few_trials()
    document = study.explained(number, left)
    assert not study.trained()
    unknown = [one for one in document["choices"] if not one["accuracy"]]
    assert unknown
    assert all(one["why_unknown"].startswith(why) and one["speed"] for one in unknown)
    assert all(one["figures"]["train_seconds"]["without"] is None for one in unknown)


def test_pairs_that_do_not_fit_into_the_time_are_left_out_and_counted(plain: Study) -> None:
    number = plain.trial(**FAST)
    document = plain.explained(number, TimeLeft(budget_s=26.0))
    assert sum(bool(pair["synergy"]) for pair in document["pairs"]) < 5
    (sentence,) = document["left_out"]
    assert "of 5 pairs of choices were not timed" in sentence
    assert all(one["speed"] for one in document["choices"]), "single choices come first"


def test_a_variant_that_cannot_be_built_is_told_and_the_others_are_explained() -> None:
    def broken(configuration: Configuration) -> Any:
        if configuration["student_width"] == 1.0 and configuration["numeric_precision"] == "int8":
            raise ValueError("no kernel for this width")
        return table(configuration)

    study = Study(broken)
    document = study.explained(study.trial(**FAST))
    (width,) = (one for one in document["choices"] if one["choice"] == "student_width")
    assert width["accuracy"] is None
    assert "no kernel for this width" in width["why_unknown"]
    assert [one["choice"] for one in document["choices"] if one["accuracy"]] == [
        "channel_pruning",
        "numeric_precision",
        "runtime",
    ]


def test_a_trial_that_cannot_be_built_any_more_is_an_error() -> None:
    study = Study()
    number = study.trial(**FAST)
    study.runner._done.clear()

    def gone(task: StageTask) -> Any:
        raise ValueError("the disk is gone")

    study.runner._figures = gone  # type: ignore[method-assign]
    with pytest.raises(WorkFailed, match=r"the candidate itself cannot be timed: .*the disk is gone"):
        study.explained(number)


def test_a_trial_that_was_measured_with_other_code_is_refused(plain: Study) -> None:
    study = Study(trials=3)
    stages = {"lowering": "0" * 64}
    study.study._storage.set_trial_user_attr = lambda *_: None  # type: ignore[method-assign]
    trials = study.study.get_trials()
    trials[1].user_attrs[STAGES] = stages
    study.study.get_trials = lambda deepcopy=False, states=None: trials  # type: ignore[method-assign, assignment]
    with pytest.raises(RequestError, match="trial 1 was trained and measured with another version"):
        study.explained(1)
