"""Batches of several inputs: shared out, augmented, mixed, cut into parts; and those of a dataset, drawn anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runners.dataset_split import DatasetSplit
from runners.lowering.weights import load_network, save_network
from runners.training.batches import Batch, batches
from runners.training.level import train_level
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.training.worker_processes import train_in_parallel
from runners.workload import Workload
from runners.workload_loading.reference import resolve
from spaces.plans import TrainingPlan

SOURCE = """
import numpy as np
from torch import nn
from runners.workload import Workload
from spaces.plans import TrainingPlan


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.numbers = nn.Embedding(20, 8), nn.Linear(4, 8)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(8, 3))

    def forward(self, tokens, numbers):
        return {"logits": self.head(self.words(tokens).mean(1) + self.numbers(numbers)), "tokens": tokens}


def data():
    random = np.random.default_rng(0)
    numbers = random.normal(size=(96, 4)).astype(np.float32)
    inputs = {"numbers": numbers, "tokens": random.integers(0, 20, (96, 5))}
    labels = random.integers(0, 3, 96)
    return {name: (inputs, labels) for name in ("train", "validation", "test")}


WORKLOAD = Workload("both", Both, data, output="logits", training=TrainingPlan(epochs=1, batch_size=32))
"""


def both(folder: Path) -> tuple[str, Workload]:
    (folder / "both.py").write_text(SOURCE)
    reference = f"{folder / 'both.py'}:WORKLOAD"
    return reference, resolve(reference)


def level(workload: Workload, epochs: int = 1, **choices: Any) -> Level:
    return Level.whole(TrainingSettings(replace(workload.training, epochs=epochs, **choices)), seed=3)


def test_workers_share_each_batch_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    _, workload = both(tmp_path)
    whole = list(batches(workload, level(workload)))
    shares = [[each.share_of(rank, 2) for each in batches(workload, level(workload), rank)] for rank in (0, 1)]
    assert [each.dtype for each in whole[0].inputs] == [torch.float32, torch.int64]
    for batch, *parts in zip(whole, *shares, strict=True):
        for place in (0, 1):
            assert torch.equal(
                torch.stack([part.inputs[place] for part in parts], 1).flatten(0, 1), batch.inputs[place]
            )
    assert sum(map(len, whole)) == 96


def test_two_workers_with_parts_give_the_weights_of_one_with_all(tmp_path: Path) -> None:
    reference, workload = both(tmp_path)
    start, one, two = (tmp_path / name for name in ("start", "one", "two"))
    for folder in (start, one, two):
        folder.mkdir()
    save_network(workload.network(), start)
    train_level(workload, level(workload, distillation_weight=0.5), LevelFolders(start, start, one))
    halves = level(workload, distillation_weight=0.5, workers=2, accumulation=4)
    train_in_parallel(reference, halves, LevelFolders(start, start, two), threads=1)
    expected, found = (load_network(workload.network, folder).state_dict() for folder in (one, two))
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-5)


def test_a_batch_is_cut_into_parts_of_one_size() -> None:
    batch = Batch((torch.arange(10.0),), torch.arange(10), torch.arange(10), 0.25)
    assert [len(part) for part in batch.parts(4)] == [2, 3, 2, 3]
    assert [len(part) for part in batch.parts(20)] == [1] * 10
    assert torch.cat([part.inputs[0] for part in batch.parts(3)]).equal(batch.inputs[0])


def test_examples_are_mixed_with_their_neighbours_after_they_are_augmented() -> None:
    inputs, labels = np.eye(8, dtype=np.float32), np.arange(8)
    splits = dict.fromkeys(("train", "validation", "test"), (inputs, labels))
    workload = Workload("eye", torch.nn.Identity, lambda: splits, augment=lambda batch, _: 2 * batch)
    (batch,) = batches(workload, level(workload, batch_size=8, mixup=0.4))
    assert batch.others is not None
    one_hot = torch.nn.functional.one_hot
    mixed = batch.share * one_hot(batch.targets, 8) + (1 - batch.share) * one_hot(batch.others, 8)
    torch.testing.assert_close(batch.inputs[0], 2 * mixed)
    (plain,) = batches(workload, level(workload, batch_size=8))
    assert torch.equal(plain.targets, batch.targets)


class Noisy(torch.utils.data.Dataset[tuple[Tensor, int]]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return index + 0.1 * torch.rand(1), index


def test_a_dataset_draws_anew_in_every_epoch_and_alike_when_an_epoch_is_trained_again() -> None:
    workload = Workload("noisy", torch.nn.Identity, lambda: dict.fromkeys(("train", "validation", "test"), SPLIT))
    plan = level(workload, epochs=2, batch_size=8)
    first, second = (batch.inputs[0].flatten() for batch in batches(workload, plan))
    (again,) = batches(workload, replace(plan, epochs=range(1, 2)))
    assert torch.equal(again.inputs[0].flatten(), second)
    assert not torch.equal(first.sort().values, second.sort().values)


SPLIT = DatasetSplit(Noisy())


class Counting:
    """A split of a person's own, with attributes of its own."""

    epoch, epoch_batches = 3, None

    def __len__(self) -> int:
        return 8

    def batch(self, indices: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[Any, Any]:
        return indices.astype(np.float32)[:, None], indices

    def fingerprint(self) -> str:
        return "numbers"


def test_a_split_with_an_attribute_of_that_name_is_read_batch_by_batch() -> None:
    splits = dict.fromkeys(("train", "validation", "test"), Counting())
    workload = Workload("counting", torch.nn.Identity, lambda: splits)
    (batch,) = batches(workload, level(workload, batch_size=8))
    assert sorted(batch.targets.tolist()) == list(range(8))


def further(count: int) -> Workload:
    """Labels 0 and inputs that are their own numbers, and ``count`` unlabelled inputs, which are negative."""
    numbers = np.arange(1, 33, dtype=np.float32)[:, None]
    extra = -np.arange(1, count + 1, dtype=np.float32)[:, None]

    def data() -> dict[str, Any]:
        pairs = {name: (numbers, np.zeros(32, np.int64)) for name in ("train", "validation")}
        return {**pairs, "unlabelled": (extra, np.full(count, -1))}

    plan = TrainingPlan(epochs=2, batch_size=8)
    return Workload("further", lambda: torch.nn.Linear(1, 2), data, training=plan)


def test_each_batch_has_as_many_unlabelled_inputs_and_each_epoch_others() -> None:
    found = [*batches(workload := further(80), level(workload, 2), distils=True)]
    drawn = [
        [int(value) for batch in found[first : first + 4] for value in batch.unlabelled[0][:, 0]] for first in (0, 4)
    ]
    assert [len(set(each)) for each in drawn] == [32, 32]
    assert set(drawn[0]) != set(drawn[1])
    both = found[0].all_inputs[0][:, 0]
    assert (both[:8] > 0).all()
    assert (both[8:] < 0).all()


def test_a_small_unlabelled_split_is_drawn_several_times() -> None:
    found = [*batches(workload := further(5), level(workload, 1), distils=True)]
    assert [len(batch.unlabelled[0]) for batch in found] == [8] * 4
    assert {int(value) for batch in found for value in batch.unlabelled[0][:, 0]} == {-1, -2, -3, -4, -5}


def test_workers_and_parts_share_the_unlabelled_inputs_as_they_share_the_others() -> None:
    workload = further(80)
    whole = next(batches(workload, level(workload, 1), distils=True))
    shares = [next(batches(workload, level(workload, 1), rank, distils=True)).share_of(rank, 2) for rank in (0, 1)]
    assert torch.equal(torch.stack([share.unlabelled[0] for share in shares], 1).flatten(0, 1), whole.unlabelled[0])
    assert torch.equal(torch.cat([part.unlabelled[0] for part in whole.parts(3)]), whole.unlabelled[0])


def test_labelled_batches_are_the_same_with_and_without_a_teacher() -> None:
    workload = further(80)
    alone, beside = ([*batches(workload, level(workload, 2), distils=distils)] for distils in (False, True))
    assert not any(batch.unlabelled for batch in alone)
    for one, other in zip(alone, beside, strict=True):
        assert torch.equal(one.inputs[0], other.inputs[0])
