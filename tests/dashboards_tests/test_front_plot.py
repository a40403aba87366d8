"""The front as a plot of characters."""

from dashboards.figures.front_points import front_points
from dashboards.front_plot import front_plot


def test_members_are_their_numbers_where_they_are_and_nothing_is_too_wide(document, trials):
    shown = front_plot(front_points(document, trials), 80)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    where = {mark: [(n, line.index(mark)) for n, line in enumerate(lines) if mark in line[10:]] for mark in ("17", "B")}
    (fast, slow) = (where[mark][0] for mark in ("17", "B"))
    assert fast[1] > slow[1], "faster is further to the right"
    assert fast[0] > slow[0], "less accurate is further down"
    assert lines[0].startswith("   98.6 %")
    assert lines[-1].endswith("32x")


def test_equal_points_and_no_points_have_a_plot(document, member):
    document["front"] = []
    assert "B" in front_plot(front_points(document, [document["baseline"]]), 80)
    assert front_plot(front_points({**document, "baseline": None, "knee": None}, []), 80) == ""


def test_numbers_at_one_place_are_printed_beside_each_other(document, member):
    document["front"] = [member(n, 0.98, 4.0) for n in (1, 11)]
    assert "11 1" in front_plot(front_points(document, [document["baseline"]]), 80)
