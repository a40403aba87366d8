"""Map-style datasets as splits: joined, seeded, hashed, and read by workers."""

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from runners_tests.workloads.sound_workload import SOUND, inputs
from runners_tests.workloads.workload_contract import RULES, Rule
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torchvision import datasets, transforms

from runners.dataset_split import DatasetSplit, as_dataset_split
from runners.executors.inspection import inspect_on_this_machine
from runners.workload import Workload
from runners.workload_loading.user_module import load_module
from spaces.errors import RequestError


class Items(Dataset[Any]):
    """The items of a list."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Noisy(Items):
    """Items with noise from each of the three usual generators."""

    def __getitem__(self, index: int) -> Any:
        import random

        return torch.rand(2) + random.random() + float(np.random.rand()), index


BOTH = np.array([0, 1])


def test_a_batch_has_arrays_in_the_formats_that_a_network_takes() -> None:
    split = DatasetSplit(TensorDataset(torch.arange(6, dtype=torch.float64).reshape(3, 2), torch.tensor([0, 1, 2])))
    inputs, targets = split.batch(np.array([2, 0]))
    assert len(split) == 3
    assert inputs.tolist() == [[4, 5], [0, 1]]
    assert targets.tolist() == [2, 0]
    assert (inputs.dtype, targets.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize(
    ("item", "inputs", "targets"),
    [
        ((torch.zeros(2), 1), (2, 2), [1, 1]),
        (torch.zeros(2), (2, 2), None),
        ((np.zeros(2, np.float64),), (2, 2), None),
        (((torch.zeros(2), torch.zeros(3)),), ((2, 2), (2, 3)), None),
        (((torch.zeros(2), torch.zeros(3)), 1.5), ((2, 2), (2, 3)), [1.5, 1.5]),
        ({"ids": torch.zeros(2), "mask": torch.ones(3), "labels": 1}, {"ids": (2, 2), "mask": (2, 3)}, [1, 1]),
        (({"ids": torch.zeros(2)}, 3), {"ids": (2, 2)}, [3, 3]),
    ],
)
def test_an_item_may_have_several_inputs_or_no_target(item: Any, inputs: Any, targets: Any) -> None:
    given, labels = DatasetSplit(Items(item, item)).batch(BOTH)
    shapes = {name: array.shape for name, array in given.items()} if isinstance(given, dict) else given
    shapes = tuple(array.shape for array in given) if isinstance(given, tuple) else shapes
    assert (shapes.shape if isinstance(shapes, np.ndarray) else shapes) == inputs
    assert (labels if labels is None else labels.tolist()) == targets


def test_what_a_dataset_draws_stays_the_same_but_for_each_epoch_of_training() -> None:
    split = DatasetSplit(Noisy(*range(4)))
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first, _ = split.batch(np.array([1, 3]))
    assert torch.equal(torch.rand(1), expected), "the random numbers of others go on as they would"
    assert np.array_equal(split.batch(np.array([3, 1]))[0], first[::-1])
    epochs = [next(iter(split.epoch_batches([np.array([1, 3])], seed)))[0] for seed in (5, 5, 6)]
    assert np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], first)


def test_workers_read_the_same_batches_in_the_same_order() -> None:
    parts = [np.array([2, 0]), np.array([1, 3]), np.array([3, 2])]
    alone, beside = (DatasetSplit(Noisy(*range(4)), workers=workers).epoch_batches(parts, 9) for workers in (0, 2))
    for one, other in zip(alone, beside, strict=True):
        assert all(np.array_equal(first, second) for first, second in zip(one, other, strict=True))


def test_workers_read_a_class_of_a_persons_file_whatever_way_python_starts_processes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class Numbers:\n"
        "    def __len__(self):\n        return 4\n"
        "    def __getitem__(self, index):\n        return float(index), index\n"
    )
    split = DatasetSplit(load_module(str(tmp_path / "mine.py")).Numbers(), workers=1)
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("forkserver", force=True)
    try:
        assert [targets.tolist() for _, targets in split.epoch_batches([BOTH, BOTH + 2], 0)] == [[0, 1], [2, 3]]
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_the_fingerprint_sees_every_item_and_a_version_stands_for_them() -> None:
    items = [(torch.full((2,), float(index)), index) for index in range(70)]
    prints = [DatasetSplit(Items(*items)).fingerprint() for _ in range(2)]
    items[69] = (torch.full((2,), 69.0), 0)
    prints.append(DatasetSplit(Items(*items)).fingerprint())
    assert prints[0] == prints[1] != prints[2]
    assert (
        DatasetSplit(Items(1 / 7, "unreadable"), version="1").fingerprint()
        != DatasetSplit(Items(), version="2").fingerprint()
    )


def test_torchvisions_datasets_and_loaders_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (6, 6), (255, 0, 0)).save(tmp_path / name / "0.png")
    crop = transforms.Compose([transforms.RandomCrop(4), transforms.ToTensor()])
    split = as_dataset_split(datasets.ImageFolder(str(tmp_path), crop))
    assert split is not None
    inputs, targets = split.batch(BOTH)
    assert inputs.shape == (2, 3, 4, 4)
    assert targets.tolist() == [0, 1]
    loader = DataLoader(Items((torch.zeros(2), 1)), batch_size=7, num_workers=1, collate_fn=lambda items: (1, 2))
    made = as_dataset_split(loader)
    assert made is not None
    assert made.workers == 1
    assert made.batch(np.array([0])) == (1, 2)
    for other in ([1, 2], (1, 2), "ab", {"a": 1}, np.zeros(2), torch.zeros(2), 3):
        assert as_dataset_split(other) is None


def padded(items: Any) -> Any:
    inputs, targets = zip(*items, strict=True)
    return pad_sequence(inputs, batch_first=True), torch.tensor(targets)


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        (
            [(torch.zeros(2), 0), (torch.zeros(3), 1)],
            r"items differ in shape, such as \(2,\) and \(3,\); .*DatasetSplit\(dataset, collate_fn=\.\.\.\) that pads",
        ),
        ([(Image.new("L", (2, 2)), 0)] * 2, r"hold pictures of PIL; .*torchvision\.transforms\.ToTensor\(\)"),
        ([(torch.zeros(2), 0, 1)] * 2, r"an item of 3 parts is not \(input, target\); give DatasetSplit"),
        ([(object(), 0)] * 2, r"items, of int, object, cannot be joined into a batch .*collate_fn"),
    ],
)
def test_items_that_cannot_be_joined_are_one_sentence(items: list[Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence) as refusal:
        DatasetSplit(Items(*items)).batch(BOTH)
    assert "\n" not in str(refusal.value)


def test_a_collate_function_pads_items_of_different_shapes() -> None:
    inputs, targets = DatasetSplit(Items((torch.ones(2), 0), (torch.ones(3), 1)), padded).batch(BOTH)
    assert inputs.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert targets.tolist() == [0, 1]


def test_what_has_no_order_is_refused() -> None:
    class Endless(IterableDataset[Any]):
        def __iter__(self) -> Any:
            yield 1

    with pytest.raises(RequestError, match="Endless cannot be read by index; give a map-style dataset"):
        as_dataset_split(Endless())


class Jittered(Dataset[Any]):
    """Images of one channel, each moved by its transform at random; one of them cannot be read."""

    def __init__(self, seed: int, broken: int = -1) -> None:
        self.images = inputs(40, seed)
        self.broken = broken
        self.transform = transforms.RandomAffine(0, (0.3, 0.3))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        if index == self.broken:
            raise OSError("image file is truncated")
        return self.transform(torch.from_numpy(self.images[index])), index % 3


def of_datasets(**changed: Any) -> Workload:
    splits = {name: Jittered(seed) for seed, name in enumerate(("train", "validation", "test"))}
    return replace(SOUND, data=lambda: {**splits, **changed})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_datasets_with_random_transforms_keep_the_contract(rule: Rule) -> None:
    rule(of_datasets(train=DatasetSplit(Jittered(0), workers=1)))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_item_that_cannot_be_read_is_named_before_a_search_begins(
    monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    sentence = (
        r"^item 7 of the Jittered cannot be read \(OSError: image file is truncated\); correct it, or leave it out$"
    )
    with pytest.raises(RequestError, match=sentence):
        DatasetSplit(Jittered(0, broken=7), workers=workers).fingerprint()
    monkeypatch.setattr("runners.executors.inspection.resolve", lambda reference: of_datasets(test=Jittered(0, 7)))
    with pytest.raises(RequestError, match=r"^workload sound: item 7 of the Jittered cannot be read"):
        inspect_on_this_machine("digits")
