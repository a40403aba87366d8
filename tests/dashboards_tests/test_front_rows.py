"""The rows of a front, and the same as comma-separated values."""

import csv
import io

import pytest

from dashboards.front_rows import fastest_first, front_csv, front_rows


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
        "accuracy_drop": 0.986 - 0.981,
        "accuracy_drop_low": None,
        "accuracy_drop_high": None,
        "speedup_searched": None,
        "accuracy_train": None,
        "accuracy_test": 0.978,
        "latency_p50_ms": 8 / 14.2,
        "size_mib": 4.0 / 14.2,
        "throughput_per_s": 1420.0,
        "lowering_seconds": None,
        "train_seconds": 3.0,
        "load_ms": 30.0,
        "macs": 1000,
        "parameters": 500,
        "gap_validation": None,
        "gap_test": None,
        "unstable": "",
        "configuration": "int8, openvino",
    }


def test_a_baseline_that_is_on_the_front_is_shown_once(document):
    document["front"].append(document["baseline"])
    assert [row["trial"] for row in front_rows(document)] == [0, 9, 17, 4]


def test_an_objective_that_has_no_column_gets_one(document):
    document["objectives"].append({"name": "peak_memory_mib", "direction": "minimize", "unit": "MiB"})
    assert front_rows(document)[1]["peak_memory_mib"] == 200.0


def test_the_inputs_of_a_call_have_a_column_where_there_are_several(document):
    assert "batch" not in front_rows(document)[0]
    for one in (document["baseline"], *document["front"]):
        one["measurement"]["batch"] = 8
    rows = list(csv.DictReader(io.StringIO(front_csv(document))))
    assert [row["batch"] for row in rows] == ["8"] * 4


def test_the_csv_reads_back_as_the_table(document):
    rows = list(csv.DictReader(io.StringIO(front_csv(document))))
    assert [int(row["trial"]) for row in rows] == [0, 9, 17, 4]
    assert [float(row["speedup"]) for row in rows] == [1.0, 32.0, 14.2, 4.0]
    assert rows[2]["configuration"] == "int8, openvino"


def test_the_csv_has_ties_the_speedup_in_the_search_and_the_accuracy_on_training_data(document):
    slowest, fast, _ = document["front"]
    fast |= {"ties": [4, 12], "searched": {**fast["measurement"], "speedup": 15.5}}
    fast["measurement"]["accuracy_train"] = 0.999
    slowest["searched"] = None
    rows = {row["trial"]: row for row in csv.DictReader(io.StringIO(front_csv(document)))}
    shown = ("ties", "speedup_searched", "accuracy_train")
    assert [rows["17"][name] for name in shown] == ["4 12", "15.5", "0.999"]
    assert [rows["4"][name] for name in shown] == ["", "", ""]


def test_of_members_that_are_tied_the_one_with_fewer_threads_comes_first(member):
    fast, alike, slow = member(1, 0.98, 9.0, threads=4), member(2, 0.98, 8.8, threads=1), member(3, 0.98, 5.0)
    fast["ties"], alike["ties"], slow["ties"] = [2], [1], []
    assert [m["trial"] for m in fastest_first([slow, fast, alike])] == [2, 1, 3]
    fast["ties"] = alike["ties"] = []
    assert [m["trial"] for m in fastest_first([slow, fast, alike])] == [1, 2, 3]


def test_the_csv_has_what_a_member_costs_and_how_much_better_it_is_on_training_data(document):
    fast = document["front"][1]
    fast["measurement"]["accuracy_train"] = 0.991
    rows = {row["trial"]: row for row in csv.DictReader(io.StringIO(front_csv(document)))}
    costs = ("train_seconds", "load_ms", "macs", "parameters")
    assert [rows["17"][name] for name in costs] == ["3.0", "30.0", "1000", "500"]
    assert float(rows["17"]["gap_validation"]) == pytest.approx(0.991 - 0.981)
    assert float(rows["17"]["gap_test"]) == pytest.approx(0.991 - 0.978)
    assert rows["4"]["gap_test"] == "", "nothing is known of its training data"


def test_a_gap_is_positive_where_training_data_are_answered_better_also_where_less_is_better(document):
    document |= {"metric": "rmse", "metric_direction": "minimize", "metric_unit": "K"}
    document["front"][1]["measurement"] |= {"accuracy_train": 1.5, "accuracy": 1.9, "accuracy_test": 2.0}
    (row,) = (row for row in front_rows(document) if row["trial"] == 17)
    assert (row["gap_validation"], row["gap_test"]) == (pytest.approx(0.4), pytest.approx(0.5))
