"""``frontrunner compare``: studies, files of points, and how it refuses."""

import json
from pathlib import Path

import pytest

from search.commands.reports.compare import CompareOptions, compare_fronts
from search.request.locations import Locations
from spaces.errors import RequestError

EXAMPLE = str(Path(__file__).resolve().parents[3] / "dashboards" / "example" / "digits_front.json")
HEADER = "name,speedup,accuracy,speedup_low,speedup_high\n"


def points(folder: Path, text: str) -> str:
    (folder / "other.csv").write_text(text)
    return str(folder / "other.csv")


def test_a_front_is_compared_with_the_points_of_another_tool(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    other = points(tmp_path, HEADER + "'<b>A',12,0.985,11,13\nB,40,0.9,39,41\n")
    compare_fronts(CompareOptions(EXAMPLE, other, tmp_path / "both.html"), Locations(tmp_path), as_json=False)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "digits beats 1 of 2 members of other" in shown
    page = (tmp_path / "both.html").read_text()
    assert "&lt;b&gt;A" in page
    assert '<td class="text">\'<b>' not in page


def test_the_comparison_is_one_json_document(tmp_path: Path, capsys) -> None:
    other = points(tmp_path, "name,speedup,accuracy\nA,12,0.985\n")
    document = compare_fronts(CompareOptions(EXAMPLE, other), Locations(tmp_path), as_json=True)
    assert json.loads(capsys.readouterr().out) == document
    assert [front["name"] for front in document["fronts"]] == ["digits", "other"]


def test_a_study_is_compared_with_itself_under_two_names(tmp_path: Path) -> None:
    document = compare_fronts(CompareOptions(EXAMPLE, EXAMPLE), Locations(tmp_path), as_json=True)
    assert [front["name"] for front in document["fronts"]] == ["digits (1)", "digits (2)"]
    assert not any(member["beaten_by"] for front in document["fronts"] for member in front["members"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it needs a header"),
        ("a,b\n1,2\n", "it needs a header"),
        (HEADER + "A,fast,0.9,,\n", r"line 2: speedup is 'fast'; it must be a finite number"),
        (HEADER + "A,nan,0.9,,\n", "finite"),
        ("name,size_mib\nA,3\n", "no objective in common"),
    ],
)
def test_points_that_cannot_be_compared_are_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        compare_fronts(CompareOptions(EXAMPLE, points(tmp_path, text)), Locations(tmp_path), as_json=False)


def test_another_ending_of_the_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"a comparison ends in .html"):
        compare_fronts(CompareOptions(EXAMPLE, EXAMPLE, tmp_path / "both.pdf"), Locations(tmp_path), as_json=False)
