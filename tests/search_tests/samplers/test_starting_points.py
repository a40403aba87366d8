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
