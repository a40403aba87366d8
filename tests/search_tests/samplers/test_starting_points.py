"""What a study begins with, and what of that needs no training."""

from search_tests.simulation import make_chains

from search.samplers.starting_points import starting_points, untrained_points


def test_what_needs_no_training_changes_how_the_network_is_lowered_alone() -> None:
    space = make_chains().space
    found = untrained_points(space)
    assert [(point["numeric_precision"], point["runtime"]) for point in found] == [
        ("int8", "onnxruntime"),
        ("fp32", "onnxruntime"),
        ("fp32", "openvino"),
    ]
    assert all((point["student_width"], point["channel_pruning"]) == (1.0, 0.0) for point in found)
    assert set(found) < set(starting_points(space))


def test_what_the_baseline_does_not_draw_is_neutral_where_a_technique_is_alone() -> None:
    rates_and_epochs = {"learning_rate": [0.1, 0.2, 0.4], "training_epochs": [4, 8]}
    space = make_chains({"student_width": [1.0, 0.5], **rates_and_epochs}).space
    (narrow,) = [point for point in starting_points(space)[2:] if point["student_width"] == 0.5]
    assert (narrow["learning_rate"], narrow["training_epochs"]) == (0.2, 8)


def test_all_at_once_changes_the_given_network_and_another_one_is_tried_alone() -> None:
    space = make_chains({"student": ["teacher", "resnet18"], "student_width": [1.0, 0.5]}).space
    _, together, *alone = starting_points(space)
    assert (together["student"], together["student_width"]) == ("teacher", 0.5)
    assert [(point["student"], point["student_width"]) for point in alone if point["student"] != "teacher"] == [
        ("resnet18", 1.0)
    ]


def test_where_a_space_offers_everything_a_search_begins_with_the_techniques_and_values_of_every_search() -> None:
    every = make_chains(dict.fromkeys(("student_width", "channel_pruning", "input_resolution"), "every")).space
    _, together, *alone = starting_points(every)
    assert (together["student_width"], together["channel_pruning"]) == (0.125, 0.75)
    assert {point["input_resolution"] for point in (together, *alone)} == {1.0}
    named = make_chains({"student_width": [1.0, 0.5], "input_resolution": [1.0, 0.75]}).space
    _, together, *alone = starting_points(named)
    assert (together["student_width"], together["input_resolution"]) == (0.5, 0.75)
    assert [point["input_resolution"] for point in alone] == [1.0, 0.75]


def test_the_last_number_format_is_the_last_one_offered_by_default() -> None:
    formats = make_chains({"numeric_precision": "every", "runtime": "all"}).space
    assert {axis.name: axis.values[-1] for axis in formats.axes}["numeric_precision"] != "int8"
    assert "int8" in [point["numeric_precision"] for point in starting_points(formats)]
