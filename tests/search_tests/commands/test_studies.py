"""``frontrunner studies``: a line for each study."""

import json
from pathlib import Path

import pytest
from search_tests.simulation import drive, make_chains, make_runner, open_table_study

from search.commands.studies import list_studies
from search.request.locations import Home, Locations
from search.study.attributes import STATUS


def test_a_finished_study_has_the_date_of_its_last_result_and_another_one_when_it_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Home(tmp_path).make()
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    study.set_user_attr(STATUS, "interrupted")  # before its first trial

    def shown() -> tuple[str, str, str]:
        list_studies(Locations(tmp_path), as_json=False)
        line = " ".join(capsys.readouterr().out.splitlines()[1].split())
        list_studies(Locations(tmp_path), as_json=True)
        (found,) = json.loads(capsys.readouterr().out)["studies"]
        return line, found["begun"], found["ended"]

    line, begun, ended = shown()
    assert ended is None
    assert f"interrupted began {begun[:10]} 0" in line
    drive(study, make_runner(), chains, 2)
    assert f"interrupted began {begun[:10]} 2" in shown()[0]
    study.set_user_attr(STATUS, "finished")
    line, _, ended = shown()
    assert f"finished {ended[:10]} 2" in line
