"""A split made from a map-style dataset of PyTorch, as torchvision and others give it."""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from runners.inputs import without_target
from spaces.errors import RequestError, in_one_line

READ_AT_ONCE = 32
"""Items that are read at once to hash them."""
EVALUATION = 0
"""The seed of what a dataset draws at random wherever a network is not being trained."""


class DatasetSplit:
    """The items of a dataset with ``__len__`` and ``__getitem__``, joined into batches.

    An item is a pair ``(input, target)``, or an input alone; an input may be a tuple or a mapping by the names of
    ``forward``'s arguments. Several inputs alone are a mapping, or a tuple that holds the tuple of them. An item may be
    one mapping too, with the target under one of `runners.inputs.TARGET_KEYS`.

    What the dataset draws at random, as torchvision's random transforms do, is drawn with a seed of the item's own: in
    training another one in every epoch, else always the same. So a batch depends on no number of workers.

    Args:
        dataset: A `torch.utils.data.Dataset`, or another object with the two methods.
        collate_fn: Joins a list of items into ``(inputs, targets)`` or into inputs alone; by default
            `torch.utils.data.default_collate`.
        workers: Processes that read the batches of a training epoch beside the training; 0 reads them in it, which is
            faster where an item takes less time than sending it from process to process.
        version: A text that you change whenever the data change. Without it every item is read once, and hashed,
            before a search begins.

    Raises:
        RequestError: The dataset has no length or cannot be read by index.
    """

    def __init__(
        self,
        dataset: Any,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        workers: int = 0,
        version: str | None = None,
    ) -> None:
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise RequestError(
                f"{type(dataset).__name__} cannot be read by index; give a map-style dataset, with __len__ and "
                "__getitem__"
            )
        self.dataset = dataset
        self.workers = workers
        self._collate_fn = collate_fn
        self._fingerprint = hashlib.sha256(version.encode()).hexdigest() if version is not None else ""

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, Any]:
        """Inputs and targets of the items at ``indices`` as arrays; None where there are no targets.

        Raises:
            RequestError: The items cannot be joined, or are not as the class describes them.
        """
        return _arrays(self._read(indices, EVALUATION))

    def epoch_batches(self, batches: Sequence[NDArray[np.int64]], seed: int) -> Iterator[tuple[Any, Any]]:
        """The batches of a training epoch, read by the workers.

        Args:
            batches: The indices of each.
            seed: Decides what the dataset draws at random.
        """
        if self.workers == 0:
            yield from (_arrays(self._read(indices, seed)) for indices in batches)
            return
        loader = DataLoader(
            _Seeded(self.dataset, seed),
            batch_sampler=[indices.tolist() for indices in batches],
            collate_fn=self._joined,
            num_workers=self.workers,
            # Another way of starting them cannot find a class of the workload's file, which is no importable module.
            multiprocessing_context="fork",
        )
        try:
            yield from map(_arrays, loader)
        except RequestError as error:  # what a worker raised, behind its traceback
            raise RequestError(
                str(error).strip().splitlines()[-1].partition("RequestError: ")[2] or str(error)
            ) from None

    def fingerprint(self) -> str:
        """SHA-256 over all items, or over ``version``."""
        if not self._fingerprint:
            digest = hashlib.sha256()
            parts = [
                np.arange(first, min(first + READ_AT_ONCE, len(self))) for first in range(0, len(self), READ_AT_ONCE)
            ]
            for pair in self.epoch_batches(parts, EVALUATION):
                for array in _leaves(pair):
                    digest.update(f"{array.shape}{array.dtype}".encode())
                    digest.update(np.ascontiguousarray(array).tobytes())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def _read(self, indices: NDArray[np.int64], seed: int) -> tuple[Any, Any]:
        with _random_numbers_kept():
            seeded = _Seeded(self.dataset, seed)
            return self._joined([seeded[int(index)] for index in indices])

    def _joined(self, items: list[Any]) -> tuple[Any, Any]:
        """Inputs and targets, as the collate function gives them."""
        if self._collate_fn is not None:
            return _inputs_and_targets(self._collate_fn(items))
        try:
            return _inputs_and_targets(default_collate(items))
        except (TypeError, RuntimeError, KeyError, ValueError) as error:
            if isinstance(error, RequestError):
                raise
            raise RequestError(_why_not_joined(items, error)) from error


