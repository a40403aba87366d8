"""Blocks that leave a network: which can, which do, and what is said where none can."""

import pytest
import torch
from spaces_tests.techniques.architecture.changed_networks import Block, changed, context, pictures, residual_network
from torch import Tensor, nn

from spaces.environment import Environment
from spaces.errors import WorkFailed
from spaces.network_changes.block_importance import importances
from spaces.network_changes.removable_blocks import leaving, removable_blocks, remove_blocks
from spaces.space_document import make_space


def test_the_block_whose_loss_changes_the_outputs_least_leaves_first() -> None:
    given = context(calibration=lambda count: [(pictures(),)] * count)
    for share, kept in ((0.25, [3.0, 2.0, 4.0]), (0.75, [3.0, 4.0])):
        network = changed(residual_network(3.0, 0.1, 2.0, 4.0), {"block_pruning": share}, given)
        assert [block.gain for block in network[1]] == kept


def test_what_stays_keeps_its_weights() -> None:
    network = residual_network(1.0, 0.0, 1.0)
    before = network(pictures(4))
    assert torch.equal(changed(network, {"block_pruning": 0.5})(pictures(4)), before), "the block of gain 0 left"


def test_importance_is_the_share_of_the_outputs_squares_that_is_lost() -> None:
    network = nn.Sequential(nn.ReLU(), *(nn.Sequential(nn.Linear(1, 1, bias=False)) for _ in range(2)))
    for layer, factor in zip((network[1][0], network[2][0]), (2.0, 1.0), strict=True):
        nn.init.constant_(layer.weight, factor)  # type: ignore[arg-type]
    found = importances(network, ["1", "2"], [(torch.ones(1, 1),), (torch.ones(1, 1),)])
    assert found == {"1": pytest.approx(0.25), "2": 0.0}


def test_a_student_keeps_a_share_of_the_blocks_evenly_spaced_and_the_first_of_a_row() -> None:
    made = changed(nn.Identity(), {"student_depth": 0.5}, context(initial=lambda: residual_network(0, 1, 2, 3, 4)))
    assert [block.gain for block in made[1]] == [0, 1, 3]
    least = changed(nn.Identity(), {"student_depth": 0.0}, context(initial=lambda: residual_network(0, 1, 2)))
    assert [block.gain for block in least[1]] == [0]


def test_a_share_that_removes_none_is_one_sentence() -> None:
    with pytest.raises(
        WorkFailed, match=r"^keeping 0\.9 of the 2 blocks that can leave removes none; give another share$"
    ):
        changed(nn.Identity(), {"student_depth": 0.9}, context(initial=lambda: residual_network(1, 1, 1)))


@pytest.mark.parametrize("name", ["student_depth", "block_pruning"])
def test_a_network_without_a_block_is_one_sentence(name: str) -> None:
    def plain() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(1152, 4)).eval()

    with pytest.raises(
        WorkFailed, match="no block that could leave it: no repeated part of a Sequential or ModuleList"
    ):
        changed(plain(), {name: 0.5}, context(initial=plain))


class Stage(nn.Module):
    """Blocks in a list, called by keyword and answering with a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Answering() for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x, _ = block(hidden=x)
        return x


class Answering(Block):
    def forward(self, hidden: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return super().forward(hidden), None


def test_blocks_called_by_keyword_that_answer_with_a_tuple_are_found_and_measured() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), Stage(), Stage()).eval()
    found = removable_blocks(network, (pictures(),))
    assert found == [f"{stage}.blocks.{number}" for stage in (1, 2) for number in range(3)], "not the stages"
    assert all(importance > 0 for importance in importances(network, found, [(pictures(),)]).values())
    assert leaving(network, found, 6) == [name for name in found if not name.endswith("2")], "the last of a row stays"


def test_blocks_of_rows_inside_of_each_other_leave_together() -> None:
    rows = nn.Sequential(*(nn.Sequential(Block(number), Block(number)) for number in range(3)))
    rows.append(Block(7))
    remove_blocks(rows, ["0", "1.0", "2.1"])
    assert [[block.gain for block in row] for row in rows[:2]] == [[1], [2]]


def test_a_row_of_layers_is_a_block_where_the_same_layers_occur_again_with_a_product_among_them() -> None:
    norms = [nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()) for _ in range(2)]
    products = [nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()) for _ in range(2)]
    other = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Tanh())
    network = nn.Sequential(nn.Conv2d(3, 8, 1), *norms, *products, other).eval()
    assert removable_blocks(network, (pictures(),)) == ["3", "4"]


def test_an_encoder_of_torch_gets_shorter_and_still_runs() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False).eval()
    example = (torch.randn(1, 5, 16),)
    shorter = changed(encoder, {"block_pruning": 0.75}, context(example))
    assert len(shorter.layers) == 2
    with torch.inference_mode():
        assert shorter(*example).shape == (1, 5, 16)


def test_blocks_of_a_student_are_not_chosen_by_importance_since_its_weights_are_new() -> None:
    choices = {"student_width": [1.0, 0.5], "student_depth": [1.0, 0.5], "block_pruning": [0.0, 0.5]}
    drawn = [dict(found) for found in make_space(choices, Environment()).configurations()]
    pruned = [found for found in drawn if found.get("block_pruning")]
    assert [(found["student_width"], found["student_depth"]) for found in pruned] == [(1.0, 1.0)]
    assert len(drawn) == 5
