"""A split of the data that lies on disk as images, one folder a class."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.datasets.image_files import Levels, decode, levels_of, opened
from runners.datasets.image_list import Division, ImageList, find_images, find_unlabelled
from runners.workload import UNLABELLED

CACHE_BYTES = 1024**3
"""Decoded images that a split keeps in memory."""
DECODED_AT_CHECK = 1_000
"""Images of a split that are decoded before a search begins; of the others the first bytes are read."""

Triple = tuple[float, float, float]


class ImageFolderSplit:
    """Images, decoded when asked for, as normalised float32 ``(n, 3, size, size)``.

    An image of another size is scaled so that its short side fits, and its centre is cut out. Targets are
    positions in the classes, int64 of shape ``(n,)``.

    Args:
        images: Which images these are.
        size: Side of the square images in pixels.
        mean: Of each colour, subtracted after scaling to 0..1.
        std: Of each colour, divided by.
        levels: Black and white of images of more than 8 bits; None where each has its own.

    Attributes:
        classes: The names of the classes.
        notes: A sentence each on files that were passed over, on how a folder was divided, and on ``levels``.
    """

    def __init__(self, images: ImageList, size: int, mean: Triple, std: Triple, levels: Levels | None = None) -> None:
        self.folder = images.folder
        self.classes = images.classes
        self.files = images.files
        self.targets = images.targets
        self.size = size
        self.levels = levels
        self.notes = images.notes
        if levels is not None:
            self.notes += (f"in images of more than 8 bits {levels[0]:g} becomes black and {levels[1]:g} white",)
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        self._cache: dict[int, NDArray[np.uint8]] = {}
        # The first images stay, rather than the latest: every epoch visits all of them, so the latest are never hit.
        self._cacheable = CACHE_BYTES // (3 * size * size)
        self._digests: list[str] = []

    def __len__(self) -> int:
        return len(self.files)

    @property
    def preparation(self) -> str:
        """How a picture becomes an input, and what the outputs are, for whoever serves the model."""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self._mean, self._std))
        deep = "" if self.levels is None else f" One channel of more than 8 bits goes from {self.levels} to 0 and 255."
        return (
            "A picture is turned as its camera says and taken as RGB; its short side is scaled (bilinear) to "
            f"{self.size} pixels, and its centre of {self.size}x{self.size} is cut out. Values are divided by 255, "
            f"less ({mean}), divided by ({std}), channels first.{deep} Outputs are the classes "
            f"{', '.join(self.classes)}, in this order."
        )

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs ``(len(indices), 3, size, size)`` and targets ``(len(indices),)``.

        Raises:
            RequestError: An image cannot be read.
        """
        pixels = np.stack([self._pixels(int(index)) for index in indices])
        scaled = (pixels.astype(np.float32) / 255 - self._mean) / self._std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)), self.targets[indices]

    def fingerprint(self) -> str:
        """SHA-256 over names, classes, bytes, and how they become inputs."""
        digest = hashlib.sha256(f"{self.size}{self._mean}{self._std}{self.levels}".encode())
        for index, content in enumerate(self.example_digests()):
            name = self.files[index].relative_to(self.folder).as_posix()
            digest.update(f"{name}\n{self.classes[self.targets[index]]}\n{content}\n".encode())
        return digest.hexdigest()

    def example_digests(self) -> list[str]:
        """A hash of each image's file, so that the same image in two splits is found without decoding.

        Raises:
            RequestError: A file is no image, as far as `DECODED_AT_CHECK` says.
        """
        if not self._digests:
            self._digests = [self._checked_digest(index) for index in range(len(self))]
        return self._digests

    def _checked_digest(self, index: int) -> str:
        if index < DECODED_AT_CHECK:
            self._pixels(index)
        else:
            with opened(self.files[index]):
                pass
        return hashlib.sha256(self.files[index].read_bytes()).hexdigest()

    def _pixels(self, index: int) -> NDArray[np.uint8]:
        if index in self._cache:
            return self._cache[index]
        pixels = decode(self.files[index], self.size, self.levels)
        if len(self._cache) < self._cacheable:
            self._cache[index] = pixels
        return pixels


class UnlabelledImages(ImageFolderSplit):
    """Images without targets."""

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], Any]:
        """Inputs ``(len(indices), 3, size, size)``, and None.

        Raises:
            RequestError: An image cannot be read.
        """
        return super().batch(indices)[0], None


def open_image_folder(
    folder: Path, size: int, mean: Triple, std: Triple, division: Division = 0
) -> dict[str, ImageFolderSplit]:
    """The three splits below ``folder``, as `find_images` finds them, and the images of `find_unlabelled`.

    What becomes black and white in images of more than 8 bits is read off the training split, or the validation split
    where there is none.

    Raises:
        RequestError: As `find_images`, or an image cannot be read.
    """
    lists = find_images(folder, division)
    levels = levels_of((lists["train"] if "train" in lists else lists["validation"]).files)
    splits = {split: ImageFolderSplit(images, size, mean, std, levels) for split, images in lists.items()}
    if further := find_unlabelled(folder):
        splits[UNLABELLED] = UnlabelledImages(further, size, mean, std, levels)
    return splits


def native_side(splits: Iterable[ImageFolderSplit], looked_at: int = 200) -> int | None:
    """The side of the images where all of them are equal squares, else None; it looks at some of every split."""
    files = [split.files[i] for split in splits for i in np.linspace(0, len(split) - 1, looked_at, dtype=int)]
    sizes = set()
    for file in dict.fromkeys(files):
        with opened(file) as image:
            sizes.add(image.size)
    width, height = next(iter(sizes))
    return width if len(sizes) == 1 and width == height else None