def as_dataset_split(given: Any) -> DatasetSplit | None:
    """A split of a dataset or of a `DataLoader`, of which the dataset, the collate function and the workers are taken.

    Returns:
        None where it is neither.
    """
    if isinstance(given, DataLoader):
        collate = None if given.collate_fn is default_collate else given.collate_fn
        return DatasetSplit(given.dataset, collate, given.num_workers)
    by_index = hasattr(given, "__getitem__") and hasattr(given, "__len__")
    plain = isinstance(given, (str, bytes, tuple, list, Mapping, np.ndarray, Tensor))
    return DatasetSplit(given) if isinstance(given, Dataset) or (by_index and not plain) else None


class _Seeded(Dataset[Any]):
    """The items of a dataset, each read with the seeds of all random numbers set for it."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self._dataset, self._seed = dataset, seed

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        seed = (self._seed * 1_000_003 + index) % 2**63
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            return self._dataset[index]
        except RequestError:
            raise
        except Exception as error:
            kind = type(self._dataset).__name__
            raise RequestError(
                f"item {index} of the {kind} cannot be read ({in_one_line(error)}); correct it, or leave it out"
            ) from error


@contextmanager
def _random_numbers_kept() -> Iterator[None]:
    before = torch.default_generator.get_state(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.default_generator.set_state(before[0])
        random.setstate(before[1])
        np.random.set_state(before[2])


def _inputs_and_targets(joined: Any) -> tuple[Any, Any]:
    if isinstance(joined, Mapping):
        return without_target(joined)
    if not isinstance(joined, (tuple, list)):
        return joined, None
    if len(joined) == 1:
        return joined[0], None
    if len(joined) != 2:
        raise RequestError(
            f"an item of {len(joined)} parts is not (input, target); give DatasetSplit(dataset, collate_fn=...) that "
            "returns (inputs, targets)"
        )
    return joined[0], joined[1]


def _arrays(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    inputs, targets = pair
    return _array(inputs, picture=True), None if targets is None else _array(targets)


def _array(value: Any, picture: bool = False) -> Any:
    """Arrays of float32, bool or int64 in the place of tensors; whole numbers of 8 bits are pictures in an input."""
    if isinstance(value, Mapping):
        return {name: _array(part, picture) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(_array(part, picture) for part in value)
    if isinstance(value, Tensor):
        value = (value.float() if value.is_floating_point() else value).numpy(force=True)
    array = np.asarray(value)
    if array.dtype.kind == "f" or (picture and array.dtype == np.uint8):
        return array.astype(np.float32, copy=False)
    return array.astype(np.int64, copy=False) if array.dtype.kind in "iu" else array


def _leaves(value: Any) -> Iterator[Any]:
    """The tensors, arrays and other values in tuples, lists and mappings."""
    if isinstance(value, Mapping):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from _leaves(part)
    elif value is not None:
        yield value


def _why_not_joined(items: list[Any], error: Exception) -> str:
    shapes = [[tuple(getattr(leaf, "shape", ())) for leaf in _leaves(item)] for item in items]
    other = next((each for each in shapes if each != shapes[0]), None)
    if other is not None:
        first, second = next(((a, b) for a, b in zip(shapes[0], other, strict=False) if a != b), (shapes[0], other))
        return (
            f"its items differ in shape, such as {first} and {second}; make them alike in a transform, or give "
            "DatasetSplit(dataset, collate_fn=...) that pads them"
        )
    kinds = {type(leaf).__name__ for leaf in _leaves(items[0])}
    if any(hasattr(leaf, "getbands") for leaf in _leaves(items[0])):
        return "its items hold pictures of PIL; give the dataset a transform such as torchvision.transforms.ToTensor()"
    return (
        f"its items, of {', '.join(sorted(kinds))}, cannot be joined into a batch "
        f"({' '.join(str(error).split())[:200]}); give DatasetSplit(dataset, collate_fn=...)"
    )
