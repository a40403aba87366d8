"""The table that is shown of a front, and the sentence that matters."""

import csv
import io

from dashboards.front_document import configuration_text, fastest_within, front_csv, front_rows, headline


def test_the_table_has_the_baseline_first_and_then_the_fastest_first(document):
    rows = front_rows(document)
    assert [row["trial"] for row in rows] == [0, 9, 17, 4]
    assert rows[2] == {
        "trial": 17,
        "ties": "",
        "speedup": 14.2,
        "speedup_low": 14.2 - 0.4,
        "speedup_high": 14.2 + 0.5,
        "accuracy": 0.981,
        "accuracy_low": 0.981 - 0.01,
        "accuracy_high": 0.981 + 0.01,
        "speedup_searched": None,
        "accuracy_train": None,
        "accuracy_test": 0.978,
        "latency_p50_ms": 8 / 14.2,
        "size_mib": 4.0 / 14.2,
        "throughput_per_s": 1420.0,
        "unstable": "",
        "configuration": "int8, openvino",
    }


def test_a_baseline_that_is_on_the_front_is_shown_once(document):
    document["front"].append(document["baseline"])
    assert [row["trial"] for row in front_rows(document)] == [0, 9, 17, 4]


def test_an_objective_that_has_no_column_gets_one(document):
    document["objectives"].append({"name": "peak_memory_mib", "direction": "minimize", "unit": "MiB"})
    assert front_rows(document)[1]["peak_memory_mib"] == 200.0


def test_only_what_differs_from_the_baseline_is_named():
    plain = {"student_width": 1.0, "runtime": "eager"}
    assert configuration_text({"student_width": 0.5, "runtime": "eager", "threads": 2}, plain) == (
        "width=0.5, threads=2"
    )
    assert configuration_text(plain, plain) == "as the baseline"


def test_the_csv_reads_back_as_the_table(document):
    rows = list(csv.DictReader(io.StringIO(front_csv(document))))
    assert [int(row["trial"]) for row in rows] == [0, 9, 17, 4]
    assert [float(row["speedup"]) for row in rows] == [1.0, 32.0, 14.2, 4.0]
    assert rows[2]["configuration"] == "int8, openvino"


def test_the_csv_has_the_ties_the_figure_of_the_search_and_the_accuracy_in_training(document):
    slowest, fast, _ = document["front"]
    fast |= {"ties": [4, 12], "searched": {**fast["measurement"], "speedup": 15.5}}
    fast["measurement"]["accuracy_train"] = 0.999
    slowest["searched"] = None
    rows = {row["trial"]: row for row in csv.DictReader(io.StringIO(front_csv(document)))}
    shown = ("ties", "speedup_searched", "accuracy_train")
    assert [rows["17"][name] for name in shown] == ["4 12", "15.5", "0.999"]
    assert [rows["4"][name] for name in shown] == ["", "", ""]


def test_the_headline_names_the_fastest_within_one_point(document):
    assert headline(document) == (
        "fastest within one accuracy point of the baseline: trial 17, 14.2x (95 % 13.8-14.7), 98.1 % against 98.6 %"
    )


def test_the_headline_takes_another_margin(document):
    assert headline(document, within=0.05) == (
        "fastest within 5 accuracy points of the baseline: trial 9, 32.0x (95 % 31.6-32.5), 94.0 % against 98.6 %"
    )


def test_a_loss_of_exactly_the_margin_is_within_it(document, member):
    document["baseline"] = member(0, 0.52, 1.0)
    document["front"] = [member(3, 0.47, 9.0)]
    assert 0.52 - 0.05 > 0.47  # in binary
    assert fastest_within(document, 0.05) == document["front"][0]


def test_the_headline_says_that_nothing_is_within(document, member):
    document["front"] = [member(8, 0.90, 20.0), member(5, 0.93, 11.0)]
    assert headline(document) == (
        "no faster trial is within one accuracy point of the baseline; the closest is "
        "trial 5, 11.0x (95 % 10.6-11.5), 93.0 % against 98.6 %"
    )


def test_the_headline_says_that_only_the_baseline_is_there(document):
    document["front"] = [document["baseline"]]
    assert headline(document) == "only the baseline is on the front so far, at 98.6 %"
    assert headline({**document, "front": [], "baseline": None}) == "the baseline is not measured yet"


def test_the_headline_does_not_call_fast_what_may_be_slower(document, member):
    document["front"] = [member(3, 0.985, 1.2)]
    assert headline(document) == (
        "no trial within one accuracy point of the baseline is faster than it for certain; the fastest is "
        "trial 3, 1.20x (95 % 0.80-1.70), 98.5 % against 98.6 %"
    )


def test_what_the_machine_cannot_tell_from_the_baseline_is_not_called_fast(document, member):
    document["front"] = [member(3, 0.985, 1.45)]
    document["front"][0]["measurement"]["speedup_ci95"] = [1.05, 1.95]
    assert headline({**document, "resolution": None}).startswith("fastest within one accuracy point")
    assert headline({**document, "resolution": 0.04}).startswith("fastest within one accuracy point")
    assert headline({**document, "resolution": 0.05}).startswith("no trial within one accuracy point")


def test_the_headline_names_what_is_tied_with_the_fastest(document, member):
    document["front"] += [member(8, 0.983, 13.6), member(12, 0.99, 13.5)]
    assert headline(document).endswith("98.1 % against 98.6 %; tied with trials 8 and 12")
    document["front"][-1]["measurement"]["speedup_ci95"] = [13.0, 13.7]
    assert headline(document).endswith("98.1 % against 98.6 %; tied with trial 8")
    assert headline({**document, "resolution": 0.01}).endswith("tied with trials 8 and 12")
    document["front"][-2]["measurement"]["accuracy_ci95"] = [0.992, 0.996]
    assert headline(document).endswith("98.1 % against 98.6 %")


def test_a_fast_point_of_another_accuracy_is_no_tie(document, member):
    document["front"] += [member(8, 0.90, 14.2)]
    assert "tied" not in headline(document)


def test_an_unstable_point_is_the_headline_only_where_there_is_no_other(document, member):
    shaky = member(6, 0.985, 20.0, unstable="the interval stayed wide")
    assert headline({**document, "front": [*document["front"], shaky]}) == headline(document)
    assert headline({**document, "front": [shaky]}).endswith("; not to be trusted: the interval stayed wide")
