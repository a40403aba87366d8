"""``--time-budget`` and ``--sampler``: their requests, and the request with which a study is resumed."""

from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import FACTS, MACHINE

from search.commands.search import resume_search
from search.objectives.objective import find_objectives
from search.request.locations import Home, Locations
from search.request.read_request import BUDGET_CONSTRAINTS, BUDGET_OBJECTIVES, from_yaml, merge
from search.request.remembered_locations import to_json
from search.request.space_file import space_document
from search.request.study_request import StudyRequest
from search.study.storage import open_storage
from search.study.study import StudySettings, make_study
from spaces.errors import RequestError


def test_a_time_budget_alone_asks_for_the_fastest_accurate_model_in_any_number_of_trials() -> None:
    request = merge({}, {"time_budget": "5m"})
    assert request.time_budget == 300.0
    assert request.objectives == BUDGET_OBJECTIVES
    assert [str(constraint) for constraint in request.constraints] == [*BUDGET_CONSTRAINTS]
    assert request.trial_limit is None


def test_without_a_time_budget_the_number_of_trials_holds() -> None:
    assert merge({}, {}).trial_limit == merge({}, {}).trials == 18
    assert merge({}, {"timeout": "5m"}).trial_limit == 18


@pytest.mark.parametrize("from_file", [True, False])
def test_other_settings_override_the_defaults_of_a_time_budget(from_file: bool) -> None:
    asked: dict[str, Any] = {"time_budget": "90s", "trials": 7, "objectives": ["macs"], "constraints": ["macs<=9"]}
    request = merge(asked, {}) if from_file else merge({}, asked)
    assert request.trial_limit == 7
    assert request.objectives == ("macs",)
    assert [str(constraint) for constraint in request.constraints] == ["macs<=9", *BUDGET_CONSTRAINTS], (
        "the accuracy must have a bound"
    )
    half = merge({"objectives": ["macs", "accuracy"]}, {"time_budget": 90})
    assert half.objectives == ("macs", "accuracy")
    assert half.constraints == (), "the objective says what accuracy is worth"
    other = merge({"constraints": ["accuracy>=0.9"]}, {"time_budget": 90})
    assert other.objectives == BUDGET_OBJECTIVES
    assert [str(constraint) for constraint in other.constraints] == ["accuracy>=0.9"]


def test_a_study_file_may_give_both(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("time_budget: 1h\nsampler: tpe\nfrom_study: before\n")
    request = merge(from_yaml(path), {})
    assert (request.time_budget, request.sampler, request.from_study) == (3600.0, "tpe", "before")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"sampler": "gian"}, r"^--sampler gian: unknown sampler; allowed are gain, tpe, .*\(did you mean 'gain'\?\)$"),
        ({"sampler": "nsga"}, r"^--sampler nsga: unknown sampler; .*\(did you mean 'nsga2'\?\)$"),
        ({"sampler": "zzz"}, r"^--sampler zzz: unknown sampler; allowed are gain, tpe, nsga2, gp, random$"),
        ({"time_budget": "soon"}, r"^--time-budget soon: give seconds or a time such as 90s"),
        ({"time_budget": 0}, r"^--time-budget 0: give seconds"),
        ({"from_study": "a b"}, r"^--from 'a b': give a name of letters"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_names_it(flags: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        merge({}, flags)


def test_an_unknown_sampler_in_a_file_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("study: a\nsampler: [tpe]\n")
    with pytest.raises(RequestError, match=r"study\.yaml:2: sampler tpe: unknown sampler; allowed are"):
        from_yaml(path)


@pytest.mark.parametrize(
    ("flags", "budgets"),
    [
        ({}, {"trials": 18, "timeout": None, "time_budget": None, "sampler": "gain", "from_study": None}),
        (
            {"time_budget": "60", "sampler": "gp", "from_study": "b"},
            {"trials": None, "timeout": None, "time_budget": 60.0, "sampler": "gp", "from_study": "b"},
        ),
        (
            {"time_budget": "60", "trials": 4, "timeout": 9},
            {"trials": 4, "timeout": 9.0, "time_budget": 60.0, "sampler": "gain", "from_study": None},
        ),
    ],
)
def test_the_budgets_are_what_may_change_when_a_study_goes_on(flags: dict[str, Any], budgets: dict[str, Any]) -> None:
    assert merge({}, flags).budgets() == budgets


@pytest.fixture
def resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Creates the study of a request, and returns the request with which it is resumed."""
    asked: list[StudyRequest] = []
    monkeypatch.setattr("search.commands.search.run_search", lambda request, **_: asked.append(request) or {})

    def resume(request: StudyRequest, **changes: Any) -> StudyRequest:
        home = Home.find(tmp_path)
        home.make()
        settings = StudySettings(
            request.workload,
            space_document(request.space),
            request.objectives,
            tuple(map(str, request.constraints)),
            request.seed,
            MACHINE.device,
            FACTS.fingerprint,
        )
        locations = Locations(home=tmp_path)
        objectives = find_objectives(request.objectives)
        study = make_study(open_storage(home.storage), "s", objectives, settings, MACHINE, FACTS)
        study.set_user_attr("budgets", request.budgets())
        study.set_user_attr("places", to_json(locations))
        resume_search("s", locations, **{"trials": None, "timeout": None, **changes})
        return asked[-1]

    return resume


@pytest.mark.parametrize(
    ("file", "flags"),
    [
        ({}, {}),
        ({}, {"trials": 30, "timeout": "1h", "sampler": "nsga2"}),
        ({}, {"time_budget": "10m", "sampler": "tpe", "from_study": "before"}),
        ({}, {"time_budget": "10m", "trials": 5}),
        ({}, {"time_budget": "10m", "objectives": ["accuracy", "macs"], "constraints": ["macs<=9"]}),
        ({"constraints": []}, {"time_budget": "10m"}),
    ],
)
def test_a_study_is_resumed_with_its_own_settings(resumed: Any, file: dict[str, Any], flags: dict[str, Any]) -> None:
    request = merge(file, flags)
    again = resumed(request)
    assert again.budgets() == request.budgets()
    assert again.trial_limit == request.trial_limit
    assert (again.objectives, again.constraints) == (request.objectives, request.constraints)


def test_a_study_with_a_time_budget_can_be_resumed_with_a_number_of_trials(resumed: Any) -> None:
    again = resumed(merge({}, {"time_budget": "10m"}), trials=50, timeout="20s")
    assert (again.trial_limit, again.timeout, again.time_budget) == (50, 20.0, 600.0)
