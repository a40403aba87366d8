"""A front as a picture, from what the command line prints, and the example in the repository."""

import io
import json
from pathlib import Path

import plotly.graph_objects as go
import pytest
from PIL import Image

from dashboards.figures.front_points import front_points
from dashboards.figures.measured_trials import measured_trials
from dashboards.figures.style import finish, with_heading
from dashboards.report.front_picture import picture
from dashboards.report.picture import FRONT, check_picture, write_picture
from dashboards.tracking.front_png import front_png
from spaces.errors import RequestError

EXAMPLE = Path(__file__).resolve().parents[3] / "dashboards" / "example" / "digits_front.json"
PNG = b"\x89PNG\r\n\x1a\n"


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


def test_a_long_heading_takes_two_lines():
    figure = with_heading(finish(go.Figure()), "a study on a machine with " + "a long name " * 8, width=800)
    lines = figure.layout.title.text.split("<br>")
    assert len(lines) == 2
    assert all(len(line) <= 80 + len("<b></b>") for line in lines)


def test_kinds_differ_in_shape_and_not_in_colour_alone(document, trials):
    figure = picture(front_points(document, trials))
    kinds = [trace for trace in figure.data if "markers" in trace.mode and trace.showlegend is not False]
    marks = {trace.name: (trace.marker.symbol or "circle", trace.marker.size) for trace in kinds}
    assert len(set(marks.values())) == len(marks) == 5, "others, front, baseline, the knee, the headline's"


def test_numbers_of_members_side_by_side_are_on_different_sides(document, trials, member):
    document["front"].append(member(18, 0.981, 14.3))
    numbered = [t for t in picture(front_points(document, trials)).data if t.name and t.name.startswith("front")]
    sides = {text: side for trace in numbered for text, side in zip(trace.text, trace.textposition, strict=True)}
    assert sides["<b>4</b>"] == "top right"
    assert {sides["<b>17</b>"], sides["<b>18</b>"]} == {"top right", "bottom left"}


def test_another_ending_or_figure_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr("dashboards.report.picture_file.find_spec", lambda _: "there")
    with pytest.raises(RequestError, match=r"--to front.gif: a report ends in one of .html, .json, .png, .svg, .pdf"):
        check_picture(Path("front.gif"), None)
    with pytest.raises(RequestError, match=r"--figure importanse: allowed are front, .*importance"):
        check_picture(Path("front.png"), "importanse")


def test_what_is_missing_is_said_in_one_sentence(report, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no Chrome")

    monkeypatch.setattr("plotly.graph_objects.Figure.to_image", fail)
    with pytest.raises(RequestError, match=r"a picture needs .*Chrome or Chromium"):
        write_picture(report, FRONT, tmp_path / "front.png")
    monkeypatch.setattr("dashboards.report.picture_file.find_spec", lambda _: None)
    with pytest.raises(RequestError, match=r"a picture needs .*pip install 'frontrunner.figures.'"):
        check_picture(tmp_path / "front.png", FRONT)


def test_a_picture_without_a_browser_has_what_the_figure_has(document, trials, member):
    trials.append(member(30, 0.985, 0.02))
    for kept in ({}, {"front": [], "knee": None}, {"front": [], "baseline": None, "knee": None}):
        shown = front_points({**document, **kept}, trials if kept.get("baseline", 1) else [])
        image = Image.open(io.BytesIO(front_png(shown)))
        assert (image.format, image.size) == ("PNG", (880, 484))
        drawn = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
        assert ((0, 0x72, 0xB2) in drawn) == bool(shown.points and not kept), "the front is blue"


@pytest.mark.parametrize(("ending", "begins"), [(".png", PNG), (".svg", b"<svg"), (".pdf", b"%PDF")])
def test_a_picture_is_made_where_there_is_a_browser(report, tmp_path, ending, begins):
    pytest.importorskip("kaleido")
    to = tmp_path / f"front{ending}"
    try:
        write_picture(report, None, to)
    except RequestError as error:
        pytest.skip(str(error))
    assert to.read_bytes().startswith(begins)


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_the_example_is_a_front_that_can_be_drawn_and_its_picture_is_beside_it(name):
    example = EXAMPLE.with_name(f"{name}_front.json")
    document = json.loads(example.read_text())
    points = front_points(document, measured_trials(document))
    assert len(points.points) >= 10
    names = {trace.name for trace in picture(points).data}
    assert {"front", "line of the front", "baseline", "named in the headline"} <= names
    assert ("runtime alone" in names) == (document["runtime_alone"] is not None)
    assert example.with_suffix(".png").read_bytes().startswith(PNG)
