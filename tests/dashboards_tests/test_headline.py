"""The front in one sentence."""

import pytest

from dashboards.headline import fastest_within, headline, nothing_beats_baseline

PLAIN = "; the baseline is PyTorch eager, fp32, 1 thread, 8 ms"


def test_the_headline_names_the_fastest_within_one_point(document):
    assert headline(document) == (
        "fastest within one accuracy point of the baseline: trial 17, 14.2x (95 % 13.8-14.7), 98.1 % against 98.6 %"
        + PLAIN
    )


def test_the_headline_takes_another_margin(document):
    assert headline(document, within=0.05) == (
        "fastest within 5 accuracy points of the baseline: trial 9, 32.0x (95 % 31.6-32.5), 94.0 % against 98.6 %"
        + PLAIN
    )


def test_a_loss_of_exactly_the_margin_is_within_it(document, member):
    document["baseline"] = member(0, 0.52, 1.0)
    document["front"] = [member(3, 0.47, 9.0)]
    assert 0.52 - 0.05 > 0.47  # in binary
    assert fastest_within(document, 0.05) == document["front"][0]


def test_the_headline_says_that_no_member_is_accurate_enough(document, member):
    document["front"] = [member(8, 0.90, 20.0), member(5, 0.93, 11.0)]
    assert headline(document) == (
        "no faster trial is within one accuracy point of the baseline; the closest is "
        "trial 5, 11.0x (95 % 10.6-11.5), 93.0 % against 98.6 %" + PLAIN
    )


def test_the_headline_says_that_only_the_baseline_is_there(document):
    document |= {"front": [document["baseline"]], "status": "running"}
    assert headline(document) == "only the baseline is on the front so far, at 98.6 %" + PLAIN
    assert headline({**document, "front": [], "baseline": None}) == "the baseline is not measured yet"


def test_a_member_that_may_be_slower_is_not_called_fast(document, member):
    document["front"] = [member(3, 0.985, 1.2)]
    assert headline(document) == (
        "no trial within one accuracy point of the baseline is significantly faster; the fastest is "
        "trial 3, 1.20x (95 % 0.80-1.70), 98.5 % against 98.6 %" + PLAIN
    )


def test_a_speedup_below_the_resolution_is_not_called_fast(document, member):
    document["front"] = [member(3, 0.985, 1.45)]
    document["front"][0]["measurement"]["speedup_ci95"] = [1.05, 1.95]
    assert headline({**document, "resolution": None}).startswith("fastest within one accuracy point")
    assert headline({**document, "resolution": 0.04}).startswith("fastest within one accuracy point")
    assert headline({**document, "resolution": 0.05}).startswith("no trial within one accuracy point")


def test_the_headline_names_the_ties_of_the_fastest_without_the_baseline(document):
    assert "tied" not in headline(document)
    fastest = document["front"][1]
    fastest["ties"] = [0, 8]
    assert headline(document).endswith("98.1 % against 98.6 %; tied with trial 8" + PLAIN)
    fastest["ties"] = [0, 8, 12]
    assert headline(document).endswith("98.1 % against 98.6 %; tied with trials 8 and 12" + PLAIN)


def test_an_unstable_point_is_the_headline_only_where_there_is_no_other(document, member):
    shaky = member(6, 0.985, 20.0, unstable="the interval stayed wide")
    assert headline({**document, "front": [*document["front"], shaky]}) == headline(document)
    assert headline({**document, "front": [shaky]}).endswith("; unstable: the interval stayed wide")


def test_the_headline_says_how_the_baseline_is_called(document):
    document["baseline"]["configuration"]["threads"] = 2
    assert headline(document).endswith("; the baseline is PyTorch eager, fp32, 2 threads, 8 ms")


def test_where_nothing_is_better_the_headline_says_so_plainly(document, member):
    nothing = "nothing beats your model as it is" + PLAIN
    document["front"] = [document["baseline"]]
    assert headline(document) == nothing
    alike = member(3, 0.985, 1.1)
    document["front"] = [alike, document["baseline"]]
    assert not nothing_beats_baseline(document), "it is more in something, perhaps"
    alike["ties"] = [0]
    assert headline(document) == nothing
    document["front"].append(member(4, 0.90, 5.0))
    assert not nothing_beats_baseline(document), "one is faster"


@pytest.mark.parametrize("ties", [[], [9]])
def test_of_two_that_are_tied_the_one_with_fewer_threads_is_the_headline(document, member, ties):
    one, two = member(8, 0.98, 20.0, threads=1), member(9, 0.98, 20.2, threads=2)
    one["ties"], two["ties"] = ties, [8] if ties else []
    document["front"] = [two, one]
    assert fastest_within(document)["trial"] == (8 if ties else 9)
