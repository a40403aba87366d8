"""What a stage asks of a cluster whose nodes have less than it would use."""

import pytest

from runners.executors.cluster.node_size import NodeSize, at_most, in_words, total
from runners.runner import StageTask


@pytest.mark.parametrize(
    ("asks", "nodes", "given"),
    [
        ((16, 0), [(1, 0)], (1, 0)),
        ((16, 0), [(1, 0), (8, 0), (4, 1)], (8, 0)),
        ((2, 0), [(8, 0)], (2, 0)),
        ((16, 1), [(32, 0), (4, 1)], (4, 1)),
        ((16, 4), [(32, 0), (4, 1), (8, 2)], (8, 2)),
        ((1, 1), [(0, 0), (2, 0)], (1, 0)),
    ],
)
def test_a_stage_asks_for_no_more_than_one_node_has(
    asks: tuple[int, int], nodes: list[tuple[int, int]], given: tuple[int, int]
) -> None:
    task = StageTask("training", "a" * 64, {}, {}, "digits", 0, cpus=asks[0], gpus=asks[1])
    granted = at_most(task, [NodeSize(*node) for node in nodes])
    assert (granted.cpus, granted.gpus) == given


def test_sizes_are_told_in_words() -> None:
    assert in_words(NodeSize(1, 0)) == "1 CPU"
    assert in_words(total([NodeSize(2, 1), NodeSize(4, 1)])) == "6 CPUs and 2 GPUs"
