"""A front as a picture, from what the command line prints, and the example in the repository."""

import json
from pathlib import Path

import pytest

from dashboards.figures.front_points import front_points
from dashboards.front_picture import ENDINGS, main, picture, read_front, write_picture
from spaces.errors import RequestError

EXAMPLE = Path(__file__).resolve().parents[2] / "dashboards" / "example" / "digits_front.json"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def printed(document, trials, tmp_path):
    """What ``frontrunner front NAME --all --json`` prints: complete trials and others."""
    failed = {"trial": 3, "configuration": {}, "measurement": None, "state": "failed"}
    everything = [*({**trial, "state": "complete"} for trial in trials), failed]
    file = tmp_path / "front.json"
    file.write_text(json.dumps({**document, "all": everything}))
    return file


def test_the_table_is_that_of_the_printed_front(printed, document, trials):
    assert read_front(printed) == front_points(document, trials)


def test_the_picture_numbers_each_member_and_says_what_it_is(document, trials):
    figure = picture(front_points(document, trials))
    numbered = next(trace for trace in figure.data if trace.name == "front")
    assert sorted(numbered.text) == ["<b>17</b>", "<b>4</b>", "<b>9</b>"]
    (key,) = figure.layout.annotations
    assert key.text.split("<br>")[1:] == ["9: width=0.25, int8, openvino", "17: int8, openvino", "4: openvino"]
    assert "95 % intervals" in key.text


def test_the_heading_of_the_picture_is_short_and_each_member_says_that_it_is_unstable(document, trials, member):
    document["front"] = [member(17, 0.981, 14.2, unstable="busy; the clock stepped", runtime="openvino")]
    points = front_points(document, trials)
    assert "busy" in points.subtitle
    figure = picture(points)
    assert "busy" not in figure.layout.title.text
    assert ">baseline: PyTorch eager, fp32, 1 thread, 8 ms<" in figure.layout.title.text, "a line of its own"
    assert figure.layout.annotations[0].text.endswith("17: openvino (unstable)")


def test_kinds_differ_in_shape_and_not_in_colour_alone(document, trials):
    figure = picture(front_points(document, trials))
    kinds = [trace for trace in figure.data if "markers" in trace.mode and trace.showlegend is not False]
    marks = {trace.name: (trace.marker.symbol or "circle", trace.marker.size) for trace in kinds}
    assert len(set(marks.values())) == len(marks) == 4, "others, front, baseline, the headline's"


def test_numbers_of_members_side_by_side_are_on_different_sides(document, trials, member):
    document["front"].append(member(18, 0.981, 14.3))
    numbered = [t for t in picture(front_points(document, trials)).data if t.name and t.name.startswith("front")]
    sides = {text: side for trace in numbered for text, side in zip(trace.text, trace.textposition, strict=True)}
    assert sides["<b>18</b>"] == sides["<b>4</b>"] == "top right"
    assert sides["<b>17</b>"] == "bottom left"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"front": []}', '{"all": [{}]}'])
def test_another_file_is_refused_in_one_sentence(content, tmp_path):
    file = tmp_path / "front.json"
    file.write_text(content)
    with pytest.raises(RequestError, match="holds no front with all its trials"):
        read_front(file)


def test_another_ending_is_refused_in_one_sentence(printed, tmp_path, capsys):
    assert main([str(printed), str(tmp_path / "front.gif")]) == 2
    assert "a picture ends in .png, .svg, .pdf" in capsys.readouterr().err
    assert main([str(tmp_path / "none.json"), str(tmp_path / "front.png")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err


def test_what_is_missing_is_said_in_one_sentence(printed, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no Chrome")

    monkeypatch.setattr("plotly.graph_objects.Figure.to_image", fail)
    for spec, said in ((None, "pip install 'frontrunner.figures.'"), ("there", "Chrome or Chromium")):
        monkeypatch.setattr("dashboards.picture_file.find_spec", lambda _, spec=spec: spec)
        with pytest.raises(RequestError, match=f"a picture needs .*{said}"):
            write_picture(read_front(printed), tmp_path / "front.png")


def test_a_picture_is_made_where_there_is_a_browser(printed, tmp_path):
    pytest.importorskip("kaleido")
    to = tmp_path / "front.png"
    try:
        write_picture(read_front(printed), to)
    except RequestError as error:
        pytest.skip(str(error))
    assert to.read_bytes().startswith(PNG)


def test_the_example_is_a_front_that_can_be_drawn_and_its_picture_is_beside_it():
    points = read_front(EXAMPLE)
    assert len(points.points) >= 10
    names = {trace.name for trace in picture(points).data}
    assert {"front", "line of the front", "baseline", "runtime alone", "named in the headline"} <= names
    assert EXAMPLE.with_suffix(".png").read_bytes().startswith(PNG)
    assert {file.suffix for file in EXAMPLE.parent.iterdir()} == {".json", ".png"}
    assert set(ENDINGS) >= {".png"}
