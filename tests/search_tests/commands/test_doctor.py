"""``frontrunner doctor``: what it shows is what a search can use here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from spaces_tests.environments import ENVIRONMENTS

from search.commands.doctor import diagnosis, examine
from spaces.environment import BackendFacts
from spaces.errors import RequestError
from spaces.space_document import all_techniques


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_what_is_searched_by_default_is_among_all_values(place: str) -> None:
    shown = diagnosis(ENVIRONMENTS[place])["techniques"]
    assert set(shown) == {parameter.name for technique in all_techniques() for parameter in technique.parameters}
    for about in shown.values():
        assert about["searched"]
        assert set(about["searched"]) <= set(about["values"])


def test_the_extra_that_a_reason_names_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reason = "needs `pip install 'frontrunner[board]'`"
    laptop = ENVIRONMENTS["laptop"]
    machine = replace(laptop, backends={**laptop.backends, "board": BackendFacts((), reason)})
    monkeypatch.setattr("search.commands.doctor._environment", lambda workload: machine)
    monkeypatch.setenv("COLUMNS", "120")
    examine(None, as_json=False)
    assert capfd.readouterr().out.count(reason) >= 1


def test_the_home_folder_and_both_kinds_of_values_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRONTRUNNER_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    examine(None, as_json=True)
    document = json.loads(capfd.readouterr().out)
    assert document["home"] == str(tmp_path)
    assert 0.7 in document["techniques"]["distillation_weight"]["values"]
    examine(None, as_json=False)
    shown = capfd.readouterr().out
    assert "FRONTRUNNER_HOME" in shown
    assert "searched by default" in shown
    assert "…" not in shown
    for software in document["optional"]:
        assert software["install"] in shown
    for name, about in document["techniques"].items():
        assert name in shown
        assert all(str(value) in shown for value in [*about["values"], *about["searched"]])


def test_what_is_looked_at_on_nodes_wants_the_address_of_a_cluster() -> None:
    for options, given in (("--train-with", {"train_with": "gpus=1"}), ("--stage-store", {"stage_store": "stages"})):
        with pytest.raises(RequestError, match=f"^{options}: doctor looks at it on the nodes .* give --address"):
            examine(None, **given, as_json=False)
