"""A split of the data that lies on disk as images, one folder a class."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spaces.errors import RequestError

ENDINGS = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
FOLDERS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
CACHE_BYTES = 1024**3
"""Decoded images that a split keeps in memory."""

Triple = tuple[float, float, float]


class ImageFolderSplit:
    """Images of ``folder/class/*``, decoded when asked for, as normalised float32 ``(n, 3, size, size)``.

    An image of another size is scaled so that its short side fits, and its centre is cut out. Targets are
    positions in ``classes``, int64 of shape ``(n,)``.

    Args:
        folder: Holds a folder for each class; deeper folders count to their class.
        classes: Names of the class folders, in the order of the targets.
        size: Side of the square images in pixels.
        mean: Of each colour, subtracted after scaling to 0..1.
        std: Of each colour, divided by.

    Attributes:
        classes: The names of the classes.
        notes: A sentence each on files that were passed over, and on classes without images.

    Raises:
        RequestError: The folder holds no images, or a class folder only files of other kinds.
    """

    def __init__(self, folder: Path, classes: Sequence[str], size: int, mean: Triple, std: Triple) -> None:
        self.folder = folder
        self.classes = tuple(classes)
        self.size = size
        self.files, self.targets, self.notes = _list_images(folder, classes)
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        self._cache: dict[int, NDArray[np.uint8]] = {}
        # The first images stay, rather than the latest: every epoch visits all of them, so the latest are never hit.
        self._cacheable = CACHE_BYTES // (3 * size * size)
        self._digests: list[str] = []

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs ``(len(indices), 3, size, size)`` and targets ``(len(indices),)``.

        Raises:
            RequestError: An image cannot be read.
        """
        pixels = np.stack([self._pixels(int(index)) for index in indices])
        scaled = (pixels.astype(np.float32) / 255 - self._mean) / self._std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)), self.targets[indices]

    def fingerprint(self) -> str:
        """SHA-256 over names, bytes, and how they become inputs."""
        digest = hashlib.sha256(f"{self.size}{self._mean}{self._std}".encode())
        for file, content in zip(self.files, self.example_digests(), strict=True):
            digest.update(f"{file.relative_to(self.folder).as_posix()}\n{content}\n".encode())
        return digest.hexdigest()

    def example_digests(self) -> list[str]:
        """A hash of each image's file, so that the same image in two splits is found without decoding."""
        self._digests = self._digests or [hashlib.sha256(file.read_bytes()).hexdigest() for file in self.files]
        return self._digests

    def _pixels(self, index: int) -> NDArray[np.uint8]:
        if index in self._cache:
            return self._cache[index]
        pixels = _decode(self.files[index], self.size)
        if len(self._cache) < self._cacheable:
            self._cache[index] = pixels
        return pixels


def open_image_folder(folder: Path, size: int, mean: Triple, std: Triple) -> dict[str, ImageFolderSplit]:
    """The three splits below ``folder``: ``train``, ``val`` or ``validation``, and ``test``.

    Raises:
        RequestError: A split is missing or empty, or its classes are not those of ``train``.
    """
    classes = class_names(folder)
    return {split: ImageFolderSplit(split_folder(folder, split), classes, size, mean, std) for split in FOLDERS}


def class_names(folder: Path) -> tuple[str, ...]:
    """The sorted names of the class folders, which must be the same in every split.

    Raises:
        RequestError: They differ, or there are fewer than two.
    """
    wanted = _class_folders(split_folder(folder, "train"))
    if len(wanted) < 2:
        raise RequestError(f"{folder / 'train'} holds {len(wanted)} folders; give one for each class, at least two")
    for split in FOLDERS:
        given = _class_folders(split_folder(folder, split))
        if given != wanted:
            odd = sorted(set(given) ^ set(wanted))[0]
            has, lacks = (split, "train") if odd in given else ("train", split)
            raise RequestError(f"{folder}: the class {odd} is in {has} and not in {lacks}; every split needs the same")
    return wanted


def split_folder(folder: Path, split: str) -> Path:
    """The folder of ``split`` below ``folder``.

    Raises:
        RequestError: There is none.
    """
    for name in FOLDERS[split]:
        if (folder / name).is_dir():
            return folder / name
    raise RequestError(f"{folder} has no folder {' or '.join(FOLDERS[split])}; give train, val and test")


def native_side(splits: Iterable[ImageFolderSplit], looked_at: int = 200) -> int | None:
    """The side of the images where all of them are equal squares, else None; it looks at some of every split."""
    files = [split.files[i] for split in splits for i in np.linspace(0, len(split) - 1, looked_at, dtype=int)]
    sizes = set()
    for file in dict.fromkeys(files):
        with _opened(file) as image:
            sizes.add(image.size)
    width, height = next(iter(sizes))
    return width if len(sizes) == 1 and width == height else None


def _class_folders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")))


def _list_images(folder: Path, classes: Sequence[str]) -> tuple[list[Path], NDArray[np.int64], tuple[str, ...]]:
    """The images of all classes, their targets, and what there is to say of the rest."""
    files: list[Path] = []
    targets: list[int] = []
    passed_over: list[Path] = []
    empty: list[str] = []
    for target, name in enumerate(classes):
        images, others = _sorted_out(folder / name)
        if others and not images:
            raise RequestError(
                f"{folder / name} holds no images, only {_counted(others)}; images end in {', '.join(ENDINGS)}"
            )
        files += images
        targets += [target] * len(images)
        passed_over += others
        empty += [] if images else [name]
    if not files:
        raise RequestError(f"{folder} holds no images; its class folders must hold {', '.join(ENDINGS)} files")
    notes = [f"{folder} holds no images of {', '.join(empty)}"] if empty else []
    notes += [f"passed over in {folder}: {_counted(passed_over)}"] if passed_over else []
    return files, np.array(targets, dtype=np.int64), tuple(notes)


def _sorted_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images below ``folder`` and the files that are none by their endings; hidden files are neither."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    images = [path for path in files if path.suffix.lower() in ENDINGS]
    return images, [path for path in files if path.suffix.lower() not in ENDINGS]


def _counted(files: Sequence[Path]) -> str:
    """Such as ``3 files (.txt, .heic)``."""
    endings = ", ".join(sorted({path.suffix.lower() or "without an ending" for path in files}))
    return f"{len(files)} file{'s' if len(files) > 1 else ''} ({endings})"


def _decode(file: Path, size: int) -> NDArray[np.uint8]:
    with _opened(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR))


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(file) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RequestError(f"{file} cannot be read as an image ({error}); mend or remove it") from error
