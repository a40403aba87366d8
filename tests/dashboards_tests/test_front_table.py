"""The front on terminals of every width."""

import io

import pytest
from rich.console import Console

from dashboards.front_table import render


def _shown(document, width, resume=""):
    out = io.StringIO()
    Console(file=out, width=width).print(render(document, width, resume))
    return out.getvalue()


def _told(document, width, resume=""):
    """The table as one line, with single blanks."""
    return " ".join(_shown(document, width, resume).split())


def _headings(document, width):
    """The line with the headings; the title above it can take two lines."""
    return next(line for line in _shown(document, width).splitlines() if "speedup" in line)


def test_no_cell_of_the_optional_columns_is_cut(document):
    for member in document["front"]:
        member |= {"ties": [4, 9, 12], "searched": member["measurement"]}
        member["measurement"]["accuracy_train"] = 0.999
    for width in range(32, 180, 4):
        text = _shown(document, width)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", range(32, 160, 4))
def test_no_cell_is_cut_and_no_choice_is_broken(document, width):
    text = _shown(document, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "32.0x" in text
    if "configuration" in text:
        assert "int8," in text


def test_a_hundred_characters_have_room_for_the_main_columns_and_two_choices_in_a_line(document):
    text = _shown(document, 100)
    shown = _headings(document, 100).split()
    assert {"trial", "speedup", "95", "accuracy", "test", "p50", "configuration"} <= set(shown)
    assert "int8, openvino" in text


def test_columns_of_a_higher_rank_are_left_out_first(document):
    headings = [_headings(document, width) for width in (32, 60, 80, 100, 150)]
    assert headings[0].split() == ["trial", "speedup", "accuracy"]
    assert headings[1].split() == ["trial", "speedup", "95", "%", "accuracy", "test", "configuration"]
    assert [len(heading.split()) for heading in headings] == sorted(len(heading.split()) for heading in headings)
    assert "per s" in headings[-1]


def test_a_cost_that_is_an_objective_is_left_out_later(document):
    assert "s to train" in _headings(document, 200)
    assert "s to train" not in _headings(document, 110)
    document["objectives"].append({"name": "train_seconds", "direction": "minimize", "unit": "s"})
    assert "s to train" in _headings(document, 110)


def test_an_unstable_trial_is_marked_and_explained(document, member):
    document["front"].append(member(6, 0.985, 20.0, unstable="the interval stayed wide"))
    text = _shown(document, 100)
    assert "! 6" in text
    assert "! trial 6 is unstable: the interval stayed wide" in text


def test_the_drop_is_shown_with_its_interval_where_that_is_known(document):
    assert "points lost" not in _shown(document, 170)
    document["front"][0]["measurement"] |= {"accuracy_drop": -0.0, "accuracy_drop_ci95": [-0.0061, 0.0061]}
    document["front"][1]["measurement"] |= {"accuracy_drop": 0.005, "accuracy_drop_ci95": [-0.0014, 0.0113]}
    text = _shown(document, 170)
    assert "points lost (95 %)" in _headings(document, 170)
    assert " 0.0 (-0.6 to 0.6) " in text
    assert " 0.5 (-0.1 to 1.1) " in text


def test_ties_are_shown_where_there_are_any_and_left_out_late(document):
    assert "tied with" not in _headings(document, 150)
    document["front"][1]["ties"] = [4]
    document["front"][2]["ties"] = [4, 9, 12, 21]
    assert "tied with" in _headings(document, 60)
    text = _shown(document, 150)
    assert " 4 " in text
    assert "4, 9 and 2 more" in text


def test_the_speedup_in_the_search_is_shown_beside_the_final_one(document):
    assert "in search" not in _headings(document, 150)
    fast = document["front"][1]
    fast["searched"] = {**fast["measurement"], "speedup": 15.5}
    assert "in search" in _headings(document, 150)
    assert "15.5x" in _shown(document, 150)
    assert "in the search (of trial)" not in _shown(document, 150)
    assert "in search" not in _headings(document, 70)
    assert "speedup in the search (of trial): 15.5x (17)" in _shown(document, 70)


def test_accuracies_on_training_validation_and_test_data_are_side_by_side(document):
    assert "train" not in _headings(document, 150).replace("s to train", "")
    document["front"][1]["measurement"]["accuracy_train"] = 0.999
    heading = _headings(document, 150)
    assert heading.index("train") < heading.index("accuracy") < heading.index("test")
    assert "99.9 %" in _shown(document, 150)
    assert "train" not in _headings(document, 70)
    assert "accuracy on training data (of trial): 99.9 % (17)" in _shown(document, 70)


def test_the_table_says_which_differences_are_not_significant(document):
    assert "not significant" not in _shown({**document, "resolution": None}, 100)
    sentence = "differences in speed below {} % are not significant (the baseline timed against itself)"
    assert sentence.format("1.3") in _shown({**document, "resolution": 0.013}, 100)
    assert sentence.format("0.04") in _shown({**document, "resolution": 0.0004}, 100)
    doubted = {**document, "resolution": 0.083, "resolution_doubt": "the machine was busy"}
    told = (
        "differences in speed below 8.3 % are not significant (the baseline timed against itself; the machine was busy)"
    )
    assert told in _told(doubted, 120)


def test_a_study_without_a_resolution_says_so(document):
    unknown = "the smallest significant difference in speed is unknown: the baseline was not timed against itself"
    failed = {**document, "resolution": None, "resolution_doubt": "calibrating: was killed"}
    assert f"{unknown} (calibrating: was killed)" in _told(failed, 150)
    assert _told({**document, "resolution": None, "resolution_doubt": ""}, 150).endswith(unknown)
    assert unknown not in _told({**document, "resolution": None, "status": "running"}, 150), "it may still come"
    assert unknown not in _told({**document, "resolution": 0.0}, 150)


def test_a_front_without_a_final_measurement_says_so(document):
    line = "measured during the search only; `frontrunner resume digits-1` measures the front again"
    assert line in _told(document, 150)
    elsewhere = "frontrunner resume digits-1 --home /h"
    assert f"`{elsewhere}` measures" in _told(document, 150, elsewhere)
    assert line not in _told({**document, "status": "running"}, 150)
    for measured in document["front"]:
        measured["searched"] = measured["measurement"]
    assert line not in _told(document, 150)


def test_markup_in_names_is_printed_as_text(document):
    document["study"] = "try [bold]again[/bold]"
    assert "try [bold]again[/bold]: digits, 6 trials" in _shown(document, 100)


def test_a_study_without_a_baseline_has_an_empty_table(document):
    assert "configuration" in _shown({**document, "front": [], "baseline": None}, 100)


def test_the_head_of_the_table_says_what_all_is_compared_with(document):
    document["baseline"]["configuration"]["threads"] = 2
    lines = _shown(document, 100).splitlines()
    assert lines[0].strip() == "digits-1: digits, 6 trials"
    assert lines[1].strip() == "baseline: PyTorch eager, fp32, 2 threads, 8 ms"


def test_what_the_runtime_alone_gives_stands_below_the_table(document, member):
    assert "runtime alone" not in _told(document, 150)
    alone = {**member(4, 0.986, 4.0, runtime="openvino", threads=2), "searched": {}}
    line = "runtime alone: 4.00x (95 % 3.60-4.50), openvino, 2 threads (trial 4)"
    assert f"{line}; measured during the search only" in _told({**document, "runtime_alone": alone}, 150)
    alone["searched"] = alone["measurement"]
    assert line in _told({**document, "runtime_alone": alone}, 150)
    assert "search only" not in _told({**document, "runtime_alone": alone, "status": "running"}, 150).partition(line)[2]
    alone["measurement"]["unstable"] = "busy"
    assert f"{line}; unstable" in _told({**document, "runtime_alone": alone}, 150)


def test_how_the_baseline_was_served_stands_below_the_table(document):
    assert "throughput of the baseline" not in _told(document, 150)
    document["baseline"]["measurement"]["served_with"] = {"replicas": 2, "threads": 1}
    assert "throughput of the baseline: 100 per s, with 2 replicas on 1 thread each" in _told(document, 150)
    document["baseline"]["measurement"]["served_with"] = {"replicas": 1, "threads": 2}
    assert "throughput of the baseline: 100 per s, with 1 replica on 2 threads" in _told(document, 150)
