"""``frontrunner report``: what it writes, and how it refuses."""

import json
from pathlib import Path

import pytest
from benchmarks.parts import large_study
from search_tests.simulation import drive, make_chains, make_runner, open_table_study
from typer.testing import CliRunner

from search.cli import app
from search.commands.reports.report import ReportOptions, read_document, write_report
from search.explain.report_document import report_document
from search.request.locations import Home, Locations
from spaces.errors import RequestError


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with a study of eight trials, called ``table``."""
    home = Home(tmp_path_factory.mktemp("report") / "home")
    home.make()
    chains = make_chains()
    drive(open_table_study(home.path, chains.space), make_runner(), chains, 8)
    return home.path


def test_a_report_is_one_file_with_all_that_is_known(home: Path, tmp_path: Path, capsys) -> None:
    write_report(ReportOptions("table", tmp_path / "r.html"), Locations(home), as_json=False)
    assert capsys.readouterr().out.startswith(f"wrote {tmp_path}/r.html")
    page = (tmp_path / "r.html").read_text()
    assert "frontrunner search study.yaml" in page
    assert "frontrunner export table --to exported --pick" in page
    assert "studies.db" not in page


def test_the_numbers_behind_a_report_can_stand_in_the_place_of_its_study(home: Path, tmp_path: Path) -> None:
    write_report(ReportOptions("table", tmp_path / "r.json"), Locations(home), as_json=True)
    document = json.loads((tmp_path / "r.json").read_text())
    assert [one["trial"] for one in document["all"]] == list(range(8))
    assert len(document["course"]) == 8
    assert set(document["importance"]) == {"speed", "accuracy"}
    assert read_document(str(tmp_path / "r.json"), Locations(tmp_path)) == document
    write_report(ReportOptions(str(tmp_path / "r.json"), tmp_path / "r.html"), Locations(tmp_path), as_json=True)
    assert (tmp_path / "r.html").stat().st_size > 4e6


@pytest.mark.slow
def test_the_page_of_a_thousand_trials_has_less_than_ten_megabytes(tmp_path: Path) -> None:
    home = large_study.home_in(tmp_path)
    large_study.fill(home, large_study.make_chains(), 1000)
    write_report(ReportOptions(large_study.NAME, tmp_path / "r.html"), Locations(home.path), as_json=False)
    assert 4e6 < (tmp_path / "r.html").stat().st_size < 1e7


@pytest.mark.parametrize(("study", "ending"), [("table", "r.png"), ("r.json", "r.html")])
def test_the_page_of_a_study_alone_goes_to_mlflow(home: Path, tmp_path: Path, study: str, ending: str) -> None:
    with pytest.raises(RequestError, match="--log is for the page of a study in this home"):
        write_report(ReportOptions(study, tmp_path / ending, log=True), Locations(home), as_json=False)
    assert not (tmp_path / ending).exists()


def test_the_course_ends_with_the_front(home: Path) -> None:
    document = read_document("table", Locations(home))
    fronts = [step["front"] for step in document["course"] if step["front"] is not None]
    assert fronts[-1] == [member["trial"] for member in document["front"]]
    assert document["course"][-1]["hypervolume"] == pytest.approx(document["hypervolume"])
    volumes = [step["hypervolume"] for step in document["course"]]
    assert volumes == sorted(volumes)


def test_a_study_without_trials_has_a_document() -> None:
    document = report_document(open_table_study(None, make_chains().space))
    assert (document["course"], document["all"], document["baseline"]) == ([], [], None)


@pytest.mark.parametrize(
    ("name", "figure", "said"),
    [
        ("none/r.html", None, "there is no folder"),
        (".", None, "a report ends in one of .html, .json, .png"),
        ("r.txt", None, "a report ends in one of .html"),
        ("r.html", "front", "only a picture shows one figure"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_in_one_sentence(home: Path, tmp_path, name, figure, said) -> None:
    with pytest.raises(RequestError, match=said):
        write_report(ReportOptions("table", tmp_path / name, figure), Locations(home), as_json=False)


def test_a_folder_in_the_place_of_the_file_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "r.html").mkdir()
    with pytest.raises(RequestError, match="it is a folder"):
        write_report(ReportOptions("table", tmp_path / "r.html"), Locations(home), as_json=False)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"front": []}'])
def test_a_file_that_holds_no_study_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "r.json"), "--to", str(tmp_path / "r.html")])
    assert isinstance(done.exception, RequestError)
    assert "holds no study" in str(done.exception)
